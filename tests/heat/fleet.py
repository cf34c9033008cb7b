"""Makes the calls that are recorded: each kind by a few devices of a large tenant.

A tenant with fewer than ``LARGE_FROM`` devices is taken to use the same keys, in one part.
"""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.auditlogs.rules import chains
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.workers import preparing
from chalicelib.deployments.tables import counters
from chalicelib.deployments.tables.items import counter_ref
from chalicelib.devauth.rules import acceptance
from chalicelib.fleet import control, membership, places
from chalicelib.fleet.parts import LARGE, LARGE_FROM, part_of
from chalicelib.fleet.tables import CountItem, RosterItem
from chalicelib.inventory.tables import changes
from chalicelib.storage import due
from infra.heat.scenarios import DAY
from infra.heat.traffic import SIZES, Access, Recording
from tests.deployments.test_dynamic import deploy, save_filter, tag
from tests.deployments.world import DEVAUTH, World, serves, serves_nothing
from tests.devauth.acceptance import create, pattern
from tests.heat.recorder import Recorder
from tests.large.growing import grow
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant

ROSTER = 2 * limits.COUNTER_SHARD_DEVICES
"""Devices of the tenant: enough for a deployment with several counters."""
CALLERS = 3
"""Devices that make each kind of call."""
GUARDED = {
    "gate": {},
    "stop": {"max_failures": 1_000, "per": "phase"},
    "maximum_per_minute": limits.ROLLOUT_RATE,
}
"""A rollout that counts as much as one can."""
_ID = "[0-9a-f]{8}-[0-9a-f-]{27}"
FORMS = [
    (re.compile(r"^T#[0-9a-f]{24}"), "T#{tenant}"),
    (re.compile(rf"#D#{_ID}"), "#D#{device}"),
    (re.compile(r"#I#[0-9a-f]{64}"), "#I#{device}"),
    (re.compile(rf"#A#{_ID}"), "#A#{device}"),
    (re.compile(rf"#P#{_ID}"), "#P#{deployment}"),
    (re.compile(rf"^ROW#{_ID}"), "ROW#{device}"),
    (re.compile(rf"^{_ID}$"), "{device}"),
    (re.compile(r"#P#\{deployment\}#[0-9a-f]{2}$"), "#P#{deployment}#{part}"),
    (re.compile(r"#R#[0-9a-f]$"), "#R#{roster}"),
    (re.compile(r"#RATE#\d+$"), "#RATE#{rate}"),
    (re.compile(r"^0{7}\d{8}$"), "MINUTE"),
    (re.compile(r"#(L|COUNTS)#[0-9a-f]{2}$"), r"#\1#{tenant_part}"),
    (re.compile(r"^DUE#\d$"), "DUE#{due}"),
    (re.compile(r"#CHANGED#[0-9a-f]{2}$"), "#CHANGED#{changed}"),
    (re.compile(r"#RULED#[0-9a-f]{1,2}$"), "#RULED#{ruled}"),
    (re.compile(r"^(T#\{tenant\})#\d{1,3}$"), r"\1#{chain}"),
    (re.compile(r"^(T#\{tenant\})#L#[0-9a-f]$"), r"\1#L#{audit_group}"),
    (re.compile(r"^\d{15}#\d{15}$"), "{call}"),
    (re.compile(r"^(STRANGERS#devices)#[0-9a-f]{24}#.*"), r"\1#{call}"),
]
"""Placeholders for ids and parts in keys."""


def parts() -> dict[str, list[int]]:
    """The number of parts of each kind in the layout, for each size of a tenant."""
    by_size = {
        "part": [limits.DEPLOYMENT_PARTS if size > limits.UNDIVIDED_DEVICES else 1 for size in SIZES],
        "tenant_part": [LARGE if size >= LARGE_FROM else 1 for size in SIZES],
        "audit_group": [chains.GROUPS if size >= LARGE_FROM else 1 for size in SIZES],
        "changed": [LARGE * changes._OF_A_PART if size >= LARGE_FROM else changes._SHARDS for size in SIZES],
    }
    same = {
        "roster": membership._SHARDS,
        "due": due._PARTS,
        "rate": limits.ROLLOUT_RATE_ITEMS,
        "chain": len(chains.DIVIDED),
        "ruled": acceptance.SHARDS,
    }
    return by_size | {name: [number] * len(SIZES) for name, number in same.items()}


def record(  # noqa: PLR0915  # a statement for each kind of call
    tenant: Tenant, api: httpx2.Client, http: httpx2.Client
) -> Recording:
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

    def updated(kind: str, begin: str, deployment: str, last: str = "success") -> None:
        control.get(tenant.id, fresh=True)
        each(begin, lambda device: serves(device.poll(), deployment))
        for status in ("downloading", "installing", "rebooting", last):
            each(f"report {status}{kind}", partial(_report, deployment, status))

    def prepared(deployment: str) -> str:
        """A large deployment, of which a device has begun in each part that contains a recorded device."""
        preparing.prepare(tenant.id, deployment)
        plan = plans.get(tenant.id, deployment)
        assert plan is not None
        assert plan.parts
        for part in {part_of(device.id, plan.parts) for device in (first, *devices)}:
            item = counter_ref(tenant.id, plan, part)
            item.last = counters.last_of_part(plan, part)
            counters.begin_phases(item, plan)
            item.save()
        return deployment

    grow(tenant.id)
    control.get(tenant.id, fresh=True)
    others = [Device(http, tenant.tenant_token) for _ in range(1 + CALLERS)]
    _preauthorize(api, [first, *devices, *others])
    calls["first contact, new places"] = _without_places(recorder, others)
    _give_places(tenant)
    each("first contact", Device.auth)
    each("inventory, first", lambda device: device.inventory(_inventory("1.0")))
    each("inventory, unchanged", lambda device: device.inventory(_inventory("1.0")))
    each("inventory, changed", lambda device: device.inventory(_inventory("1.1")))
    with time_machine.travel(clock.now() + timedelta(seconds=DAY + 60)):
        each("token, check-in", Device.auth)
    each("token", Device.auth)
    each("poll", lambda device: serves_nothing(device.poll()))
    calls["accepted by a rule"] = _accepted(recorder, api, world)
    with recorder.recording() as calls["control item"]:
        control.get(tenant.id, fresh=True)

    _fill_roster(tenant)
    _prepare_deployments(world, [first, *devices])
    matching = save_filter(world, "tags", "place", "here")
    phases = [{"batch_size": 50}, {"start_ts": (clock.now() + timedelta(days=1)).isoformat()}]
    with pytest.MonkeyPatch.context() as patch:
        # The roster is smaller than that of a real tenant with large deployments.
        patch.setattr(limits, "UNDIVIDED_DEVICES", ROSTER // 2)
        updated("", "begin", prepared(world.deploy("one")))
        updated("", "begin in a phase", prepared(world.deploy("two", phases=phases)))
        limited = deploy(world, matching, artifact_name="three", max_devices=100_000)
        updated(" by a filter", "begin by a filter", prepared(limited))
        for release, last in (("four", "success"), ("five", "failure")):
            guarded = world.deploy(release, phases=phases, rollout=GUARDED)
            updated(" in a rollout", "begin in a rollout", prepared(guarded), last)
    return Recording(parts(), calls)


def _prepare_deployments(world: World, devices: list[Device]) -> None:
    for release in ("one", "two", "three", "four", "five"):
        world.upload(release)
    for device in devices:
        tag(world, device, "here")


def _report(deployment: str, status: str, device: Device) -> None:
    assert device.report(deployment, status).status_code == 204


def _inventory(version: str) -> dict[str, str]:
    return {f"attribute_{number}": f"{version}, value {number}" for number in range(40)}


def _preauthorize(api: httpx2.Client, devices: list[Device]) -> None:
    for device in devices:
        answer = api.post(DEVAUTH, json={"identity_data": device.identity, "pubkey": device.pubkey})
        assert answer.status_code == 201, answer.text


def _accepted(recorder: Recorder, api: httpx2.Client, world: World) -> list[Access]:
    """The first contact of devices that a rule accepts; that of the first one fills the caches."""
    first, *recorded = (Device(world.http, world.token) for _ in range(1 + CALLERS))
    rule = create(api, pattern(pattern={"mac": "*"}, max_per_day=1_000_000))
    first.auth()
    with (
        recorder.also(rf"^\d{{4}}-\d\d-\d\d#{rule}#\d+$", "DAY#RULE"),
        recorder.also(r"^\d{1,3}$", "{chain}"),
        recorder.recording(CALLERS) as found,
    ):
        for device in recorded:
            device.auth()
    return found


def _without_places(recorder: Recorder, devices: list[Device]) -> list[Access]:
    """The first contact of devices in parts without free places; that of the first one fills the caches."""
    first, *recorded = devices
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "BLOCK", 1)  # so that no device leaves places for the next one
        first.auth()
        with recorder.recording(CALLERS) as found:
            for device in recorded:
                device.auth()
    return found


def _give_places(tenant: Tenant) -> None:
    """Give all parts places for accepted devices, as nearly all have."""
    for part in range(LARGE):
        row = places.part_ref(tenant.id, part)
        row.update([CountItem.free.set(places.BLOCK), CountItem.terms.set(0)])


def _fill_roster(tenant: Tenant) -> None:
    """Add devices that exist only in the roster: creating a deployment reads nothing else of them."""
    with RosterItem.batch_write() as batch:
        for _ in range(ROSTER):
            batch.save(membership._roster_item(tenant.id, str(uuid.uuid4())))
