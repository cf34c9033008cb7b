"""A device as the inventory sees it, and its attributes as they are searched and shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.inventory.rules.attributes import IDENTITY, SYSTEM, Scope, as_searched
from chalicelib.tiers import Tier


class Device(msgspec.Struct, frozen=True):
    """A device. ``attributes`` are by scope and name; the server's own values are members of their own.

    ``shown`` gives the attributes under the names that clients see (``identity/status``, ``system/group``, ...). No
    other place knows these names.
    """

    id: str
    attributes: dict[str, Scope]
    status: str
    created: datetime
    updated: datetime
    group: str | None = None
    check_in: datetime | None = None
    tags_etag: str | None = None
    version: int = 0
    stamp: str | None = None
    tier: str = Tier.STANDARD
    _own: dict[str, dict[str, Any]] = {}
    """Computed from the others."""

    def __post_init__(self) -> None:
        system = {
            "check_in_time": self.check_in,
            "created_ts": self.created,
            "group": self.group,
            "tier": self.tier,
            "updated_ts": self.updated,
        }
        own = {
            IDENTITY: {"status": self.status},
            SYSTEM: {name: value for name, value in system.items() if value is not None},
        }
        msgspec.structs.force_setattr(self, "_own", own)

    def scope(self, name: str) -> Scope:
        """The attributes that clients wrote into a scope."""
        return self.attributes.get(name, {})

    def value(self, scope: str, name: str) -> Any:
        """The value of an attribute as searches see it; None if the device does not have it. Times are ``datetime``."""
        if scope == IDENTITY and name == "id":
            return self.id
        own = self._own.get(scope, {}).get(name)
        if own is not None:
            return own
        stored = self.attributes.get(scope, {}).get(name)
        return as_searched(stored[0]) if stored else None

    def shown(self) -> Iterator[tuple[str, str, list[Any]]]:
        """Scope, name and stored form of every attribute, by scope, then name."""
        for scope in sorted(self.attributes.keys() | self._own.keys()):
            own = {name: [value] for name, value in self._own.get(scope, {}).items()}
            both = self.attributes.get(scope, {}) | own
            for name in sorted(both):
                yield scope, name, both[name]

    def some(self, places: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, list[Any]]]:
        """As :meth:`shown`, only those of these scopes and names that the device has."""
        for scope, name in sorted(places):
            own = self._own.get(scope, {}).get(name)
            stored = [own] if own is not None else self.attributes.get(scope, {}).get(name)
            if stored is not None:
                yield scope, name, stored

    def searched(self) -> Iterator[tuple[str, str, Any]]:
        """Scope, name and value of every attribute as searches see it, without the device's id."""
        for scope, name, _ in self.shown():
            if (scope, name) != (IDENTITY, "id"):
                yield scope, name, self.value(scope, name)
