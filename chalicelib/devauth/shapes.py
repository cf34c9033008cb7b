"""The wire format of device authentication (``docs/behaviour.md#device-authentication``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chalicelib import limits


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


class AuthSetShape(msgspec.Struct, omit_defaults=True):
    """An auth set in answers. ``pubkey`` is PEM, ``ts`` RFC 3339."""

    id: str
    identity_data: msgspec.Raw
    pubkey: str
    ts: str
    status: str
    device_id: str
    tier: str
    rule: str = ""
    """The name of the acceptance rule that accepted it, if it was one."""


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


class NewAcceptanceRule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An acceptance rule to create, change or preview."""

    name: Annotated[str, Meta(max_length=limits.ACCEPTANCE_NAME)] = ""
    type: str = ""
    enabled: bool = True
    pattern: dict[str, str | None] = {}
    """Attributes of identity data and their patterns, all of which must match."""
    certificates: Annotated[list[str], Meta(max_length=limits.ACCEPTANCE_CERTIFICATES)] = []
    """CA certificates in PEM."""
    common_name: Annotated[str, Meta(max_length=limits.ACCEPTANCE_PATTERN)] = ""
    """The attribute of identity data that must equal the common name of the device's certificate."""
    max_per_day: Annotated[int, Meta(ge=0, le=limits.ACCEPTANCE_PER_DAY)] = 0
    """The number of devices that it accepts on a day (UTC); 0: no limit."""


class AuthorityShape(msgspec.Struct):
    """A CA certificate of a rule."""

    subject: str
    not_after: str


class AcceptanceRuleShape(msgspec.Struct):
    """An acceptance rule in answers."""

    id: str
    name: str
    type: str
    enabled: bool
    pattern: dict[str, str]
    certificates: list[str]
    authorities: list[AuthorityShape]
    """What ``certificates`` contain, in the same order."""
    common_name: str
    max_per_day: int
    accepted_today: int
    """The number of devices that it accepted on this day (UTC), or since ``max_per_day`` was changed."""
    created_ts: str
    updated_ts: str


class AcceptancePreview(msgspec.Struct):
    """The pending devices that a rule would accept."""

    total: int
    """Their number."""
    checked: int
    """The number of pending devices that were checked."""
    complete: bool
    """Whether these are all pending devices."""
    devices: list[DeviceShape]
    """The page of them."""


class NewIdentity(msgspec.Struct):
    """An identity to preregister. ``pubkey``: the only key with which it is accepted, PEM or base64 of DER."""

    identity_data: dict[str, Any] | None = None
    pubkey: str | None = None


class RegistrationStatus(StrEnum):
    """Whether an identity of a file was stored; ``exists``: it had been stored before."""

    EXISTS = "exists"
    INVALID = "invalid"
    STORED = "stored"


class Registration(msgspec.Struct, omit_defaults=True):
    """The result for one identity of a file."""

    line: int
    """The line of a CSV file in which it begins, or its place in a JSON list; from 1."""
    status: RegistrationStatus
    error: str = ""


class Registered(msgspec.Struct):
    """The results for all identities of a file, and how many there are of each."""

    stored: int
    exists: int
    invalid: int
    results: list[Registration]


class RegistrationsDeleted(msgspec.Struct):
    """How many preregistered identities are left for the next call."""

    left: int


class RegisteredDevice(msgspec.Struct):
    """The device that has a preregistered identity."""

    id: str
    status: str


class ExpectedShape(msgspec.Struct, omit_defaults=True):
    """A preregistered identity in answers."""

    id: str
    identity_data: msgspec.Raw
    created_ts: str
    pubkey: str = ""
    device: RegisteredDevice | None = None
