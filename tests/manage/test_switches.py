"""Switches: a part that is switched off is refused for all with the reason; everything else continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.deviceconnect.rules.envelope import Message, Proto, unpack
from chalicelib.fleet.switches import Switch
from tests.deployments.world import World
from tests.deviceconnect.peers import DEVICE, FakeDevice, hear, hear_all, opened, say, user_path
from tests.deviceconnect.test_rights import status_of
from tests.integrations.conftest import Hooks, allow, hooks  # noqa: F401  # fixtures
from tests.integrations.test_delivery import later
from tests.manage.conftest import Manage

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

REASON = "we are looking into a fault"
DEPLOYMENTS = "/api/management/v1/deployments"


@pytest.fixture(autouse=True)
def without_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without caches, which sees switches at once."""
    known = replace(settings.current(), control_cache=0.0)
    monkeypatch.setattr(settings, "current", lambda: known)


@pytest.fixture
def off(done: Callable[..., str]) -> Iterator[Callable[[Switch], None]]:
    """Switch something off with the command, until the end of the test."""
    used: list[Switch] = []

    def turn(switch: Switch) -> None:
        used.append(switch)
        done("switch", "off", switch, "--reason", REASON)

    yield turn
    for switch in used:
        done("switch", "on", switch)


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """A tenant with an administrator and nothing else."""
    return World(api, http, tenant.tenant_token)


def assert_switched_off(answer: httpx2.Response, what: str) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Retry-After"] == "300"
    assert answer.json()["error"] == f"the admin of this server has switched off {what}: {REASON}"


def test_the_command_shows_switches(document, done, off):
    off(Switch.UPLOADS)

    shown = {each["switch"]: each for each in document("switch", "list")}
    assert shown.keys() == set(Switch)
    assert shown["uploads"] == {"switch": "uploads", "on": False, "reason": REASON}
    assert shown["webhooks"] == {"switch": "webhooks", "on": True, "reason": ""}
    assert f"uploads  off: {REASON}" in done("switch", "list")
    done("switch", "on", "uploads")
    assert all(each["on"] for each in document("switch", "list"))


def test_an_unknown_switch_is_refused_with_the_valid_names(manage: Manage):
    refused = manage("switch", "off", "polls", "--reason", REASON)

    assert refused.returncode == 2
    assert "remote-access" in refused.stderr


def test_uploads_are_refused(world: World, api: httpx2.Client, done, off):
    off(Switch.UPLOADS)
    file = {"artifact": ("a.mender", b"never read")}

    assert_switched_off(api.post(f"{DEPLOYMENTS}/artifacts", files=file), "uploads")
    assert_switched_off(api.post(f"{DEPLOYMENTS}/artifacts/directupload"), "uploads")
    form = {"name": "a", "type": "single_file", "device_types_compatible": "pi"}
    form["args"] = '{"filename":"f","dest_dir":"/d"}'
    made = api.post(f"{DEPLOYMENTS}/artifacts/generate", data=form, files={"file": ("f", b"x")})
    assert_switched_off(made, "uploads")
    assert api.get(f"{DEPLOYMENTS}/artifacts").json() == []
    done("switch", "on", "uploads")
    world.upload("v1")


def test_no_deployment_is_created_and_open_ones_continue(world: World, api: httpx2.Client, done, off):
    device = world.device()
    world.upload("v1")
    world.deploy("v1", [device.id])
    off(Switch.DEPLOYMENTS)

    wanted = {"name": "d", "artifact_name": "v1", "devices": [device.id]}
    assert_switched_off(api.post(f"{DEPLOYMENTS}/deployments", json=wanted | {"name": "e"}), "deployments")
    configured = f"/api/management/v1/deviceconfig/configurations/device/{device.id}"
    assert api.put(configured, json={"a": "b"}).status_code == 204
    assert_switched_off(api.post(f"{configured}/deploy", json={}), "deployments")
    assert device.poll().status_code == 200, "what was open is still served"


def test_sessions_end_and_new_ones_are_refused(server: LocalServer, world: World, api: httpx2.Client, done, off):
    device = world.device()
    assert device.token is not None
    token = api.headers["Authorization"].removeprefix("Bearer ")
    with FakeDevice(server.url, device.token), opened(server.url, user_path(device.id), token) as user:
        say(user, Message(Proto.SHELL, "new"))
        hear(user)
        off(Switch.REMOTE_ACCESS)
        say(user, Message(Proto.SHELL, "shell", body=b"still there?"))
        told, _ = hear_all(user)
        commanded = api.post(f"/api/management/v1/deviceconnect/devices/{device.id}/check-update")

    assert unpack(told[-1].body)["err"] == "access to the device has ended"
    assert_switched_off(commanded, "remote access")
    assert status_of(server.url, DEVICE, device.token) == 503
    assert status_of(server.url, user_path(device.id), token) == 503
    done("switch", "on", "remote-access")
    assert status_of(server.url, DEVICE, device.token) == 101


def test_events_wait_until_webhooks_are_switched_on(world: World, hooks: Hooks, done, off):  # noqa: F811
    hook = hooks()
    off(Switch.WEBHOOKS)
    device = world.device()
    assert hook.posted() == []

    done("switch", "on", "webhooks")
    with later(hook, seconds=61):
        assert ("device-provisioned", device.id) in hook.told()
