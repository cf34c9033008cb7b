"""Devices with their auth sets, and the flags of devices."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.devauth.rules.device import Device, Known
from chalicelib.devauth.rules.sets import AuthSet, Standing, Status
from chalicelib.devauth.tables import DECOMMISSIONED, EXPECTED, DevauthItem
from chalicelib.fleet import counts, lists
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex
from chalicelib.storage.records import Range, Reader
from chalicelib.storage.settled import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pynamodb.expressions.update import Action

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_DEVICE, _SET = "DEVICE", "SET"
_SHARDS = 8
_ERASED_AT_ONCE = 100


class DeviceItem(DevauthItem):
    """A device as it is stored."""

    device_id = UnicodeAttribute()
    identity = UnicodeAttribute()
    """Identity data in its normal form."""
    status = UnicodeAttribute()
    sets = BlobAttribute(default=list)
    generation = IntegerAttribute(default=0)
    created = TimeAttribute()
    updated = TimeAttribute()
    check_in = TimeAttribute(null=True)
    seen = TimeAttribute(null=True)
    """When it was last recorded that the pending device asked again."""
    decommissioning = BooleanAttribute(null=True)
    test_device = BooleanAttribute(null=True)
    version = IntegerAttribute(default=1)
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    by_status = ListIndex["DeviceItem"]()


class DeviceRecord(msgspec.Struct, frozen=True):
    """A :class:`DeviceItem` as lists read it."""

    pk: str
    sk: str
    device_id: str = ""
    identity: str = ""
    status: str = ""
    sets: Any = ()
    generation: int = 0
    created: datetime | None = None
    updated: datetime | None = None
    check_in: datetime | None = None
    seen: datetime | None = None
    decommissioning: bool = False
    test_device: bool = False
    version: int = 1
    list_pk: str = ""
    list_sk: str = ""


class IdentityRecord(DeviceRecord, frozen=True):
    """A device, or another item about its identity (``tables.identities``)."""

    pubkey: str = ""


_reader = Reader(DeviceRecord)
_identity_reader = Reader(IdentityRecord)


class SetItem(DevauthItem):
    """Links an auth set to its device."""

    identity_hash = UnicodeAttribute()


class FlagsItem(DevauthItem):
    """Counts test devices, or changes of flags on a day."""

    n = IntegerAttribute(default=0)
    expires_at = IntegerAttribute(null=True)


def _device(item: DeviceItem | DeviceRecord) -> Device:
    sets = msgspec.convert(item.sets, tuple[AuthSet, ...])
    created, updated = item.created, item.updated
    if created is None or updated is None:
        raise ValueError("a device without its times was stored")
    return Device(
        id=item.device_id,
        identity_hash=keys.last_part(item.pk),
        identity=item.identity,
        standing=Standing(Status(item.status), sets, item.generation),
        created=created,
        updated=updated,
        check_in=item.check_in,
        seen=item.seen,
        decommissioning=bool(item.decommissioning),
        test_device=bool(item.test_device),
        version=item.version,
    )


def _device_ref(tenant: TenantId, identity_hash: str) -> DeviceItem:
    return DeviceItem(keys.partition(tenant, "I", identity_hash), _DEVICE)


def _set_ref(tenant: TenantId, set_id: str) -> SetItem:
    return SetItem(keys.partition(tenant, "A", set_id), _SET)


def find(tenant: TenantId, identity_hash: str) -> Device | None:
    """The device with this identity (strongly consistent)."""
    item = _device_ref(tenant, identity_hash).fetch()
    return _device(item) if item is not None else None


def look_up(tenant: TenantId, identity_hash: str) -> tuple[Device | None, Known]:
    """The device with this identity, as :func:`find` and at its cost, and what acceptance rules know of it."""
    rows = _identity_reader.query(keys.table("devauth"), keys.partition(tenant, "I", identity_hash))
    by_kind = {row.sk: row for row in rows}
    device, expected = by_kind.get(_DEVICE), by_kind.get(EXPECTED)
    known = Known(expected.pubkey if expected is not None else None, DECOMMISSIONED in by_kind)
    return _device(device) if device is not None else None, known


def find_many(tenant: TenantId, identity_hashes: Iterable[str]) -> list[Device]:
    """The devices that exist, in no order; 100 per round trip."""
    wanted = [(keys.partition(tenant, "I", value), _DEVICE) for value in dict.fromkeys(identity_hashes)]
    return [_device(item) for item in DeviceItem.batch_get(wanted, consistent_read=True)]


def identity_of_set(tenant: TenantId, set_id: str) -> str | None:
    """The identity hash of the device that has this auth set."""
    item = _set_ref(tenant, set_id).fetch()
    return item.identity_hash if item is not None else None


def listed(tenant: TenantId, statuses: Iterable[str], start: int, stop: int) -> list[Device]:
    """Rows ``start`` to ``stop`` of the tenant's devices by status, then id; of these statuses, or of all.

    Rows before ``start`` are read and skipped, because DynamoDB has no offset. Several statuses take several queries,
    which are repeated if a device changes its status meanwhile.
    """
    wanted = sorted(set(statuses))

    def read() -> list[Device]:
        found = {item.device_id: item for item in islice(_walk(tenant, wanted, stop), stop)}
        return [_device(item) for item in islice(found.values(), start, stop)]

    if len(wanted) <= 1:
        return read()
    return settled(read, lambda devices: [(device.id, device.standing.status) for device in devices])


def some_of_status(tenant: TenantId, status: str, begin: str, most: int) -> list[Device]:
    """Up to ``most`` devices of a status from after id ``begin``, then from the first id: 1 or 2 queries."""
    prefix = f"{status}#"

    def page(within: Any) -> Iterator[DeviceItem]:
        return lists.page(tenant, lambda partition: DeviceItem.by_status.query(partition, within, limit=most))

    found = list(islice(page(DeviceItem.list_sk.between(keys.sort(status, begin), f"{prefix}\uffff")), most))
    if len(found) < most:
        found += islice(page(DeviceItem.list_sk.between(prefix, keys.sort(status, begin))), most - len(found))
    return [_device(item) for item in found]


def _walk(tenant: TenantId, statuses: Collection[str], stop: int) -> Iterator[DeviceRecord]:
    if not statuses and lists.is_divided(tenant):
        statuses = sorted(Status)
    ranges: list[Range | None] = [Range("begins", f"{status}#") for status in statuses]
    for within in ranges or [None]:
        read = partial(_reader.query, keys.table("devauth"), within=within, index="list", limit=stop)
        yield from lists.page(tenant, read)


def put(tx: Transaction, tenant: TenantId, device: Device) -> None:
    """Write the whole device; fails with label ``device`` if it has changed since ``device.version``."""
    item = _device_ref(tenant, device.identity_hash)
    item.device_id = device.id
    item.identity = device.identity
    item.status = device.standing.status
    item.sets = device.standing.sets
    item.generation = device.standing.generation
    item.created, item.updated, item.check_in = device.created, device.updated, device.check_in
    item.seen = device.seen
    item.decommissioning = device.decommissioning or None
    item.test_device = device.test_device or None
    item.version = device.version + 1
    item.list_pk = lists.partition(tenant, device.id)
    item.list_sk = keys.sort(device.standing.status, device.id)
    tx.put(item, _unchanged(device), label="device")


def delete(tx: Transaction, tenant: TenantId, device: Device) -> None:
    """Delete the device; fails with label ``device`` if it has changed."""
    tx.delete(_device_ref(tenant, device.identity_hash), _unchanged(device), label="device")


def _unchanged(device: Device) -> Any:
    if device.version == 0:
        return DeviceItem.pk.does_not_exist()
    return DeviceItem.version == device.version


def checked_in(tx: Transaction, tenant: TenantId, device: Device, now: datetime) -> None:
    """Record a check-in; fails with label ``device`` if the device has changed."""
    actions: list[Action] = [DeviceItem.check_in.set(now), DeviceItem.version.set(device.version + 1)]
    if lists.is_divided(tenant):
        # A device from before the tenant became large moves into its part.
        actions.append(DeviceItem.list_pk.set(lists.partition(tenant, device.id)))
    tx.update(_device_ref(tenant, device.identity_hash), actions, _unchanged(device), label="device")


def seen_again(tenant: TenantId, device: Device, now: datetime) -> None:
    """Record that a pending device asked again, unless it has changed meanwhile."""
    actions = [DeviceItem.seen.set(now), DeviceItem.version.set(device.version + 1)]
    _device_ref(tenant, device.identity_hash).update_if(actions, _unchanged(device))


def link_sets(tx: Transaction, tenant: TenantId, before: Device | None, after: Device | None) -> None:
    """Add links by id for the new sets of ``after``, and delete those of removed sets."""
    old, new = ({item.id for item in (device.standing.sets if device else ())} for device in (before, after))
    for set_id in sorted(old ^ new):
        item = _set_ref(tenant, set_id)
        if after is not None and set_id in new:
            item.identity_hash = after.identity_hash
            tx.put(item, label="set")
        else:
            tx.delete(item, label="set")


def erase(tenant: TenantId, heads_gone: Callable[[list[str]], int]) -> int:
    """Erase the devices of a removed tenant; returns the number of items.

    ``heads_gone`` erases the heads of some devices. A device is erased after its sets and its head, because they are
    found through it.
    """
    count = 0
    found = lists.every(tenant, DeviceItem.by_status)
    while devices := [_device(item) for item in islice(found, _ERASED_AT_ONCE)]:
        count += heads_gone([device.id for device in devices])
        refs = [_set_ref(tenant, each.id) for device in devices for each in device.standing.sets]
        count += erasing.rows(SetItem, ((ref.pk, ref.sk) for ref in refs))
        places = [_device_ref(tenant, device.identity_hash) for device in devices]
        count += erasing.rows(DeviceItem, ((place.pk, place.sk) for place in places))
    flags = erasing.partition(FlagsItem, keys.partition(tenant, "FLAGS"))
    return count + counts.erase(tenant) + flags


# --- flags ----------------------------------------------------------------------------------------


def count_test_device(tx: Transaction, tenant: TenantId, by: int, most: int) -> None:
    """Add or remove one test device; fails with label ``test devices`` if there are ``most`` already."""
    room = FlagsItem.n.does_not_exist() | (FlagsItem.n < most) if by > 0 else None
    tx.update(FlagsItem(keys.partition(tenant, "FLAGS"), "TEST"), [FlagsItem.n.add(by)], room, label="test devices")


def count_flag_change(tx: Transaction, tenant: TenantId, day: str, expires: int, most: int) -> None:
    """Count a change of flags; fails with label ``changes`` if there were ``most`` on that day."""
    ref = FlagsItem(keys.partition(tenant, "FLAGS"), keys.sort("DAY", day))
    room = FlagsItem.n.does_not_exist() | (FlagsItem.n < most)
    tx.update(ref, [FlagsItem.n.add(1), FlagsItem.expires_at.set(expires)], room, label="changes")


def ids(tenant: TenantId) -> Iterator[str]:
    """The ids of the tenant's devices. One that appeared a moment ago may be missing."""
    return (item.device_id for item in lists.every(tenant, DeviceItem.by_status, ["device_id"]))
