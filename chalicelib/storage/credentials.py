"""The credentials that sign calls to AWS.

Lambda passes them to a function in variables that do not change while it lives. Elsewhere (an admin's machine, Lambda
with SnapStart) a botocore session finds them, and renews them in time. Importing botocore takes longer than a device's
first call otherwise does.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from chalicelib import settings
from chalicelib.errors import Unavailable
from chalicelib.storage.wire import Keys

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from botocore.session import Session

EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException"})
"""Error codes for expired credentials, in XML and in JSON."""
_lock = Lock()


@cache
def _session() -> Session:
    # Imported here: see above.
    import botocore.session

    return botocore.session.get_session()


def keys() -> Keys:
    """The current credentials, to sign with.

    Raises:
        Unavailable: there are none, or they could not be renewed.
    """
    given = settings.aws().keys
    if given is not None:
        return Keys(*given)
    # Imported here: see above.
    from botocore.exceptions import BotoCoreError

    try:
        found = current().get_frozen_credentials()
    except BotoCoreError as error:
        raise Unavailable from error
    return Keys(found.access_key, found.secret_key, found.token)


def current() -> Credentials:
    """The current credentials of the role, for botocore's signers.

    Raises:
        Unavailable: there are none, or they could not be renewed.
    """
    # Imported here: see above.
    from botocore.exceptions import BotoCoreError

    try:
        with _lock:  # concurrent first uses of one session break it
            found = _session().get_credentials()
    except BotoCoreError as error:
        raise Unavailable from error
    if found is None:
        raise Unavailable("no AWS credentials")
    return found


def forget() -> None:
    """Look for new credentials at the next call, because AWS says that these have expired."""
    _session.cache_clear()


def ca_bundle() -> str | None:
    """The file with the certificates to trust; None: the system's."""
    if settings.aws().on_lambda:
        return settings.aws().ca_bundle
    bundle: str | None = _session().get_config_variable("ca_bundle")
    return bundle
