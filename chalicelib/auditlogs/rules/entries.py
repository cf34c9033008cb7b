"""Audit entries in their stored and hashed form, and filters of lists."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An entry and its position in the chain: everything that its hash covers.

    Stored and hashed in the order of the fields, without those that have their default. New fields are added at the
    end, with a default. Any other change would make existing chains invalid.
    """

    tenant: str
    shard: int
    number: int
    """The number in its chain: from 1, without gaps."""
    time: int
    """Milliseconds since 1970; never less than that of the previous entry."""
    expires: int
    """Seconds since 1970; never less than that of the previous entry, so a chain expires from its beginning."""
    before: str
    """The hash of the previous entry; empty for the first."""
    before_expires: int
    """When the previous entry expires; only after that may it be missing."""
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
    """The form of an entry that is stored and hashed."""
    return msgspec.json.encode(entry, order="deterministic")


def decoded(content: bytes) -> Entry:
    """Reverses :func:`encoded`.

    Raises:
        msgspec.MsgspecError: the stored content was altered and is not an entry.
    """
    return msgspec.json.decode(content, type=Entry)


def hash_of(content: bytes) -> str:
    """The hash of an entry's stored form: SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


class Wanted(msgspec.Struct, frozen=True):
    """The filter of a list: entries that match all given members.

    Times are in seconds since 1970 and inclusive; entries recorded within the second ``created_before`` are not
    included.
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
        """The first and the last millisecond."""
        after, before = self.created_after, self.created_before
        return None if after is None else after * 1000, None if before is None else before * 1000

    @property
    def nothing(self) -> bool:
        """Whether the end is before the beginning."""
        after, before = self.created_after, self.created_before
        return after is not None and before is not None and after > before

    @property
    def only_by_time(self) -> bool:
        """Whether the filter has no condition but the time."""
        return self == Wanted(created_after=self.created_after, created_before=self.created_before)

    def takes(self, entry: Entry) -> bool:
        """Whether an entry within the time matches."""
        asked = (
            (self.actor_id, entry.actor_id),
            (self.actor_type, entry.actor_type),
            (self.actor_email, entry.actor_email),
            (self.object_id, entry.object_id),
            (self.object_type, entry.object_type),
            (self.deployment_name, entry.about.get("name") if entry.object_type == "deployment" else None),
        )
        return all(wanted is None or wanted == found for wanted, found in asked)
