"""Artifacts: one item each, listed by name."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL = "artifact"
"""Label of writes of the artifact item."""
_SORT = "ARTIFACT"
_END = "\x01"
"""Ends a name in the index: below every printable character, so that a name comes before its extensions."""
_PREFIX = 40
"""Characters of a prefix that the index is asked for: long names are cut in keys, but not so early."""


class ArtifactItem(ArtifactsItem):
    """An artifact. Only ``description`` and ``modified`` ever change."""

    by_name = ListIndex["ArtifactItem"]()

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute(default="")
    content = BlobAttribute()
    """What the file says of itself (``shapes.Content``)."""
    size = IntegerAttribute()
    key = UnicodeAttribute()
    """The object that was verified, and its version."""
    version = UnicodeAttribute(null=True)
    modified = TimeAttribute()

    @property
    def artifact_id(self) -> str:
        """The artifact's id."""
        return keys.last_part(self.pk)


def _ref(tenant: TenantId, artifact_id: str) -> ArtifactItem:
    return ArtifactItem(keys.partition(tenant, "A", artifact_id), _SORT)


def fits(document: Any) -> bool:
    """Whether a document is small enough for one item."""
    plain = msgspec.json.encode(document)
    return len(plain) <= limits.ARTIFACT_RECORD or len(zlib.compress(plain, 6)) <= limits.ARTIFACT_RECORD


def put_new(tx: Transaction, tenant: TenantId, artifact_id: str, item: ArtifactItem) -> None:
    """Add an artifact, all but its keys given; fails with :data:`LABEL` if the id is taken."""
    ref = _ref(tenant, artifact_id)
    item.pk, item.sk = ref.pk, ref.sk
    item.list_pk = keys.partition(tenant, "ARTIFACTS")
    item.list_sk = keys.sort(item.name + _END, artifact_id)
    tx.put(item, ArtifactItem.pk.does_not_exist(), label=LABEL)


def describe(tx: Transaction, tenant: TenantId, artifact_id: str, description: str, now: datetime) -> None:
    """Change the description; fails with :data:`LABEL` if there is no such artifact."""
    actions = [ArtifactItem.description.set(description), ArtifactItem.modified.set(now)]
    tx.update(_ref(tenant, artifact_id), actions, ArtifactItem.pk.exists(), label=LABEL)


def remove(tx: Transaction, tenant: TenantId, artifact_id: str) -> None:
    """Delete an artifact; fails with :data:`LABEL` if there is none."""
    tx.delete(_ref(tenant, artifact_id), ArtifactItem.pk.exists(), label=LABEL)


def find(tenant: TenantId, artifact_id: str) -> ArtifactItem | None:
    """The artifact as it is now."""
    return _ref(tenant, artifact_id).fetch()


def find_many(tenant: TenantId, artifact_ids: Iterable[str]) -> dict[str, ArtifactItem]:
    """The artifacts that exist, by id, as they are now; 100 per round trip."""
    wanted = [(ref.pk, ref.sk) for ref in (_ref(tenant, artifact_id) for artifact_id in dict.fromkeys(artifact_ids))]
    return {item.artifact_id: item for item in ArtifactItem.batch_get(wanted, consistent_read=True)}


def by_name(
    tenant: TenantId, *, prefix: str = "", descending: bool = False, limit: int | None = None
) -> Iterator[ArtifactItem]:
    """Artifacts by name, then id; read as they are taken, a megabyte a round trip.

    ``prefix`` narrows what is read; a long one is not held to its end, and makes ``limit`` void.
    """
    begin = keys.sort(prefix[:_PREFIX])
    return iter(
        ArtifactItem.by_name.query(
            keys.partition(tenant, "ARTIFACTS"),
            ArtifactItem.list_sk.startswith(begin) if begin else None,
            scan_index_forward=not descending,
            limit=limit if len(prefix) <= _PREFIX else None,
        )
    )


def between(tenant: TenantId, first: str, last: str) -> dict[str, ArtifactItem]:
    """The artifacts from one name to another, both included, by id; a megabyte a round trip."""
    rows = ArtifactItem.by_name.query(
        keys.partition(tenant, "ARTIFACTS"),
        # Ids are hexadecimal: all are below "~".
        ArtifactItem.list_sk.between(keys.sort(first + _END), keys.sort(last + _END, "~")),
    )
    return {item.artifact_id: item for item in rows}


def erase(tenant: TenantId) -> int:
    """Erase the artifacts of a removed tenant; returns the number of items."""
    return erasing.rows(ArtifactItem, erasing.listed(ArtifactItem.by_name, keys.partition(tenant, "ARTIFACTS")))
