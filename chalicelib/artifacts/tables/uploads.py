"""Uploads: objects that no artifact answers for, with the time when something has to be done about each.

An item is there before its object is, so that a crash at any moment leaves something to tidy up by.
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
    """What became of an upload so far."""

    DONE = "done"
    """It is an artifact; a link by which its object can be overwritten is still alive."""
    FAILED = "failed"
    """It can't become an artifact; ``reason`` says why."""
    GARBAGE = "garbage"
    """Its artifact was deleted."""
    PENDING = "pending"
    """Bytes are on their way."""
    VERIFYING = "verifying"
    """All bytes are said to be there."""


WAITING = (Status.PENDING, Status.VERIFYING)


class UploadItem(ArtifactsItem):
    """An upload. Every change of ``status`` depends on the one before it."""

    due = DueIndex()

    due_pk = UnicodeAttribute()
    due_sk = UnicodeAttribute()
    status = UnicodeAttribute()
    key = UnicodeAttribute()
    """The object."""
    version = UnicodeAttribute(null=True)
    """Its version that became the artifact."""
    link_until = TimeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    """What the artifact's will be."""
    parts_id = UnicodeAttribute(null=True)
    """S3's id of an upload in parts. These three are there together."""
    size = IntegerAttribute(null=True)
    """Bytes of the whole file."""
    part_size = IntegerAttribute(null=True)
    """Bytes of each part except for the last one."""
    reason = UnicodeAttribute(null=True)
    refusal = JSONAttribute(null=True)
    """How a request is refused for that reason: its status, and what else the answer says."""

    @property
    def upload_id(self) -> str:
        """The id, which is also the artifact's."""
        return keys.last_part(self.pk)

    @property
    def link_ends(self) -> datetime | None:
        """Until when the object can be written by links; None if there are none."""
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
    """Announce an object; False if there is an upload of this id. ``parts``: S3's id of one in parts, and the parts."""
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
    """Note that the bytes are said to be there; False if the upload is past that."""
    actions = [UploadItem.status.set(Status.VERIFYING), *due.at(item.upload_id, when)]
    return _updated(item, actions, _waiting())


def failed(item: UploadItem, reason: str, when: datetime, refusal: dict[str, Any] | None = None) -> bool:
    """Note why it can't become an artifact; False if that was decided already, one way or the other."""
    actions = [
        UploadItem.status.set(Status.FAILED),
        UploadItem.reason.set(reason),
        *([] if refusal is None else [UploadItem.refusal.set(refusal)]),
        *due.at(item.upload_id, when),
    ]
    return _updated(item, actions, _waiting())


def _updated(item: UploadItem, actions: Sequence[Action], condition: Condition) -> bool:
    return UploadItem(item.pk, item.sk).update_if(actions, condition)  # ``item`` stays as it was read


def finish(
    tx: Transaction, tenant: TenantId, upload_id: str, version: str | None, link_ends: datetime | None, when: datetime
) -> None:
    """Part of the artifact's creation; fails with :data:`LABEL` if the upload was given up meanwhile.

    Nothing is left of it, unless a link by which the object can be overwritten is still alive.
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
    """Part of an artifact's deletion: its object has to go."""
    item = _new(tenant, upload_id, Status.GARBAGE, key, when)
    tx.put(item, label=LABEL)
    return item


def forget(item: UploadItem) -> None:
    """Drop the upload, unless its status has changed since ``item`` was read."""
    item.delete_if(UploadItem.status == item.status)


def claim(item: UploadItem) -> bool:
    """Give an overdue upload up, so that it can't become an artifact any more; False if it moved on."""
    if item.status not in WAITING:
        return True
    condition = (UploadItem.status == item.status) & (UploadItem.due_sk == item.due_sk)
    item.status = Status.FAILED
    return _updated(item, [UploadItem.status.set(Status.FAILED), UploadItem.reason.set("expired")], condition)


def due_uploads(now: datetime, *, limit: int) -> Iterator[UploadItem]:
    """Uploads whose time has come, at most ``limit`` of each part of the index."""
    wanted = due.found(UploadItem.due, now, limit=limit)
    # Read again: the index may lag behind the item.
    found = UploadItem.batch_get(wanted, consistent_read=True)
    return (item for item in found if item.due_sk <= keys.time(now))


def erase(tenant: TenantId) -> int:
    """Erase the uploads of a removed tenant; returns the number of items.

    They are found among the uploads of all tenants that something has to be done about: those of the last days.
    """
    own = keys.partition(tenant, "U", "")
    return erasing.rows(UploadItem, (key for key in due.everything(UploadItem.due) if key[0].startswith(own)))
