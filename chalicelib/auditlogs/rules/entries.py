"""An audit entry as it is stored and hashed, and which entries a list takes."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What happened, and where in its chain it stands: all that its hash covers.

    Stored and hashed in the order in which the fields stand here, those at their default left out. New fields go to
    the end and have a default; nothing else may change, or old chains no longer verify.
    """

    tenant: str
    shard: int
    number: int
    """From 1, without gaps, in its chain."""
    time: int
    """Milliseconds since 1970; never less than that of the entry before."""
    expires: int
    """Seconds since 1970; never less than that of the entry before, so a chain expires from its beginning on."""
    before: str
    """The hash of the entry before; empty for the first."""
    before_expires: int
    """When the entry before expires, which is what excuses its absence."""
    action: str
    actor_type: str
    actor_id: str
    actor_email: str = ""
    source_ip: str = ""
    object_type: str
    object_id: str
    about: dict[str, Any] = {}
    change: str = ""
    meta: dict[str, list[str]] = {}


def encoded(entry: Entry) -> bytes:
    """The one form of an entry that is stored and hashed."""
    return msgspec.json.encode(entry, order="deterministic")


def decoded(content: bytes) -> Entry:
    """Back from :func:`encoded`.

    Raises:
        msgspec.MsgspecError: somebody changed it into what is no entry.
    """
    return msgspec.json.decode(content, type=Entry)


def hash_of(content: bytes) -> str:
    """The hash of an entry's stored form: SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


class Wanted(msgspec.Struct, frozen=True):
    """Which entries a list takes: those that match all that is given.

    Times are in seconds since 1970, and inclusive: what was recorded within the second ``created_before`` is not taken.
    """

    actor_id: str | None = None
    actor_type: str | None = None
    actor_email: str | None = None
    object_id: str | None = None
    object_type: str | None = None
    deployment_name: str | None = None
    created_after: int | None = None
    created_before: int | None = None

    @property
    def times(self) -> tuple[int | None, int | None]:
        """First and last millisecond that are taken."""
        after, before = self.created_after, self.created_before
        return None if after is None else after * 1000, None if before is None else before * 1000

    @property
    def nothing(self) -> bool:
        """Whether the end lies before the beginning."""
        after, before = self.created_after, self.created_before
        return after is not None and before is not None and after > before

    @property
    def only_by_time(self) -> bool:
        """Whether nothing but the time decides."""
        return self == Wanted(created_after=self.created_after, created_before=self.created_before)

    def takes(self, entry: Entry) -> bool:
        """Whether an entry of the wanted time is in the list."""
        asked = (
            (self.actor_id, entry.actor_id),
            (self.actor_type, entry.actor_type),
            (self.actor_email, entry.actor_email),
            (self.object_id, entry.object_id),
            (self.object_type, entry.object_type),
            (self.deployment_name, entry.about.get("name") if entry.object_type == "deployment" else None),
        )
        return all(wanted is None or wanted == found for wanted, found in asked)
