"""Checks that a session's user is present: a stolen token comes with neither the password nor a code.

Routes that change credentials require it (``chalicelib.http.signin``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib import clock, limits
from chalicelib.errors import Forbidden
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm.rules import TfaStatus
from chalicelib.useradm.service import failed_attempts, passwords, twofactor
from chalicelib.useradm.service.users import get_user
from chalicelib.useradm.tables import tokens, users
from chalicelib.useradm.tables.tokens import Proof

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import UsedCode, User

NOT_SHOWN: Final = (
    "this takes your password: send it as current_password, or a code of your second factor as token2fa, in the JSON "
    f"body; where a sign-in of the last {limits.RECENT_SIGN_IN // 60} minutes is enough, you may sign in again instead"
)


@retried
def prove(tenant: TenantId, user_id: str, token_id: str, *, password: str, code: str, recent: bool) -> None:
    """Check the password, or a code of the second factor. The session then counts as recently signed in.

    Args:
        tenant: the user's own.
        user_id: the session's user.
        token_id: the session.
        password: the password; may be empty.
        code: a code; may be empty. It is ignored if the user has no second factor.
        recent: whether the user has signed in recently, which is enough for users who have neither.

    Raises:
        Forbidden: neither is given.
        NotFound: the user was deleted.
        TooManyRequests: there were too many failed attempts.
        Unprocessable: the password or code is wrong.
    """
    user = get_user(tenant, user_id)
    has_factor = user.tfa.status is TfaStatus.ENABLED
    if code and has_factor:
        now = clock.now()
        _note(user, token_id, twofactor.code_of_proof(user, code, now), now)
    elif password:
        failed_attempts.check_password(user, password)
        _note(user, token_id, None, clock.now())
    elif not recent or has_factor or user.password != passwords.DUMMY:  # DUMMY: the user has single sign-on only
        raise Forbidden(NOT_SHOWN)


def _note(user: User, token_id: str, used: UsedCode | None, now: datetime) -> None:
    """Store the proof in the session."""
    tx = Transaction()
    if used is not None:
        users.note_code(tx, user, used)
        twofactor.forgive(tx, user, now)
        twofactor.note_use(tx, user, used)
    tokens.note_proof(tx, user.tenant, user.id, token_id, Proof(now, by_code=used is not None))
    tx.commit()
    if used is not None:
        twofactor.tell_use(user, used)
