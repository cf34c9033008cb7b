"""The credentials that sign calls to AWS. A process has one botocore session, which renews them in time."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

import botocore.session
from botocore.exceptions import BotoCoreError

from chalicelib.errors import Unavailable

if TYPE_CHECKING:
    from botocore.credentials import Credentials

EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException"})
"""Error codes for expired credentials, in XML and in JSON."""
_lock = Lock()


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def current() -> Credentials:
    """The current credentials of the role.

    Raises:
        Unavailable: there are none, or they could not be renewed.
    """
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
