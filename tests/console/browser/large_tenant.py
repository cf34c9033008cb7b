"""Two difficult tenants: a large one, written directly to the tables, and one with names that could break layouts."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import httpx2

from chalicelib import clock
from chalicelib.aws import s3
from chalicelib.deployments.tables import items as deployments
from chalicelib.inventory.rules import building
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.tables import devices, snapshots
from chalicelib.inventory.tables.devices import DeviceItem
from chalicelib.inventory.tables.snapshots import Pointer
from chalicelib.rights import EVERYTHING
from chalicelib.storage import keys
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from tests.console.browser.fleet import PASSWORD
from tests.deployments.world import World

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

ODD: Final = (
    "Kühlcontainerüberwachungsgerät-Nordhafen",
    "جهاز مراقبة الميناء الشمالي رقم سبعة عشر",
    "🚢⚓🏗️👩🏽‍🔧🇳🇴" * 4,
    "a_name_without_any_place_to_break_it_xyz",
)
"""Names of about 40 characters: with few line breaks, right-to-left, of emoji."""
DEVICES: Final = 20_000
DEPLOYMENTS: Final = 1_000
USERS: Final = 200
_STORED: Final = (range(200), range(9_800, 10_200), range(12_300, 12_400), range(DEVICES - 200, DEVICES))
"""The devices that tests look at. Searches find the others too, as they are in the snapshot, but cannot show them."""


@dataclass
class Named:
    """The tenant with unusual names: its administrator's address, and ids of a device, a deployment and a group."""

    email: str
    device: str
    deployment: str
    group: str = "a_group_with_a_name_of_forty_characters_"


def named(url: str) -> Named:
    """Create a tenant in which everything has an unusual name."""
    tenant, email = _tenant()
    with httpx2.Client(base_url=url, timeout=30) as http, httpx2.Client(base_url=url, timeout=30) as api:
        login = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD))
        api.headers["Authorization"] = f"Bearer {login.text}"
        world = World(api, http, tenant.tenant_token)
        found = Named(email, "", "")
        for name in ODD:
            device = world.device(identity={"serial": name}, device_type=ODD[3], artifact_name=name)
            device.inventory()
            api.put(f"/api/management/v1/inventory/devices/{device.id}/group", json={"group": found.group})
            world.upload(name, (ODD[3],))
            deployment = world.deploy(name, [device.id], name=name, force_installation=True)
            device.poll()
            device.report(deployment, "failure", substate=ODD[3] * 5)
            world.deploy(name, [device.id], name=f"{name} again", phases=[{"start_ts": "2099-01-01T00:00:00Z"}])
            found.device, found.deployment = found.device or device.id, found.deployment or deployment
    return found


def gathered() -> str:
    """Create a large tenant; returns its administrator's address."""
    tenant, email = _tenant()
    for number in range(USERS):
        users.create_user(tenant.id, f"user-{number:03}@{tenant.id}.example", None, by=EVERYTHING)
    _devices(tenant.id)
    _deployments(tenant.id)
    return email


def _tenant() -> tuple[Tenant, str]:
    tenant = tenants.create_tenant(f"{ODD[0]} {ODD[1]}")
    email = f"admin@{tenant.id}.example"
    users.create_user(tenant.id, email, PASSWORD, by=EVERYTHING)
    return tenant, email


def _devices(tenant: TenantId) -> None:
    now = clock.now()
    made = {}
    for number in range(DEVICES):
        name = f"crowd-{number:05}"
        attributes = {
            "identity": {"serial": [name]},
            "inventory": {"device_type": ["pi4"], "artifact_name": [f"os-{number % 9}"]},
        }
        seen = now - timedelta(seconds=number)
        device = Device(str(uuid.UUID(int=number << 64)), attributes, "accepted", now, now, check_in=seen)
        made[device.id] = device
    with DeviceItem.batch_write() as batch:
        every = list(made.values())
        for each in (every[number] for stored in _STORED for number in stored):
            item = devices._ref(tenant, each.id)
            item.attributes, item.status = each.attributes, each.status
            item.created, item.updated, item.check_in = each.created, each.updated, each.check_in
            item.list_pk, item.list_sk = keys.partition(tenant), keys.sort(each.id)
            batch.save(item)
    size, data = building.build(None, made)
    key = s3.key(tenant, "snapshots", str(uuid.uuid4()))
    assert snapshots.lease(tenant, Pointer(), key, now, now)
    stored = s3.put(key, data)
    assert snapshots.publish(tenant, Pointer(), Pointer((key, stored.version), size, len(made)), key, beside=False)


def _deployments(tenant: TenantId) -> None:
    now = clock.now()
    ids = [str(uuid.UUID(int=DEPLOYMENTS - number)) for number in range(DEPLOYMENTS)]
    with deployments.DeploymentItem.batch_write() as batch:
        for number, each in enumerate(ids):
            item = deployments.deployment_ref(tenant, each)
            item.name, item.artifact_name = f"crowd-{number:05}", "os-1"
            item.sequence, item.created, item.finished = DEPLOYMENTS - number, now, now
            item.size, item.shards, item.lock = 1, 1, each
            item.artifacts, item.filter = [], {"id": each, "name": "", "terms": []}
            item.history_pk = deployments.tenant_history(tenant)
            item.history_sk = item.state_sk = keys.sort(keys.number(DEPLOYMENTS - number), each)
            item.state_pk = deployments.deployment_state(tenant, is_open=False)
            batch.save(item)
    with deployments.CounterItem.batch_write() as batch:
        for each in ids:
            counter = deployments.CounterItem(deployments.deployment_pk(tenant, each), keys.sort("COUNTER", "00"))
            counter.last = 0
            batch.save(counter)
    totals = deployments.counts_ref(tenant)
    totals.total = DEPLOYMENTS
    totals.save()
