"""The wire format of device authentication (``docs/behaviour.md#device-authentication``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest.
"""

from __future__ import annotations

from typing import Any

import msgspec


class AuthRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A device's request for a token. Members that only other servers know are ignored."""

    id_data: str | None = None
    pubkey: str | None = None
    tenant_token: str | None = None
    tier: str | None = None


class PreAuthSet(msgspec.Struct, forbid_unknown_fields=True):
    """A device to preauthorize."""

    identity_data: Any = None
    pubkey: str | None = None
    force: bool = False
    tier: str | None = None


class NewStatus(msgspec.Struct, forbid_unknown_fields=True):
    """The new status of an auth set."""

    status: str = ""


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """A search for devices; each member takes one value or a list."""

    status: str | list[str] | None = None
    id: str | list[str] | None = None


class Flags(msgspec.Struct, forbid_unknown_fields=True):
    """Flags of a device."""

    test_device: bool | None = None


class Count(msgspec.Struct):
    """A number of devices."""

    count: int


class AuthSetStatus(msgspec.Struct):
    """The status of an auth set."""

    status: str


class Limit(msgspec.Struct):
    """A limit of the tenant; -1: no limit."""

    limit: int


class AuthSetShape(msgspec.Struct):
    """An auth set in answers. ``pubkey`` is PEM, ``ts`` RFC 3339."""

    id: str
    identity_data: msgspec.Raw
    pubkey: str
    ts: str
    status: str
    device_id: str
    tier: str


class DeviceShape(msgspec.Struct, omit_defaults=True):
    """A device in answers."""

    id: str
    identity_data: msgspec.Raw
    status: str
    created_ts: str
    updated_ts: str
    auth_sets: list[AuthSetShape] | None
    decommissioning: bool
    tier: str
    check_in_time: str | None = None
    flags: Flags | None = None
