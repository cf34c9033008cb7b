"""Auth sets: the keys that claim a device's identity, and their statuses (``docs/behaviour.md#auth-sets``).

The strongest set determines the status of a device: accepted > preauthorized > pending > rejected, or ``noauth``
without any set. At most one set is accepted. ``generation`` counts how often the accepted set was lost or revoked.
Tokens carry it, so older tokens stay invalid even if the same set is accepted again.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.errors import BadRequest
from chalicelib.tiers import Tier


class Status(StrEnum):
    """The status of a device. An auth set can have each of them except ``NOAUTH``."""

    ACCEPTED = "accepted"
    NOAUTH = "noauth"
    PENDING = "pending"
    PREAUTHORIZED = "preauthorized"
    REJECTED = "rejected"


SETTABLE = frozenset({Status.ACCEPTED, Status.PENDING, Status.REJECTED})
"""Statuses that an operator may set. A set is created as preauthorized, and only the device's own request ends that."""

_STRENGTH = (Status.ACCEPTED, Status.PREAUTHORIZED, Status.PENDING, Status.REJECTED)


class AuthSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key of a device, for one tier. ``pubkey`` is canonical PEM; ``ts`` is when the key first appeared."""

    id: str
    pubkey: str
    status: Status
    ts: datetime
    tier: Tier = Tier.STANDARD
    rule: str = ""
    """The name of the acceptance rule that accepted it, until a user decides about it."""


class Standing(msgspec.Struct, frozen=True):
    """The auth sets of a device, oldest first, and what follows from them."""

    status: Status
    sets: tuple[AuthSet, ...]
    generation: int

    @property
    def accepted(self) -> str | None:
        """Id of the accepted set."""
        return next((item.id for item in self.sets if item.status is Status.ACCEPTED), None)

    @property
    def was_accepted(self) -> bool:
        """Whether the device is accepted or has ever been: the generation counts how often that ended."""
        return self.accepted is not None or self.generation > 0

    @property
    def tier(self) -> Tier:
        """The tier that the device counts for: of the accepted set, or else of the newest one that decides."""
        return next((item.tier for item in reversed(self.sets) if item.status is self.status), Tier.STANDARD)

    def by_key(self, pubkey: str, tier: Tier) -> AuthSet | None:
        """The set with this key and tier."""
        return next((item for item in self.sets if item.pubkey == pubkey and item.tier is tier), None)

    def by_id(self, set_id: str) -> AuthSet | None:
        """The set with this id."""
        return next((item for item in self.sets if item.id == set_id), None)


def tier(text: str | None) -> Tier:
    """The tier that a request names; ``standard`` if it names none.

    Raises:
        BadRequest: there is no such tier.
    """
    if not text:
        return Tier.STANDARD
    if text not in set(Tier):
        raise BadRequest(f"tier must be one of: {', '.join(Tier)}")
    return Tier(text)


NOBODY = Standing(Status.NOAUTH, (), 0)
"""The auth sets of a device that does not exist yet: none."""


def strongest(sets: tuple[AuthSet, ...]) -> Status:
    """The status of a device with these sets."""
    present = {item.status for item in sets}
    return next((status for status in _STRENGTH if status in present), Status.NOAUTH)


def _with_sets(before: Standing, sets: tuple[AuthSet, ...], status: Status | None = None) -> Standing:
    after = Standing(status or strongest(sets), sets, before.generation)
    if before.accepted is not None and after.accepted != before.accepted:
        return replace(after, generation=before.generation + 1)
    return after


def _replace(sets: tuple[AuthSet, ...], set_id: str, status: Status, rule: str = "") -> tuple[AuthSet, ...]:
    return tuple(replace(item, status=status, rule=rule) if item.id == set_id else item for item in sets)


def settle(before: Standing) -> Standing:
    """The same sets, with the status that follows from them.

    A forced preauthorization keeps the status; the device's own next request updates it
    (``docs/behaviour.md#preauthorization``).
    """
    return _with_sets(before, before.sets)


def accept(before: Standing, set_id: str, rule: str = "") -> Standing:
    """Accept one set. Siblings that were accepted become rejected; all others stay as they are.

    ``rule``: the name of the acceptance rule that does it; empty: a user or the device does.
    """
    sets = tuple(
        replace(item, status=Status.REJECTED, rule="") if item.status is Status.ACCEPTED and item.id != set_id else item
        for item in before.sets
    )
    return _with_sets(before, _replace(sets, set_id, Status.ACCEPTED, rule))


def revoke(before: Standing) -> Standing:
    """The same sets, with all earlier tokens revoked."""
    return replace(before, generation=before.generation + 1)


def decide(before: Standing, set_id: str, wanted: Status) -> Standing:
    """Set the status of a set to ``wanted``; the same status again changes nothing.

    Raises:
        BadRequest: the set is preauthorized, which only the device's own request ends.
    """
    current = before.by_id(set_id)
    if current is None or current.status is Status.PREAUTHORIZED:
        raise BadRequest("dev auth: bad request")
    if current.status is wanted:
        return before
    if wanted is Status.ACCEPTED:
        return accept(before, set_id)
    return _with_sets(before, _replace(before.sets, set_id, wanted))


def remove(before: Standing, set_id: str) -> Standing | None:
    """The sets without that one; None if the device is deleted with it, because its last set was preauthorized."""
    kept = tuple(item for item in before.sets if item.id != set_id)
    gone = before.by_id(set_id)
    if not kept and gone is not None and gone.status is Status.PREAUTHORIZED:
        return None
    return _with_sets(before, kept)


def appear(before: Standing, new: AuthSet) -> Standing:
    """Add a pending set for a new key that claims the identity."""
    return _with_sets(before, (*_with_room(before.sets), new))


def preauthorise(before: Standing, new: AuthSet) -> Standing:
    """Preauthorize ``new``, or the set that has its key and tier already.

    A device that exists keeps its status until its next request, whatever its sets are
    (``docs/behaviour.md#preauthorization``).
    """
    status = before.status if before.sets else None
    known = before.by_key(new.pubkey, new.tier)
    if known is not None:
        return _with_sets(before, _replace(before.sets, known.id, Status.PREAUTHORIZED), status)
    return _with_sets(before, (*_with_room(before.sets), new), status)


def _with_room(sets: tuple[AuthSet, ...]) -> tuple[AuthSet, ...]:
    """``sets``, without one if there is no capacity for another.

    If there are too many, the oldest pending one is dropped, because its device adds it again with its next request. A
    forgotten rejection would bring a key back that an operator has already refused. Rejected sets are therefore dropped
    only if there is no pending one; accepted and preauthorized sets never are.
    """
    if len(sets) < limits.AUTH_SETS_PER_DEVICE:
        return sets
    for status in (Status.PENDING, Status.REJECTED):
        oldest = next((item for item in sets if item.status is status), None)
        if oldest is not None:
            return tuple(item for item in sets if item is not oldest)
    raise BadRequest(f"too many authentication sets (max: {limits.AUTH_SETS_PER_DEVICE})")
