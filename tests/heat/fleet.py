"""Makes the calls that are recorded: each kind by a few devices of a large tenant."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import time_machine

from chalicelib import clock, limits
from chalicelib.fleet import control, counts, membership
from chalicelib.fleet.tables import RosterItem
from chalicelib.inventory.tables import changes
from chalicelib.storage import due
from infra.heat.scenarios import DAY
from infra.heat.traffic import SIZES, Access, Recording
from tests.deployments.test_dynamic import deploy, save_filter, tag
from tests.deployments.world import DEVAUTH, World, serves, serves_nothing
from tests.heat.recorder import Recorder
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant

ROSTER = 2 * limits.COUNTER_SHARD_DEVICES
"""Devices of the tenant: enough for a deployment with several counters."""
CALLERS = 3
"""Devices that make each kind of call."""
_ID = "[0-9a-f]{8}-[0-9a-f-]{27}"
FORMS = [
    (re.compile(r"^T#[0-9a-f]{24}"), "T#{tenant}"),
    (re.compile(rf"#D#{_ID}"), "#D#{device}"),
    (re.compile(r"#I#[0-9a-f]{64}"), "#I#{device}"),
    (re.compile(rf"#A#{_ID}"), "#A#{device}"),
    (re.compile(rf"#P#{_ID}"), "#P#{deployment}"),
    (re.compile(rf"^ROW#{_ID}"), "ROW#{device}"),
    (re.compile(rf"^{_ID}$"), "{device}"),
    (re.compile(r"^COUNTER#\d+"), "COUNTER#{counter}"),
    (re.compile(r"#R#[0-9a-f]$"), "#R#{roster}"),
    (re.compile(r"^S#\d$"), "S#{count}"),
    (re.compile(r"^DUE#\d$"), "DUE#{due}"),
    (re.compile(r"#CHANGED#\d$"), "#CHANGED#{changed}"),
]
"""Placeholders for ids and parts in keys."""


def parts() -> dict[str, list[int]]:
    """The number of parts of each kind in the layout, for each size of a tenant."""
    counters = [max(1, min(limits.COUNTER_SHARDS, -(-size // limits.COUNTER_SHARD_DEVICES))) for size in SIZES]
    same = {
        "count": counts._SHARDS,
        "roster": membership._SHARDS,
        "due": due._PARTS,
        "changed": changes._SHARDS,
        "only": 1,
    }
    return {"counter": counters} | {name: [number] * len(SIZES) for name, number in same.items()}


def record(tenant: Tenant, api: httpx2.Client, http: httpx2.Client) -> Recording:
    """Make every kind of call of the scenarios, in a process whose caches hold what devices share."""
    world = World(api, http, tenant.tenant_token)
    recorder = Recorder(FORMS)
    calls: dict[str, list[Access]] = {}
    first, *devices = (Device(http, tenant.tenant_token) for _ in range(1 + CALLERS))

    def each(name: str, call: Callable[[Device], Any]) -> None:
        """Record the calls of all devices but the first, whose calls fill the caches."""
        call(first)
        with recorder.recording(CALLERS) as calls[name]:
            for device in devices:
                call(device)

    def updated(kind: str, begin: str, deployment: str) -> None:
        control.get(tenant.id, fresh=True)
        each(begin, lambda device: serves(device.poll(), deployment))
        for status in ("downloading", "installing", "rebooting", "success"):
            each(f"report {status}{kind}", partial(_report, deployment, status))

    for device in (first, *devices):
        answer = api.post(DEVAUTH, json={"identity_data": device.identity, "pubkey": device.pubkey})
        assert answer.status_code == 201, answer.text
    control.get(tenant.id, fresh=True)
    each("first contact", Device.auth)
    each("inventory, first", lambda device: device.inventory(_inventory("1.0")))
    each("inventory, unchanged", lambda device: device.inventory(_inventory("1.0")))
    each("inventory, changed", lambda device: device.inventory(_inventory("1.1")))
    with time_machine.travel(clock.now() + timedelta(seconds=DAY + 60)):
        each("token, check-in", Device.auth)
    each("token", Device.auth)
    each("poll", lambda device: serves_nothing(device.poll()))
    with recorder.recording() as calls["control item"]:
        control.get(tenant.id, fresh=True)

    _fill_roster(tenant)
    for release in ("one", "two", "three"):
        world.upload(release)
    updated("", "begin", world.deploy("one"))
    phases = [{"batch_size": 10}, {"start_ts": (clock.now() + timedelta(days=1)).isoformat()}]
    updated("", "begin in a phase", world.deploy("two", phases=phases))
    for device in (first, *devices):
        tag(world, device, "here")
    limited = deploy(world, save_filter(world, "tags", "place", "here"), artifact_name="three", max_devices=100)
    # With max_devices there is only one counter, which shows when the last device has begun.
    with recorder.also(r"^COUNTER#\d+", "COUNTER#{only}"):
        updated(" by a filter", "begin by a filter", limited)
    return Recording(parts(), calls)


def _report(deployment: str, status: str, device: Device) -> None:
    assert device.report(deployment, status).status_code == 204


def _inventory(version: str) -> dict[str, str]:
    return {f"attribute_{number}": f"{version}, value {number}" for number in range(40)}


def _fill_roster(tenant: Tenant) -> None:
    """Add devices that exist only in the roster: creating a deployment reads nothing else of them."""
    with RosterItem.batch_write() as batch:
        for _ in range(ROSTER):
            batch.save(membership._roster_item(tenant.id, str(uuid.uuid4())))
