"""Two-factor authentication: logins need a code of the user's authenticator app besides the password.

The secret is encrypted by the vault for its user. A code works once. Recovery codes replace codes of the app, for users
who have lost it. Failed attempts are counted for the user across all networks, because an attacker who knows the
password must not find a code by trying.
"""

from __future__ import annotations

import base64
import io
import secrets
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib import clock, settings
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action
from chalicelib.aws import mail, vault
from chalicelib.errors import BadRequest, Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable
from chalicelib.observability import logger
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.useradm.rules import TfaStatus
from chalicelib.useradm.service import failed_attempts, mail_texts, recovery, totp
from chalicelib.useradm.service.users import about, find_user, get_user
from chalicelib.useradm.tables import attempts, users
from chalicelib.useradm.tables.users import TwoFactor, UsedCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.storage.keys import TenantId
    from chalicelib.useradm.tables.users import User

_SECRET_BYTES = 20
"""The length that RFC 4226 recommends."""


def enable(tenant: TenantId, user_id: str) -> None:
    """Create a secret. Logins need codes only after the user has confirmed one (:func:`verify`).

    Raises:
        Forbidden: the user's address is not verified.
        BadRequest: there is a secret already.
        NotFound: the user was deleted.
    """

    def decide(user: User) -> TwoFactor:
        if not user.verified:
            raise Forbidden("the email address must be verified first")
        if user.tfa.status is not TfaStatus.DISABLED:
            raise BadRequest(f"two-factor authentication is already {user.tfa.status}")
        secret = base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        return TwoFactor(TfaStatus.UNVERIFIED, vault.seal(secret, tenant, user_id))

    _change(tenant, user_id, decide)


def disable(tenant: TenantId, user_id: str) -> None:
    """Disable the second factor: logins need the password alone.

    Raises:
        BadRequest: it is not enabled.
        NotFound: the user was deleted.
    """

    def decide(user: User) -> TwoFactor:
        if user.tfa.status is not TfaStatus.ENABLED:
            raise BadRequest(f"two-factor authentication is {user.tfa.status}")
        return TwoFactor()

    _change(tenant, user_id, decide)


def verify(tenant: TenantId, user_id: str, given: str) -> list[str]:
    """Confirm with a code that the user's app has the secret; from then on logins need codes.

    Returns:
        The recovery codes, which are stored as hashes only.

    Raises:
        BadRequest: no secret waits for confirmation, or the code is wrong.
        TooManyRequests: there were too many failed attempts.
        NotFound: the user was deleted.
    """
    codes = recovery.new()

    def decide(user: User) -> TwoFactor:
        if user.tfa.status is not TfaStatus.UNVERIFIED:
            raise BadRequest(f"two-factor authentication is {user.tfa.status}")
        step = _step(user, given, clock.now())
        if step is None:
            raise BadRequest("the code is wrong")
        return TwoFactor(TfaStatus.ENABLED, user.tfa.secret, step, _hashes(user_id, codes))

    _change(tenant, user_id, decide)
    return codes


@retried
def renew_recovery_codes(tenant: TenantId, user_id: str) -> list[str]:
    """Replace all recovery codes by new ones.

    Raises:
        BadRequest: the second factor is not enabled.
        NotFound: the user was deleted.
    """
    codes = recovery.new()
    user = get_user(tenant, user_id)
    if user.tfa.status is not TfaStatus.ENABLED:
        raise BadRequest(f"two-factor authentication is {user.tfa.status}")
    tx = Transaction()
    users.set_recovery(tx, user, clock.now(), _hashes(user_id, codes))
    _record(tx, user, f"Recovery codes of {user.email} were made anew")
    tx.commit()
    return codes


def _hashes(user_id: str, codes: list[str]) -> frozenset[str]:
    return frozenset(filter(None, (recovery.digest(user_id, code) for code in codes)))


def qr(tenant: TenantId, user_id: str) -> tuple[str, str]:
    """The secret for the user's app: as a QR code, which is a PNG in base64, and as text in base32.

    Raises:
        BadRequest: no secret waits for confirmation; an enabled one is never shown again.
        NotFound: the user was deleted.
    """
    # Imported here: only setting a second factor up draws a QR code.
    import segno

    user = get_user(tenant, user_id)
    if user.tfa.status is not TfaStatus.UNVERIFIED:
        raise BadRequest(f"two-factor authentication is {user.tfa.status}")
    png = io.BytesIO()
    secret = _secret(user)
    segno.make_qr(totp.uri(secret, user.email)).save(png, kind="png", scale=6)
    return base64.b64encode(png.getvalue()).decode(), secret


def reset(email: str) -> User:
    """Remove the second factor of a user who has lost it; for the admin only.

    Raises:
        NotFound: nobody has this address.
    """
    user = find_user(email)
    if user is None:
        raise NotFound("user not found")
    if user.tfa.status is not TfaStatus.DISABLED:
        _change(user.tenant, user.id, lambda _: TwoFactor())
    return user


def code_of_login(user: User, given: str, now: datetime) -> UsedCode | None:
    """The code of a login, which the login must mark as used; None: no code is needed.

    Raises:
        Unauthorized: it is missing or wrong.
        TooManyRequests: there were too many failed attempts.
    """
    if user.tfa.status is not TfaStatus.ENABLED:
        return None
    if not given:
        raise Unauthorized("2fa needed")
    used = _matching(user, given, now)
    if used is None:
        raise Unauthorized("2fa token is wrong")
    return used


def code_of_proof(user: User, given: str, now: datetime) -> UsedCode:
    """The code with which a signed-in user proves to be present. The caller must mark it as used.

    Raises:
        Unprocessable: it is wrong.
        TooManyRequests: there were too many failed attempts.
    """
    used = _matching(user, given, now)
    if used is None:
        raise Unprocessable("the code is wrong")
    return used


def note_use(tx: Transaction, user: User, used: UsedCode) -> None:
    """Record in the audit log that a recovery code was used; nothing is recorded for a code of the app."""
    if used.recovery is not None:
        _record(tx, user, f"A recovery code of {user.email} was used: {_left(user)} left")


def tell_use(user: User, used: UsedCode) -> None:
    """Mail the user that a recovery code was used, if the server sends mails."""
    if used.recovery is None or not mail.configured():
        return
    try:
        mail.send(mail_texts.recovery_code_used(user.email, _left(user)))
    except Unavailable:
        logger.warning("mail about a recovery code could not be sent")


def _left(user: User) -> int:
    """The number of recovery codes that a user has left after using one."""
    return len(user.tfa.recovery) - 1


def forgive(tx: Transaction, user: User, now: datetime) -> None:
    """Reset the count of failed attempts after a correct code, if there were not too many."""
    attempts.clear(tx, *_guard(user), now, settings.current().login_attempts)


def _guard(user: User) -> failed_attempts.Guard:
    return failed_attempts.of_user(user, "2fa")


def _matching(user: User, given: str, now: datetime) -> UsedCode | None:
    """The code of the app, or recovery code, that was given; None: it is wrong, and counted as a failed attempt."""
    hashed = recovery.digest(user.id, given)
    if hashed is None:
        step = _step(user, given, now)
        return None if step is None else UsedCode(step=step)
    failed_attempts.refuse_after_failures(_guard(user), now)
    if hashed not in user.tfa.recovery:
        failed_attempts.note_failure(_guard(user), now)
        return None
    return UsedCode(recovery=hashed)


def _step(user: User, given: str, now: datetime) -> int | None:
    failed_attempts.refuse_after_failures(_guard(user), now)
    step = totp.matching_step(_secret(user), given, now, after=user.tfa.step)
    if step is None:
        failed_attempts.note_failure(_guard(user), now)
    return step


def _secret(user: User) -> str:
    if user.tfa.secret is None:
        raise RuntimeError("a second factor without a secret")
    return vault.unseal(user.tfa.secret, user.tenant, user.id)


@retried
def _change(tenant: TenantId, user_id: str, decide: Callable[[User], TwoFactor]) -> None:
    user = get_user(tenant, user_id)
    after = decide(user)
    now = clock.now()
    tx = Transaction()
    users.set_two_factor(tx, user, now, after)
    if after.status is TfaStatus.ENABLED:
        forgive(tx, user, now)
    _record(tx, user, f"Two-factor authentication of {user.email}: {user.tfa.status} -> {after.status}")
    tx.commit()


def _record(tx: Transaction, user: User, change: str) -> None:
    auditlogs.record(tx, user.tenant, Action.AUTH_METHOD_CHANGE, about(user), change=change)
