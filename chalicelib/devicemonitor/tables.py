"""The table ``devicemonitor``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``STANDING`` | the alert state of a device: levels of its subjects, slot of its last alert |
| ``T#t#D#<device>`` | ``CHECKS`` | the checks of a device |
| ``T#t#D#<device>`` | ``ALERT#<slot>`` | an alert; slots are reused |
| ``T#t#D#<device>`` | ``MAILS`` | recent mails about a device, and the alerts that wait for the next one |
| ``T#t`` | ``CHANNELS`` | disabled channels of mails |

Index ``list`` (keys only): a device's alerts by their time, then number; and the other items of a tenant's devices.
Mails that wait are in it under ``DIGESTS``, by the time at which they are due.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.devicemonitor.rules import Mails, Standing, Window
from chalicelib.devicemonitor.shapes import Alert, Check
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName
from chalicelib.storage.indexes import KeyListIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from chalicelib.devicemonitor.rules import Taken
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_MAILS, _DIGESTS = "MAILS", "DIGESTS"
_LAST = 10**15 - 1
"""A number above every time in milliseconds and every number of an alert."""


class MonitorItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("devicemonitor")


class ChannelsItem(MonitorItem):
    """Channels that a tenant has disabled."""

    shut = BlobAttribute(default=list)


class Indexed(MonitorItem):
    """Base of the items that are listed."""

    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()


class AlertItem(Indexed):
    """An alert as operators see it."""

    alert = BlobAttribute()
    by_time = KeyListIndex["Indexed"]()


class StandingItem(Indexed):
    """The alert state of a device."""

    standing = BlobAttribute(default=dict)
    version = IntegerAttribute(default=0)
    by_tenant = KeyListIndex["Indexed"]()


class MailsItem(MonitorItem):
    """Mails about a device. It is listed while alerts wait."""

    mails = BlobAttribute(default=dict)
    version = IntegerAttribute(default=0)
    list_pk = UnicodeAttribute(null=True)
    list_sk = UnicodeAttribute(null=True)
    by_time = KeyListIndex["MailsItem"]()


class ChecksItem(Indexed):
    """The checks of a device."""

    checks = BlobAttribute(default=list)


def _device(tenant: TenantId, device_id: str) -> str:
    return keys.partition(tenant, "D", device_id)


def _slot(slot: int) -> str:
    return keys.sort("ALERT", f"{slot:04d}")


def read_standing(tenant: TenantId, device_id: str) -> tuple[Standing, int]:
    """The alert state of a device, and its version."""
    item = StandingItem.find(_device(tenant, device_id), "STANDING")
    if item is None:
        return Standing(), 0
    return msgspec.convert(item.standing, Standing), item.version


def save_standing(tx: Transaction, tenant: TenantId, device_id: str, standing: Standing, before: int) -> None:
    """Replace the alert state of a device; fails with label ``standing`` if its version is not ``before``."""
    item = StandingItem(_device(tenant, device_id), "STANDING")
    item.standing, item.version = standing, before + 1
    item.list_pk, item.list_sk = keys.partition(tenant), keys.sort(device_id, "STANDING")
    condition = StandingItem.version == before if before else StandingItem.pk.does_not_exist()
    tx.put(item, condition, label="standing")


def put_alert(tx: Transaction, tenant: TenantId, taken: Taken, alert: Alert) -> None:
    """Store an alert in its slot, in place of an older one."""
    partition = _device(tenant, alert.device_id)
    item = AlertItem(partition, _slot(taken.slot))
    item.alert = alert
    item.list_pk, item.list_sk = partition, keys.sort(keys.number(taken.issued), keys.number(taken.number))
    tx.put(item, label="alert")


def slots_by_time(tenant: TenantId, device_id: str, window: Window, *, oldest_first: bool) -> list[str]:
    """The slots of a device's alerts in that window, in order; at most ``limits.ALERTS_KEPT``."""
    first, last = window.after or 0, _LAST if window.before is None else window.before
    if first > last:
        return []
    low, high = keys.sort(keys.number(first)), keys.sort(keys.number(last), keys.number(_LAST))
    rows = AlertItem.by_time.query(
        _device(tenant, device_id), AlertItem.list_sk.between(low, high), scan_index_forward=oldest_first
    )
    return [str(row.sk) for row in rows]


def alerts_in(tenant: TenantId, device_id: str, slots: Collection[str]) -> list[Alert]:
    """The alerts in these slots, in their order; 100 per round trip."""
    partition = _device(tenant, device_id)
    found = {
        str(item.sk): msgspec.convert(item.alert, Alert)
        for item in AlertItem.batch_get([(partition, slot) for slot in slots], consistent_read=True)
    }
    # A slot may have been used again since it was looked up.
    return [found[slot] for slot in slots if slot in found]


def slot_keys(slots: Iterable[int]) -> list[str]:
    """Slots as :func:`alerts_in` takes them."""
    return [_slot(slot) for slot in slots]


def save_checks(tx: Transaction, tenant: TenantId, device_id: str, checks: list[Check]) -> None:
    """Replace the checks of a device."""
    item = ChecksItem(_device(tenant, device_id), "CHECKS")
    item.checks = checks
    item.list_pk, item.list_sk = keys.partition(tenant), keys.sort(device_id, "CHECKS")
    tx.put(item, label="checks")


def read_checks(tenant: TenantId, device_id: str) -> list[Any]:
    """The checks of a device."""
    item = ChecksItem.find(_device(tenant, device_id), "CHECKS")
    if item is None:
        return []
    checks: list[Any] = item.checks
    return checks


def save_shut(tx: Transaction, tenant: TenantId, channels: Iterable[str]) -> None:
    """Replace the list of disabled channels."""
    item = ChannelsItem(keys.partition(tenant), "CHANNELS")
    item.shut = sorted(channels)
    tx.put(item, label="channels")


def read_shut(tenant: TenantId) -> frozenset[str]:
    """The disabled channels."""
    item = ChannelsItem.find(keys.partition(tenant), "CHANNELS")
    if item is None:
        return frozenset()
    return frozenset(item.shut)


def read_mails(tenant: TenantId, device_id: str) -> tuple[Mails, int]:
    """The state of the mails about a device, and its version."""
    item = MailsItem(_device(tenant, device_id), _MAILS).fetch()
    return (msgspec.convert(item.mails, Mails), item.version) if item is not None else (Mails(), 0)


def save_mails(tenant: TenantId, device_id: str, mails: Mails, before: int) -> bool:
    """Replace the state of the mails about a device; False if its version is not ``before``."""
    item = MailsItem(_device(tenant, device_id), _MAILS)
    item.mails, item.version = mails, before + 1
    if mails.waiting:
        item.list_pk, item.list_sk = _DIGESTS, keys.sort(keys.time(mails.until), tenant, device_id)
    return item.save_if(MailsItem.version == before if before else MailsItem.pk.does_not_exist())


def due_digests(now: datetime, *, limit: int) -> list[tuple[TenantId, str]]:
    """Devices whose digest is due, at most ``limit``, the longest overdue first."""
    rows = MailsItem.by_time.query(_DIGESTS, MailsItem.list_sk < keys.sort(keys.time(now) + "~"), limit=limit)
    return [(keys.tenant_of(row.pk), keys.last_part(row.pk)) for row in islice(rows, limit)]


def digest_ordered(tenant: TenantId, device_id: str) -> None:
    """Record that the digest was queued; further alerts make it due again."""
    item = MailsItem(_device(tenant, device_id), _MAILS)
    item.update_if([MailsItem.list_pk.remove(), MailsItem.list_sk.remove()], MailsItem.pk.exists())


def delete(tenant: TenantId, device_id: str) -> None:
    """Delete a device's whole partition, whose size is bounded."""
    erasing.partition(MonitorItem, _device(tenant, device_id))


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    listed = erasing.listed(StandingItem.by_tenant, keys.partition(tenant))
    devices = sum(erasing.partition(MonitorItem, pk, last=sk) for pk, sk in listed)
    return devices + erasing.partition(MonitorItem, keys.partition(tenant))
