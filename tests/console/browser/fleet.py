"""The fleet for tests and screenshots: devices, releases and deployments in all states."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from tests.deployments.world import DEVAUTH, World
from tests.simulator.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

PASSWORD = "a-long-enough-one"
"""The password of every user of the fleet."""
INVENTORY = "/api/management/v1/inventory"
LOG = """\
2026-03-02 10:15:04 +0000 UTC info: Running Mender client
2026-03-02 10:15:31 +0000 UTC info: Installing 'gateway-os-2.0'
2026-03-02 10:16:12 +0000 UTC error: Cannot verify the checksum of the root file system: no space left on device
2026-03-02 10:16:12 +0000 UTC error: Rolling back to 'gateway-os-1.1'
"""

GATEWAY, CAMERA = "raspberrypi4", "imx8-camera"
GROUPS = {"canary": range(4), "production": range(4, 30), "lab": range(30, 36)}
"""Which of the accepted devices are in which group, by their place in :attr:`Fleet.devices`."""


@dataclass
class Fleet:
    """The data of the fleet. Tests may change only what they created."""

    world: World
    tenant: Tenant
    email: str
    """The administrator's address."""
    devices: list[Device] = field(default_factory=list)
    """The accepted devices, by name: ``gateway-01`` to ``gateway-40``, ``camera-01`` to ``camera-08``."""
    releases: list[str] = field(default_factory=list)
    deployments: dict[str, str] = field(default_factory=dict)
    """Ids by what they are an example of: finished, failing, running, scheduled, waiting, aborted, gated, stopped,
    unapproved."""

    @property
    def api(self) -> httpx2.Client:
        """A client of the administrator."""
        return self.world.api

    def name(self, device: Device) -> str:
        """The name of a device in the console."""
        return str(device.identity["serial"])

    def address(self, user: str) -> str:
        """The e-mail address of another user: operator, viewer, auditor."""
        return f"{user}@{self.email.partition('@')[2]}"


@contextmanager
def new_fleet(server: LocalServer, domain: str = "") -> Iterator[Fleet]:
    """Create a fleet in a new tenant; ``domain`` is that of its users' addresses."""
    tenant = tenants.create_tenant("Harbour Lights", service_provider=True)
    email = f"admin@{domain or f'{tenant.id}.example'}"
    users.create_user(tenant.id, email, PASSWORD, by=EVERYTHING)
    with (
        httpx2.Client(base_url=server.url, timeout=30) as http,
        httpx2.Client(base_url=server.url, timeout=30) as api,
    ):
        login = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD))
        _take(login, 200)
        api.headers["Authorization"] = f"Bearer {login.text}"
        fleet = Fleet(World(api, http, tenant.tenant_token), tenant, email)
        for make in (_people, _devices, _releases, _alerts, _rollouts, _configuration, _tenants):
            make(fleet)
        server.drain()
        yield fleet


def _people(fleet: Fleet) -> None:
    for name, role in {
        "operator": "RBAC_ROLE_DEPLOYMENTS_MANAGER",
        "viewer": "RBAC_ROLE_REMOTE_TERMINAL",
        "auditor": "RBAC_ROLE_OBSERVER",
    }.items():
        body = {"email": fleet.address(name), "password": PASSWORD, "roles": [role]}
        _take(fleet.api.post("/api/management/v1/useradm/users", json=body))


def _devices(fleet: Fleet) -> None:
    gateways = [_device(fleet, f"gateway-{number:02d}", GATEWAY) for number in range(1, 41)]
    cameras = [_device(fleet, f"camera-{number:02d}", CAMERA) for number in range(1, 9)]
    strangers = [_device(fleet, f"new-{number:02d}", GATEWAY) for number in range(1, 11)]
    everyone = [*gateways, *cameras, *strangers]
    _each(everyone, lambda device: _take(device.auth(), 401))
    listed = fleet.api.get(DEVAUTH, params={"status": "pending", "per_page": 500}).json()
    known = {each["identity_data"]["serial"]: (each["id"], each["auth_sets"][0]["id"]) for each in listed}
    fleet.devices = [*gateways, *cameras]

    def join(device: Device) -> None:
        fleet.world.accept(*known[fleet.name(device)])
        _take(device.auth(), 200)
        _take(device.inventory(_inventory(device)), 200)

    _each(fleet.devices, join)
    for device in strangers[6:]:
        id, auth_set = known[fleet.name(device)]
        answer = fleet.api.put(f"{DEVAUTH}/{id}/auth/{auth_set}/status", json={"status": "rejected"})
        _take(answer)
    body = {"identity_data": {"serial": "expected-01"}, "pubkey": Device(fleet.world.http).pubkey}
    _take(fleet.api.post(DEVAUTH, json=body))
    for group, places in GROUPS.items():
        ids = [fleet.devices[place].id for place in places]
        _take(fleet.api.patch(f"{INVENTORY}/groups/{group}/devices", json=ids))
    tags = [{"name": "name", "value": "Harbour crane"}, {"name": "site", "value": "pier 4"}]
    _take(fleet.api.patch(f"{INVENTORY}/devices/{fleet.devices[0].id}/tags", json=tags))


def _device(fleet: Fleet, name: str, kind: str) -> Device:
    artifact = "gateway-os-1.0" if kind == GATEWAY else "camera-os-3.1"
    return Device(
        fleet.world.http,
        fleet.tenant.tenant_token,
        identity={"serial": name, "mac": f"02:00:5e:00:{len(name):02x}:{int(name[-2:]):02x}"},
        device_type=kind,
        artifact_name=artifact,
    )


def _inventory(device: Device) -> dict[str, Any]:
    number = int(device.identity["serial"][-2:])
    return {
        "artifact_name": device.artifact_name,
        "device_type": device.device_type,
        "hostname": device.identity["serial"],
        "ipv4_eth0": f"10.1.0.{number}/24",
        "kernel": "Linux version 6.6.32",
        "mac_eth0": device.identity["mac"],
        "mem_total_kB": "1025532" if number % 2 else "4050712",
        "mender_client_version": "5.0.2" if number % 3 else "3.4.0",
        "network_interfaces": ["eth0", "wlan0"],
        "os": "Debian GNU/Linux 12 (bookworm)",
        "rootfs-image.version": device.artifact_name,
        "rootfs_type": "ext4",
    }


def _releases(fleet: Fleet) -> None:
    for name, kinds, more in (
        ("gateway-os-1.0", (GATEWAY,), {}),
        ("gateway-os-1.1", (GATEWAY,), {"signed": True}),
        ("gateway-os-2.0", (GATEWAY,), {"provides": {"rootfs-image.version": "2.0"}}),
        ("gateway-os-2.1-rc1", (GATEWAY,), {}),
        ("camera-os-3.1", (CAMERA,), {}),
        ("crane-dashboard-7", (GATEWAY, CAMERA), {"metadata": {"files": ["dashboard.html"]}}),
    ):
        fleet.world.upload(name, kinds, payload=f"{name}\n".encode() * 400, **more)
        fleet.releases.append(name)
    releases = "/api/management/v2/deployments/deployments/releases"
    note = {"notes": "Quicker start, and the modem no longer drops its link.\nNeeds 200 MB of free space."}
    _take(fleet.api.patch(f"{releases}/gateway-os-2.0", json=note))
    _take(fleet.api.put(f"{releases}/gateway-os-2.0/tags", json=["stable", "2026"]))
    _take(fleet.api.put(f"{releases}/gateway-os-2.1-rc1/tags", json=["candidate"]))


def _alerts(fleet: Fleet) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=30)
    for place, name, levels in (
        (0, "sshd", ("CRITICAL",)),
        (5, "disk", ("CRITICAL",)),
        (6, "modem", ("CRITICAL", "OK")),
    ):
        for minute, level in enumerate(levels):
            alert = {
                "name": f"{name} service",
                "level": level,
                "subject": {"name": name, "type": "systemd.unit", "status": "not-running"},
                "timestamp": (moment + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            _take(fleet.devices[place].call("POST", "/v1/devicemonitor/alert", [alert]))


def _rollouts(fleet: Fleet) -> None:
    world, devices = fleet.world, fleet.devices
    ids = [device.id for device in devices]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    made = fleet.deployments

    made["finished"] = world.deploy("gateway-os-1.1", ids[4:16], name="Security fixes of March")
    _each(devices[4:16], lambda device: _update(device, "gateway-os-1.1"))

    made["failing"] = world.deploy("gateway-os-2.0", ids[30:36], name="Gateway 2.0 in the lab")
    _each(devices[30:33], lambda device: _update(device, "gateway-os-2.0"))
    _each(devices[33:36], lambda device: _update(device, "gateway-os-2.0", succeeds=False))

    made["aborted"] = world.deploy("camera-os-3.1", ids[40:42], name="Cameras, second try")
    world.abort(made["aborted"])

    phases: list[dict[str, Any]] = [
        {"batch_size": 50},
        {"start_ts": tomorrow.isoformat()},
    ]
    made["running"] = world.deploy("gateway-os-2.0", ids[16:28], name="Gateway 2.0, production", phases=phases)
    _each(devices[16:19], lambda device: _update(device, "gateway-os-2.0"))
    _update(devices[19], "gateway-os-2.0", succeeds=False)
    for device, status in zip(devices[20:22], ("downloading", "rebooting"), strict=True):
        _take(device.poll(), 200)
        _take(device.report(made["running"], status))

    made["scheduled"] = world.deploy(
        "gateway-os-2.1-rc1", ids[:4], name="Candidate on canaries", phases=[{"start_ts": tomorrow.isoformat()}]
    )
    made["waiting"] = world.deploy("crane-dashboard-7", ids[42:46], name="Dashboard for cameras", retries=2)

    made["gated"] = world.deploy(
        "gateway-os-1.1",
        ids[36:40],
        name="Fixes behind a gate",
        phases=[{"batch_size_devices": 2}, {}],
        rollout={
            "gate": {"success_percent": 90, "minimum_devices": 2, "soak": "PT1H"},
            "stop": {"max_failures_percent": 5, "minimum_reports": 20},
            "windows": [{"start_time": "00:00", "duration": "P1D"}],
            "time_zone": "Europe/Oslo",
            "maximum_per_minute": 100,
        },
    )
    _update(devices[36], "gateway-os-1.1")

    stop = {"max_failures": 1}
    made["stopped"] = world.deploy("crane-dashboard-7", ids[46:48], name="Dashboard, carefully", rollout={"stop": stop})
    _update(devices[46], "crane-dashboard-7", succeeds=False)

    settings = "/api/management/v2/tenantadm/settings"
    before = fleet.api.get(settings).json()
    _take(fleet.api.put(settings, json={**before, "approval_groups": ["production"]}))
    made["unapproved"] = world.deploy(
        "gateway-os-2.1-rc1",
        group="production",
        name="Candidate in production",
        phases=[{"batch_size": 10}, {}],
        rollout={"gate": {"success_percent": 95, "soak": "P1D"}, "stop": {"max_failures": 1}},
    )
    _take(fleet.api.put(settings, json=before))


def _update(device: Device, artifact: str, *, succeeds: bool = True) -> None:
    """Take the update that the server offers, and report how it went."""
    offer = device.poll()
    _take(offer, 200)
    deployment = offer.json()["id"]
    for status in ("downloading", "installing", "rebooting"):
        _take(device.report(deployment, status))
    if succeeds:
        device.artifact_name = artifact
        _take(device.report(deployment, "success"))
        _take(device.inventory(_inventory(device)), 200)
        return
    path = f"/v1/deployments/device/deployments/{deployment}/log"
    lines = [line.split(" UTC ", 1)[1].split(": ", 1) for line in LOG.splitlines()]
    messages = [
        {"timestamp": f"2026-03-02T10:15:{second:02d}Z", "level": level, "message": message}
        for second, (level, message) in enumerate(lines)
    ]
    _take(device.report(deployment, "failure"))
    _take(device.call("PUT", path, {"messages": messages}))


def _configuration(fleet: Fleet) -> None:
    path = f"/api/management/v1/deviceconfig/configurations/device/{fleet.devices[0].id}"
    _take(fleet.api.put(path, json={"timezone": "Europe/Oslo", "report_seconds": "300"}))


def _tenants(fleet: Fleet) -> None:
    for name, limit in {"Quay Ferries": 20, "Pier Pilots": 5}.items():
        admin = {"email": fleet.address(name.split()[1].lower()), "password": PASSWORD}
        made = fleet.api.post(
            "/api/management/v2/tenantadm/tenants", json={"name": name, "admin": admin, "device_limit": limit}
        )
        _take(made, 202)


def _each(devices: Iterable[Device], do: Callable[[Device], None]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(do, devices))


def _take(answer: httpx2.Response, *statuses: int) -> None:
    """Assert that a call succeeded."""
    assert answer.status_code in (statuses or (200, 201, 202, 204)), f"{answer.request.url}: {answer.text}"
