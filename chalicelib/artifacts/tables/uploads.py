"""Uploads: objects that belong to no artifact, with the time when the schedule has to handle each.

An item is written before its object, so that the schedule can clean up after a crash at any moment.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from pynamodb.attributes import JSONAttribute, UnicodeAttribute

from chalicelib.artifacts.rules import Division
from chalicelib.artifacts.tables import ArtifactsItem
from chalicelib.storage import due, erasing, keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.storage.due import DueIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

LABEL = "upload"
"""Label of writes of the upload item."""
_SORT = "UPLOAD"


class Status(StrEnum):
    """The state of an upload."""

    DONE = "done"
    """It is an artifact, but a link that can overwrite its object is still valid."""
    FAILED = "failed"
    """It cannot become an artifact; ``reason`` says why."""
    GARBAGE = "garbage"
    """Its artifact was deleted."""
    PENDING = "pending"
    """The file is being uploaded."""
    VERIFYING = "verifying"
    """The client says that the file is complete."""


WAITING = (Status.PENDING, Status.VERIFYING)


class UploadItem(ArtifactsItem):
    """An upload. Each change of ``status`` has the previous one as its condition."""

    due = DueIndex()

    due_pk = UnicodeAttribute()
    due_sk = UnicodeAttribute()
    status = UnicodeAttribute()
    key = UnicodeAttribute()
    """The object."""
    version = UnicodeAttribute(null=True)
    """The version of the object that became the artifact."""
    link_until = TimeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    """The description of the future artifact."""
    parts_id = UnicodeAttribute(null=True)
    """S3's id of an upload in parts. Only these have this and the next two attributes."""
    size = IntegerAttribute(null=True)
    """Size of the whole file in bytes."""
    part_size = IntegerAttribute(null=True)
    """Size of each part in bytes, except for the last one."""
    reason = UnicodeAttribute(null=True)
    refusal = JSONAttribute(null=True)
    """The status of the answer for that reason, and further members of its body."""

    @property
    def upload_id(self) -> str:
        """The id, which is also the artifact's."""
        return keys.last_part(self.pk)

    @property
    def link_ends(self) -> datetime | None:
        """When the links that can write the object expire; None if there are none."""
        return cast("datetime | None", self.link_until)

    @property
    def division(self) -> Division:
        """The parts of an upload in parts."""
        return Division(self.size, self.part_size)


def _ref(tenant: TenantId, upload_id: str) -> UploadItem:
    return UploadItem(keys.partition(tenant, "U", upload_id), _SORT)


def _new(tenant: TenantId, upload_id: str, status: Status, key: str, when: datetime) -> UploadItem:
    item = _ref(tenant, upload_id)
    item.status, item.key = status, key
    item.due_pk, item.due_sk = due.key(upload_id, when)
    return item


def find(tenant: TenantId, upload_id: str) -> UploadItem | None:
    """The upload as it is now."""
    return _ref(tenant, upload_id).fetch()


def find_many(tenant: TenantId, upload_ids: Iterable[str]) -> list[UploadItem]:
    """Those of the uploads that exist, as they are now; 100 per round trip."""
    wanted = [(ref.pk, ref.sk) for ref in (_ref(tenant, upload_id) for upload_id in upload_ids)]
    return list(UploadItem.batch_get(wanted, consistent_read=True))


def start(
    tenant: TenantId,
    upload_id: str,
    key: str,
    when: datetime,
    link_ends: datetime | None = None,
    description: str = "",
    parts: tuple[str, Division] | None = None,
) -> bool:
    """Announce an object; False if the upload exists. ``parts``: S3's id and the division of an upload in parts."""
    item = _new(tenant, upload_id, Status.PENDING, key, when)
    item.description = description or None
    if parts is not None:
        item.parts_id, division = parts
        item.size, item.part_size = division.size, division.part_size
    if link_ends is not None:
        item.link_until = link_ends
    return item.save_if(UploadItem.pk.does_not_exist())


def _waiting() -> Condition:
    return UploadItem.status.is_in(*WAITING)


def verifying(item: UploadItem, when: datetime) -> bool:
    """Record that the client says that the file is complete; False if the state is a later one."""
    actions = [UploadItem.status.set(Status.VERIFYING), *due.at(item.upload_id, when)]
    return _updated(item, actions, _waiting())


def failed(item: UploadItem, reason: str, when: datetime, refusal: dict[str, Any] | None = None) -> bool:
    """Record why it cannot become an artifact; False if it was already decided."""
    actions = [
        UploadItem.status.set(Status.FAILED),
        UploadItem.reason.set(reason),
        *([] if refusal is None else [UploadItem.refusal.set(refusal)]),
        *due.at(item.upload_id, when),
    ]
    return _updated(item, actions, _waiting())


def _updated(item: UploadItem, actions: Sequence[Action], condition: Condition) -> bool:
    return UploadItem(item.pk, item.sk).update_if(actions, condition)  # ``item`` is not changed


def finish(
    tx: Transaction, tenant: TenantId, upload_id: str, version: str | None, link_ends: datetime | None, when: datetime
) -> None:
    """Part of the artifact's creation; fails with :data:`LABEL` if the upload was given up meanwhile.

    The item is deleted, unless a link that can overwrite the object is still valid.
    """
    ref = _ref(tenant, upload_id)
    if link_ends is None:
        tx.delete(ref, _waiting(), label=LABEL)
        return
    actions = [UploadItem.status.set(Status.DONE), *due.at(upload_id, when)]
    if version is not None:
        actions.append(UploadItem.version.set(version))
    tx.update(ref, actions, _waiting(), label=LABEL)


def abandon(tx: Transaction, tenant: TenantId, upload_id: str, key: str, when: datetime) -> UploadItem:
    """Part of an artifact's deletion: its object has to be deleted."""
    item = _new(tenant, upload_id, Status.GARBAGE, key, when)
    tx.put(item, label=LABEL)
    return item


def forget(item: UploadItem) -> None:
    """Delete the upload, unless its status has changed since ``item`` was read."""
    item.delete_if(UploadItem.status == item.status)


def claim(item: UploadItem) -> bool:
    """Claim an overdue upload, so that it cannot become an artifact any more; False if its state has changed."""
    if item.status not in WAITING:
        return True
    condition = (UploadItem.status == item.status) & (UploadItem.due_sk == item.due_sk)
    item.status = Status.FAILED
    return _updated(item, [UploadItem.status.set(Status.FAILED), UploadItem.reason.set("expired")], condition)


def due_uploads(now: datetime, *, limit: int) -> Iterator[UploadItem]:
    """Uploads that are due, at most ``limit`` of each part of the index."""
    wanted = due.found(UploadItem.due, now, limit=limit)
    # Read again: the index may lag behind the item.
    found = UploadItem.batch_get(wanted, consistent_read=True)
    return (item for item in found if item.due_sk <= keys.time(now))


def erase(tenant: TenantId) -> int:
    """Erase the uploads of a removed tenant; returns the number of items.

    They are found among the uploads of all tenants that the schedule has to handle, which are those of the last days.
    """
    own = keys.partition(tenant, "U", "")
    return erasing.rows(UploadItem, (key for key in due.everything(UploadItem.due) if key[0].startswith(own)))
