"""The credentials that calls to AWS are signed with: one botocore session a process, which renews them in time."""

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
"""Codes of a refusal because the credentials have expired, in XML and in JSON."""
_lock = Lock()


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def current() -> Credentials:
    """The role's credentials as they are now.

    Raises:
        Unavailable: there are none, or they could not be renewed.
    """
    try:
        with _lock:  # threads that make the same session at once break it
            found = _session().get_credentials()
    except BotoCoreError as error:
        raise Unavailable from error
    if found is None:
        raise Unavailable("no AWS credentials")
    return found


def forget() -> None:
    """Look for credentials anew at the next call, because AWS says that these have expired."""
    _session.cache_clear()
