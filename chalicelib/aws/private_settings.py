"""Settings that are secrets: SecureStrings below the name of the stage, read by the functions that need them.

A plain setting of the same name takes precedence, as on one machine, where nobody else sees it. Then nothing is read.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from chalicelib import settings
from chalicelib.aws import signing_keys
from chalicelib.aws.parameters import Parameter
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from datetime import datetime

MAIL_PORTS: Final = {"smtp": 587, "smtp+plain": 25, "smtps": 465}
"""Kinds of SMTP servers, by the scheme of their URL, and the port of each where the URL has none."""
_EDGE: Final = re.compile(r"[A-Za-z0-9_-]{32,}")
"""The form that the edge's stack requires."""


class Private(StrEnum):
    """The secret settings, by the last part of their parameters' names."""

    EDGE_SECRET = "edge-secret"  # noqa: S105  # a name
    MAIL_SERVER = "mail-server"

    @property
    def variable(self) -> str:
        """The environment variable of the plain setting."""
        return "LAMPLIGHTER_" + self.replace("-", "_").upper()


_parameters: Final = {
    # Nearly every call that comes through an edge has a token to check.
    Private.EDGE_SECRET: Parameter(Private.EDGE_SECRET, str, before=(signing_keys.PARAMETER,)),
    Private.MAIL_SERVER: Parameter(Private.MAIL_SERVER, str),
}


def edge_secret() -> str:
    """The secret by which the edge's report of the caller's address is believed; empty if there is no edge.

    Raises:
        Unavailable: the parameter store does not answer.
    """
    return settings.current().edge_secret or _find(Private.EDGE_SECRET)


def mail_server() -> str:
    """The URL of the SMTP server with its password, as ``settings.mail_server``; empty: Amazon SES sends.

    Raises:
        Unavailable: the parameter store does not answer.
    """
    return settings.current().mail_server or _find(Private.MAIL_SERVER)


def write(name: Private, value: str) -> None:
    """Store a secret. Processes use it within ``settings.key_cache`` seconds.

    Raises:
        BadRequest: it is not valid for this setting.
    """
    check(name, value)
    _parameters[name].write(value, overwrite=True)


def remove(name: Private) -> bool:
    """Remove a secret. Returns whether there was one."""
    return _parameters[name].remove()


def written_at(name: Private) -> datetime | None:
    """When the secret was last stored; None if there is none."""
    return _parameters[name].written_at()


def check(name: Private, value: str) -> None:
    """Check a secret. The texts of errors do not show it.

    Raises:
        BadRequest: it is not valid for this setting.
    """
    if name is Private.EDGE_SECRET and not _EDGE.fullmatch(value):
        raise BadRequest(
            "edge-secret: must have at least 32 characters (letters, digits, - and _), as the edge's stack requires"
        )
    if name is Private.MAIL_SERVER and not _is_mail_server(value):
        raise BadRequest(
            "mail-server: must be smtp://, smtps:// or smtp+plain://, followed by [user:password@]host[:port]"
        )


def _is_mail_server(value: str) -> bool:
    try:
        where = urlsplit(value)
        return where.scheme in MAIL_PORTS and bool(where.hostname) and where.port != 0
    except ValueError:  # a port that is not a number
        return False


def _find(name: Private) -> str:
    return _parameters[name].find() or ""
