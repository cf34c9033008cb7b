"""Releases: what deployments and lists need of all artifacts of one name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.artifacts.rules import Candidate
from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL = "release"
"""Label of writes of the release item."""
_SORT = "RELEASE"


class ReleaseItem(ArtifactsItem):
    """A release; exists while it has an artifact."""

    by_name = ListIndex["ReleaseItem"]()

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    name = UnicodeAttribute()
    artifacts = BlobAttribute()
    """By id, oldest first: the members of a :class:`Candidate` besides id and name."""
    tags = BlobAttribute(default=list)
    notes = UnicodeAttribute(default="")
    modified = TimeAttribute()
    version = IntegerAttribute(default=1)
    """Counts changes of ``artifacts`` and ``tags``; each change has the number as its condition."""
    open_deployments = IntegerAttribute(default=0)
    """The number of unfinished deployments of this release. While there are any, no artifact can be deleted."""
    used = BooleanAttribute(null=True)
    """Whether a deployment has ever used it."""
    release_count = IntegerAttribute(null=True)
    """The number of releases; only in the totals, which are in the same index (``tables.usage``)."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The artifacts."""
        return tuple(_candidate(self.name, artifact, stored) for artifact, stored in self.artifacts.items())

    def has_any(self, tags: Collection[str] | None) -> bool:
        """Whether it has one of these tags; None: always true."""
        return tags is None or not set(tags).isdisjoint(self.tags)


def _candidate(name: str, artifact: str, stored: dict[str, Any]) -> Candidate:
    return msgspec.convert({"id": artifact, "name": name, **stored}, Candidate)


def packed(candidates: Iterable[Candidate]) -> dict[str, Any]:
    """Candidates in the form of the item."""
    stored = {}
    for candidate in candidates:
        document = msgspec.to_builtins(candidate)
        del document["id"], document["name"]
        stored[candidate.id] = document
    return stored


def _ref(tenant: TenantId, name: str) -> ReleaseItem:
    return ReleaseItem(keys.partition(tenant, "R", name), _SORT)


def find(tenant: TenantId, name: str) -> ReleaseItem | None:
    """The release as it is now."""
    return _ref(tenant, name).fetch()


def find_many(tenant: TenantId, names: Iterable[str]) -> list[ReleaseItem]:
    """The releases that exist, sorted by name, as they are now; 100 per round trip."""
    wanted = [(ref.pk, ref.sk) for ref in (_ref(tenant, name) for name in dict.fromkeys(names))]
    return sorted(ReleaseItem.batch_get(wanted, consistent_read=True), key=lambda item: item.name)


def by_name(tenant: TenantId) -> Iterator[ReleaseItem]:
    """Releases by name; read on demand, a megabyte per round trip."""
    rows = ReleaseItem.by_name.query(keys.partition(tenant, "RELEASES"))
    return (row for row in rows if row.sk == _SORT)


def tagged_names(tenant: TenantId, tags: Collection[str]) -> frozenset[str]:
    """The names of the releases that have one of ``tags``; all releases are read."""
    return frozenset(item.name for item in by_name(tenant) if item.has_any(tags))


def page(tenant: TenantId, *, start: int, stop: int, descending: bool) -> tuple[list[ReleaseItem], int | None]:
    """Rows ``start`` to ``stop`` of the releases by name, and how many there are in all.

    It takes one round trip, because the totals are before the first release in the index. None: they were not read.
    """
    rows = list(
        ReleaseItem.by_name.query(keys.partition(tenant, "RELEASES"), scan_index_forward=not descending, limit=stop + 1)
    )
    total = next((row.release_count for row in rows if row.sk != _SORT), None)
    return [row for row in rows if row.sk == _SORT][start:stop], total


def put_new(tx: Transaction, tenant: TenantId, name: str, artifacts: Mapping[str, Any], now: datetime) -> None:
    """Add a release; fails with :data:`LABEL` if there is one with this name already."""
    item = _ref(tenant, name)
    item.list_pk, item.list_sk = keys.partition(tenant, "RELEASES"), keys.sort(name)
    item.name, item.artifacts, item.modified = name, dict(artifacts), now
    tx.put(item, ReleaseItem.pk.does_not_exist(), label=LABEL)


def change(
    tx: Transaction,
    item: ReleaseItem,
    now: datetime,
    *,
    artifacts: Mapping[str, Any] | None = None,
    tags: list[str] | None = None,
    idle: bool = False,
) -> None:
    """Replace artifacts or tags of the release that was read as ``item``.

    Fails with :data:`LABEL` if either changed meanwhile, or, with ``idle``, if an unfinished deployment uses it.
    """
    condition = ReleaseItem.version == item.version
    if idle:
        condition &= ReleaseItem.open_deployments == 0
    actions = [ReleaseItem.version.set(item.version + 1), ReleaseItem.modified.set(now)]
    if artifacts is not None:
        actions.append(ReleaseItem.artifacts.set(dict(artifacts)))
    if tags is not None:
        actions.append(ReleaseItem.tags.set(tags))
    tx.update(ReleaseItem(item.pk, item.sk), actions, condition, label=LABEL)


def remove(tx: Transaction, item: ReleaseItem) -> None:
    """Delete the release that was read as ``item``; fails as :func:`change` with ``idle``."""
    condition = (ReleaseItem.version == item.version) & (ReleaseItem.open_deployments == 0)
    tx.delete(ReleaseItem(item.pk, item.sk), condition, label=LABEL)


def touch_unused(tx: Transaction, tenant: TenantId, name: str, now: datetime) -> None:
    """Record a change of one of its artifacts; fails with :data:`LABEL` if a deployment has used the release."""
    condition = ReleaseItem.pk.exists() & ReleaseItem.used.does_not_exist()
    tx.update(_ref(tenant, name), [ReleaseItem.modified.set(now)], condition, label=LABEL)


def set_notes(tx: Transaction, tenant: TenantId, name: str, notes: str, now: datetime) -> None:
    """Change the notes; fails with :data:`LABEL` if there is no such release, or if these are its notes."""
    actions = [ReleaseItem.notes.set(notes), ReleaseItem.modified.set(now)]
    condition = ReleaseItem.pk.exists() & (ReleaseItem.notes != notes)
    tx.update(_ref(tenant, name), actions, condition, label=LABEL)


def hold(tx: Transaction, tenant: TenantId, name: str) -> None:
    """Count one more unfinished deployment; fails with :data:`LABEL` if there is no such release."""
    actions = [ReleaseItem.open_deployments.add(1), ReleaseItem.used.set(True)]
    tx.update(_ref(tenant, name), actions, ReleaseItem.pk.exists(), label=LABEL)


def let_go(tx: Transaction, tenant: TenantId, name: str) -> None:
    """Count one unfinished deployment less. The release exists, because it cannot be deleted before."""
    tx.update(_ref(tenant, name), [ReleaseItem.open_deployments.add(-1)], ReleaseItem.pk.exists(), label=LABEL)


def erase(tenant: TenantId) -> int:
    """Erase the releases of a removed tenant; returns the number of items."""
    return erasing.rows(ReleaseItem, erasing.listed(ReleaseItem.by_name, keys.partition(tenant, "RELEASES")))
