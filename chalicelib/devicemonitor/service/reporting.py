"""Alerts and checks: what devices report, and what operators read (``docs/behaviour.md#alerts``).

A report is one transaction: the alerts, the state of the device's subjects, and the inventory attributes if the number
of critical subjects has changed. Its cost depends on the report alone, not on earlier reports.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.devicemonitor import rules, tables
from chalicelib.devicemonitor.service import notices
from chalicelib.devicemonitor.shapes import Alert, Level
from chalicelib.errors import BadRequest, NotFound
from chalicelib.fleet import head_items
from chalicelib.inventory import service as inventory
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from chalicelib.devicemonitor.rules import Taken, Window
    from chalicelib.devicemonitor.shapes import Check, NewAlert
    from chalicelib.storage.keys import TenantId

_NO_DEVICE = "device does not exist"


def report(tenant: TenantId, device_id: str, given: list[NewAlert]) -> None:
    """Store the alerts of a device. A repeated report is stored once.

    Raises:
        BadRequest: an alert is too large, or its time is not valid.
        NotFound: the device is being removed.
    """
    for alert in given:
        rules.check(alert)
    for start in range(0, len(given), limits.ALERTS_WRITTEN):
        _report(tenant, device_id, given[start : start + limits.ALERTS_WRITTEN])


@retried
def _report(tenant: TenantId, device_id: str, given: list[NewAlert]) -> None:
    before, version = tables.read_standing(tenant, device_id)
    after, taken = rules.take(before, given, clock.now())
    if not taken:
        return
    tx = Transaction()
    tables.save_standing(tx, tenant, device_id, after, version)
    for each in taken:
        tables.put_alert(tx, tenant, each, _kept(device_id, each))
    if after.critical != before.critical or not version:
        inventory.alerts_changed(tx, tenant, device_id, after.critical)
    else:
        head_items.require_staying(tx, tenant, device_id)
    try:
        tx.commit()
    except ConditionFailed as failure:
        if "head" in failure.failed:
            raise NotFound(_NO_DEVICE) from failure
        raise
    notices.order(tenant, device_id, [each.alert for each in taken if each.changes])


def _kept(device_id: str, taken: Taken) -> Alert:
    return Alert(str(uuid.uuid4()), device_id, **msgspec.structs.asdict(taken.alert))


def alerts(
    tenant: TenantId, device_id: str, window: Window, start: int, stop: int, *, oldest_first: bool
) -> tuple[list[Alert], int]:
    """Rows ``start`` to ``stop`` of a device's alerts by time, and the number of all in that window."""
    slots = tables.slots_by_time(tenant, device_id, window, oldest_first=oldest_first)
    return tables.alerts_in(tenant, device_id, slots[start:stop]), len(slots)


def latest(
    tenant: TenantId, device_id: str, window: Window, start: int, stop: int, *, at_least: Level
) -> tuple[list[Alert], int]:
    """Rows ``start`` to ``stop`` of the newest alert of each subject at or above a level, and their number.

    The oldest comes first.
    """
    standing, _ = tables.read_standing(tenant, device_id)
    found = rules.latest(standing, at_least=at_least, window=window)
    slots = tables.slot_keys(known.slot for known in found[start:stop])
    return tables.alerts_in(tenant, device_id, slots), len(found)


def report_checks(tenant: TenantId, device_id: str, given: list[Check]) -> None:
    """Replace the checks of a device.

    Raises:
        BadRequest: the checks are too large.
        NotFound: the device is being removed.
    """
    if len(msgspec.json.encode(given)) > limits.CHECKS_SIZE:
        raise BadRequest(f"the checks are too large (max: {limits.CHECKS_SIZE} bytes)")
    tx = Transaction()
    tables.save_checks(tx, tenant, device_id, given)
    head_items.require_staying(tx, tenant, device_id)
    try:
        tx.commit()
    except ConditionFailed as failure:
        raise NotFound(_NO_DEVICE) from failure


def checks(tenant: TenantId, device_id: str) -> list[Any]:
    """The checks that a device reported."""
    return tables.read_checks(tenant, device_id)


def set_channel(tenant: TenantId, name: str, *, enabled: bool) -> None:
    """Enable or disable a channel of mails about alerts, for all users.

    Raises:
        BadRequest: there is no such channel.
    """
    if name != notices.EMAIL:
        raise BadRequest(f"unknown alert channel {name[:32]}")
    tx = Transaction()
    tables.save_shut(tx, tenant, () if enabled else (name,))
    change = f"Alerts by {name}: {'on' if enabled else 'off'}"
    auditlogs.record(tx, tenant, Action.UPDATE, Object(ObjectType.SETTINGS, f"alerts/{name}"), change=change)
    tx.commit()


def channel(tenant: TenantId, name: str) -> bool:
    """Whether a channel of mails about alerts is enabled.

    Raises:
        NotFound: there is no such channel.
    """
    if name != notices.EMAIL:
        raise NotFound(f"unknown alert channel {name[:32]}")
    return name not in tables.read_shut(tenant)


def device_gone(tenant: TenantId, device_id: str) -> None:
    """Delete the data of a decommissioned device. Can be run again."""
    tables.delete(tenant, device_id)


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    return tables.erase(tenant)
