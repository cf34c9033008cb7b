"""Rules for new and changed integrations."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from chalicelib import limits, times
from chalicelib.errors import BadRequest
from chalicelib.integrations.rules.events import DEFAULT_SCOPES, Scope
from chalicelib.integrations.shapes import OMITTED, Credentials, Http, NewIntegration

WEBHOOK: Final = "webhook"
_CREDENTIALS: Final = {WEBHOOK: "http", "iot-core": "aws", "iot-hub": "sas"}
"""The type of credentials of each provider."""
_HEX: Final = re.compile(r"([0-9a-fA-F]{2})+")


def check_new(wanted: NewIntegration) -> None:
    """Check a new integration, except for its URL.

    Raises:
        BadRequest: it is incomplete or contradicts itself, or its provider is not supported.
    """
    if wanted.provider not in _CREDENTIALS:
        raise BadRequest(f"provider: must be one of: {', '.join(sorted(_CREDENTIALS))}")
    if wanted.credentials.type != _CREDENTIALS[wanted.provider]:
        raise BadRequest(f"credentials: type must be {_CREDENTIALS[wanted.provider]} for provider {wanted.provider}")
    if wanted.provider != WEBHOOK:
        raise BadRequest(f"provider: {wanted.provider} is not supported: this server delivers events to webhooks only")
    if len(wanted.description) > limits.INTEGRATION_DESCRIPTION:
        raise BadRequest(f"description: the length must be no more than {limits.INTEGRATION_DESCRIPTION}")
    if _named(wanted) - set(Scope):
        raise BadRequest(f"scopes: must be among: {', '.join(sorted(Scope))}")


def _named(wanted: NewIntegration) -> set[str]:
    return {*(wanted.scopes or ()), *(wanted.additional_scopes or ())}


def scopes(wanted: NewIntegration) -> list[str]:
    """The scopes of a new integration, sorted. The request may have them in either of its members."""
    return sorted(_named(wanted) or DEFAULT_SCOPES)


def time(text: str) -> datetime:
    """The time of an event, as it is listed.

    Raises:
        BadRequest: it is not RFC 3339.
    """
    try:
        return times.read(text)
    except ValueError as error:
        raise BadRequest("event_time: must be the event's time as it is listed (RFC 3339)") from error


def http(credentials: Credentials, *, keeps_secret: bool = False) -> Http:
    """The credentials of a webhook; an empty secret means none.

    Args:
        credentials: as they were sent.
        keeps_secret: whether there is a secret that ``<omitted>`` can stand for.

    Raises:
        BadRequest: they are not those of a webhook, or the secret is not hexadecimal.
    """
    if credentials.type != _CREDENTIALS[WEBHOOK] or credentials.http is None:
        raise BadRequest("credentials: type must be http, with a member http")
    given = credentials.http
    if not given.url:
        raise BadRequest("credentials: http.url: cannot be blank")
    secret = given.secret or None
    if secret == OMITTED and keeps_secret:
        return given
    if secret is not None and (len(secret) > limits.INTEGRATION_SECRET or not _HEX.fullmatch(secret)):
        raise BadRequest(
            f"credentials: http.secret: must be 2 to {limits.INTEGRATION_SECRET} hexadecimal digits, in pairs"
        )
    return Http(given.url, secret)
