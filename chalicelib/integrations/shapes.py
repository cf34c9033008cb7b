"""The wire format of integrations (``docs/behaviour.md#webhooks``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

OMITTED: Final = "<omitted>"
"""Stands for a secret wherever credentials are shown; sent back, it means the secret that is there."""


class Http(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Where a webhook posts to. ``secret`` is hexadecimal."""

    url: str = ""
    secret: str | None = None


class Credentials(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How to talk to a provider. Those of cloud providers are only told apart."""

    type: str = ""
    http: Http | None = None
    aws: Any = None
    connection_string: Any = None


class NewIntegration(msgspec.Struct, forbid_unknown_fields=True):
    """An integration to make."""

    provider: str = ""
    credentials: Credentials = msgspec.field(default_factory=Credentials)
    description: str = ""
    scopes: list[str] | None = None
    additional_scopes: list[str] | None = None
    """Those that Mender does not know; they may be among ``scopes`` as well."""


class IntegrationShape(msgspec.Struct):
    """An integration as it is shown."""

    id: str
    provider: str
    credentials: Credentials
    description: str
    scopes: list[str]
    """Only those that Mender knows: its UI fails on others."""
    additional_scopes: list[str]


class DeliveryStatus(msgspec.Struct, omit_defaults=True):
    """How the last attempt to tell an integration of an event ended. No status yet: none was made."""

    integration_id: str
    success: bool
    status_code: int | None = None
    error: str | None = None


class EventBody(msgspec.Struct):
    """An event as it is posted. ``time`` is RFC 3339."""

    id: str
    type: str
    data: dict[str, Any]
    time: str


class EventShape(EventBody):
    """An event as it is shown."""

    delivery_statuses: list[DeliveryStatus]
