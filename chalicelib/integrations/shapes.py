"""The wire format of integrations (``docs/behaviour.md#webhooks``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

OMITTED: Final = "<omitted>"
"""Shown instead of a secret. Sent back, it means the stored secret."""


class Http(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The receiver of a webhook. ``secret`` is hexadecimal."""

    url: str = ""
    secret: str | None = None


class Credentials(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Credentials of a provider. Those of cloud providers are only distinguished by type."""

    type: str = ""
    http: Http | None = None
    aws: Any = None
    connection_string: Any = None


class NewIntegration(msgspec.Struct, forbid_unknown_fields=True):
    """A new integration."""

    provider: str = ""
    credentials: Credentials = msgspec.field(default_factory=Credentials)
    description: str = ""
    scopes: list[str] | None = None
    additional_scopes: list[str] | None = None
    """Scopes that Mender does not have; they may be among ``scopes`` as well."""


class IntegrationShape(msgspec.Struct):
    """An integration in answers."""

    id: str
    provider: str
    credentials: Credentials
    description: str
    scopes: list[str]
    """Only scopes that Mender has: its UI fails on others."""
    additional_scopes: list[str]


class DeliveryStatus(msgspec.Struct, omit_defaults=True):
    """The result of the last attempt to deliver an event to an integration; there is none before the first attempt."""

    integration_id: str
    success: bool
    status_code: int | None = None
    error: str | None = None
    queued: bool = False
    """Whether a user had it sent again, and it was not tried since. Not part of Mender's API."""


class Resend(msgspec.Struct, forbid_unknown_fields=True):
    """The event to send again: its id and time, as in the list of events."""

    integration_id: str
    event_id: str
    event_time: str


class EventBody(msgspec.Struct):
    """An event as it is posted. ``time`` is RFC 3339."""

    id: str
    type: str
    data: dict[str, Any]
    time: str


class EventShape(EventBody):
    """An event in answers."""

    delivery_statuses: list[DeliveryStatus]
