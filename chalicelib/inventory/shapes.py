"""The wire format of the inventory (``docs/behaviour.md#inventory``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest.
"""

from __future__ import annotations

from typing import Any

import msgspec


class AttributeInput(msgspec.Struct, forbid_unknown_fields=True):
    """An attribute in requests. The server sets scope and timestamp, whatever was sent."""

    name: str | None = None
    value: Any = None
    description: str | None = None


class AttributeShape(msgspec.Struct, omit_defaults=True):
    """An attribute in answers."""

    name: str
    value: Any
    scope: str
    description: str | None = None
    timestamp: str | None = None


class DeviceShape(msgspec.Struct):
    """A device in answers."""

    id: str
    attributes: list[AttributeShape]
    updated_ts: str


class Group(msgspec.Struct, forbid_unknown_fields=True):
    """The group of a device; null when it has none."""

    group: str | None = None


class Term(msgspec.Struct, forbid_unknown_fields=True):
    """A condition of a search or of a saved filter."""

    scope: str = ""
    attribute: str = ""
    type: str = ""
    value: Any = None


class Sort(msgspec.Struct, forbid_unknown_fields=True):
    """An attribute to sort by, ``order`` ``asc`` or ``desc``."""

    scope: str = ""
    attribute: str = ""
    order: str = ""


class Selected(msgspec.Struct, forbid_unknown_fields=True):
    """An attribute to show."""

    scope: str = ""
    attribute: str = ""


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """A search. Go clients send null for an empty list."""

    page: int = 1
    per_page: int = 20
    filters: list[Term] | None = None
    sort: list[Sort] | None = None
    attributes: list[Selected] | None = None
    device_ids: list[str] | None = None
    text: str = ""


class IdentitySearch(msgspec.Struct, forbid_unknown_fields=True):
    """A search for devices whose identity, or tag, begins with a text."""

    scope: str = ""
    name: str = ""
    value_prefix: str | None = None
    attributes: list[Selected] | None = None
    page: int = 1
    per_page: int = 20


class FilterDefinition(msgspec.Struct, forbid_unknown_fields=True):
    """The definition of a filter. Go clients send null for an empty list."""

    name: str = ""
    terms: list[Term] | None = None


class SavedFilter(msgspec.Struct):
    """A saved filter: all of ``terms`` must hold."""

    id: str
    name: str
    terms: list[Term]


class AttributeCount(msgspec.Struct):
    """How many devices have an attribute."""

    name: str
    scope: str
    count: int


class Statistics(msgspec.Struct):
    """Devices by status, then by tier."""

    devices_by_status: dict[str, dict[str, int]]


class Moved(msgspec.Struct, omit_defaults=True):
    """The result of changing the group of many devices; zeros are left out."""

    matched_count: int = 0
    updated_count: int = 0
