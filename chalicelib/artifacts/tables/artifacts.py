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
"""The end of a name in the index. It sorts before every printable character, so a name comes before longer ones."""
_PREFIX = 40
"""Characters of a prefix that are looked up in the index. Long names are shortened in keys, but not before this."""


class ArtifactItem(ArtifactsItem):
    """An artifact. Only ``description`` and ``modified`` ever change."""

    by_name = ListIndex["ArtifactItem"]()

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    name = UnicodeAttribute()
    description = UnicodeAttribute(default="")
    content = BlobAttribute()
    """The content of the file (``shapes.Content``)."""
    size = IntegerAttribute()
    key = UnicodeAttribute()
    """The verified object and its version."""
    version = UnicodeAttribute(null=True)
    modified = TimeAttribute()
    signature = BlobAttribute(null=True)
    """Who had signed it (``shapes.SignatureCheck``); absent if the tenant did not check signatures."""

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
    """Add an artifact, given without keys; fails with :data:`LABEL` if the id is taken."""
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
    """Artifacts by name, then id; read on demand, a megabyte per round trip.

    ``prefix`` limits what is read. The end of a long prefix is not compared, and then ``limit`` is not used.
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
    """The artifacts from one name to another, inclusive, by id; a megabyte per round trip."""
    rows = ArtifactItem.by_name.query(
        keys.partition(tenant, "ARTIFACTS"),
        # Ids are hexadecimal, so all sort before "~".
        ArtifactItem.list_sk.between(keys.sort(first + _END), keys.sort(last + _END, "~")),
    )
    return {item.artifact_id: item for item in rows}


def erase(tenant: TenantId) -> int:
    """Erase the artifacts of a removed tenant; returns the number of items."""
    return erasing.rows(ArtifactItem, erasing.listed(ArtifactItem.by_name, keys.partition(tenant, "ARTIFACTS")))
