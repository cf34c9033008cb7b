"""A suspended tenant is refused everywhere, not only on the routes that ``tests/all_routes`` calls with its tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine
from msgspec.structs import replace
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chalicelib import clock, settings
from chalicelib.aws import queues
from chalicelib.deviceconnect.rules.envelope import Message
from chalicelib.tenantadm import service
from tests.conftest import PASSWORD
from tests.deployments.world import DEPLOYMENTS, World, serves
from tests.deviceconfig.operator import Configured, fetch
from tests.deviceconnect.peers import DEVICE, SHELL, FakeDevice, hear, opened, say, user_path
from tests.support.mailbox import of_server, use
from tests.support.receivers import Listener
from tests.useradm.conftest import LOGIN, ME, USERS, bearer, new_email

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from websockets.sync.client import ClientConnection

    from chalicelib.storage.keys import TenantId
    from chalicelib.tenantadm.service import Tenant

BASE = "/api/management/v1"


def suspend(tenant: TenantId) -> None:
    """Suspend a tenant."""
    service.set_status(tenant, service.Status.SUSPENDED)


def activate(tenant: TenantId) -> None:
    """Activate it again."""
    service.set_status(tenant, service.Status.ACTIVE)


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """The tenant."""
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def without_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without caches."""
    known = replace(settings.current(), control_cache=0.0)
    monkeypatch.setattr(settings, "current", lambda: known)


def token_of(client: httpx2.Client) -> str:
    """A client's token."""
    return client.headers["Authorization"].removeprefix("Bearer ")


def _ends(link: ClientConnection) -> None:
    """Wait until the server has closed a websocket."""
    try:
        while True:
            link.recv(10)
    except ConnectionClosed:
        return


@pytest.mark.usefixtures("without_caches")
@pytest.mark.parametrize("who", ["user", "device"])
def test_an_open_terminal_is_closed(server, world: World, tenant: Tenant, who: str) -> None:
    device = world.device()
    assert device.token is not None
    with (
        FakeDevice(server.url, device.token) as fake,
        opened(server.url, user_path(device.id), token_of(world.api)) as user,
    ):
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        suspend(tenant.id)

        if who == "user":
            say(user, Message(SHELL, "shell", body=b"reboot"))
            _ends(user)
            assert not [message for message in fake.heard if message.body == b"reboot"]
        else:
            fake.say(Message(SHELL, "shell", session, body=b"output"))
            fake.join()
            with pytest.raises(TimeoutError):
                user.recv(0)


@pytest.mark.usefixtures("without_caches")
def test_new_websockets_are_refused(server, world: World, tenant: Tenant) -> None:
    device = world.device()
    assert device.token is not None
    suspend(tenant.id)

    for path, token in ((DEVICE, device.token), (user_path(device.id), token_of(world.api))):
        with pytest.raises(InvalidStatus) as refused, opened(server.url, path, token):
            pass
        assert refused.value.response.status_code == 401


@pytest.mark.usefixtures("without_caches")
def test_a_terminal_in_another_tenant_is_closed(server, api, http, tenant: Tenant) -> None:
    """A service provider is suspended while its user works in a child tenant."""
    service.set_service_provider(tenant.id, enabled=True)
    email = new_email()
    child = service.create_child(tenant.id, "Child", email, PASSWORD, devices={})
    admin = http.post(LOGIN, auth=(email, PASSWORD)).text
    with_child = type(http)(base_url=server.url, headers=bearer(admin), timeout=30)
    with with_child:
        device = World(with_child, http, child.tenant_token).device()
    me = api.get(ME).json()["id"]
    role = {"tenant_ids": [child.id], "role": "RBAC_ROLE_REMOTE_TERMINAL"}
    assert api.post(f"{USERS}/{me}/assign", json=role).status_code == 200
    token = api.get(f"{USERS}/tenants/{child.id}/token").text
    assert device.token is not None

    with FakeDevice(server.url, device.token) as fake, opened(server.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        suspend(tenant.id)
        assert http.get(ME, headers=bearer(token)).status_code == 401
        say(user, Message(SHELL, "shell", body=b"reboot"))
        _ends(user)
        assert not [message for message in fake.heard if message.body == b"reboot"]


def test_a_link_to_a_configuration_is_refused(world: World, tenant: Tenant) -> None:
    configured = Configured(world, world.device())
    assert configured.set({"key": "secret"}).status_code == 204
    deployment = configured.deploy()
    link = serves(configured.device.poll(), deployment)["source"]["uri"]
    assert fetch(world, link).status_code == 200

    suspend(tenant.id)
    assert fetch(world, link).status_code == 404
    activate(tenant.id)
    assert fetch(world, link).status_code == 200


def test_every_kind_of_token_is_refused(http, world: World, tenant: Tenant) -> None:
    device = world.device()
    made = world.api.post(f"{BASE}/useradm/settings/tokens", json={"name": "script", "expires_in": 3600})
    assert made.status_code == 200, made.text
    suspend(tenant.id)

    assert world.api.get(ME).status_code == 401
    assert http.get(ME, headers=bearer(made.text)).status_code == 401
    assert device.poll().status_code == 401
    assert device.auth().status_code == 401
    activate(tenant.id)
    assert http.get(ME, headers=bearer(made.text)).status_code == 200
    assert device.poll().status_code == 204


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """The receiver of webhooks."""
    with Listener() as running:
        use(monkeypatch, outbound_networks="127.0.0.0/8", outbound_ports=str(running.port))
        yield running


def test_webhooks_wait(server, world: World, tenant: Tenant, receiver: Listener) -> None:
    """Earlier events are not delivered during the suspension, and are not lost if it is short."""
    credentials = {"type": "http", "http": {"url": receiver.url}}
    body = {"provider": "webhook", "credentials": credentials}
    assert world.api.post(f"{BASE}/iot-manager/integrations", json=body).status_code == 201
    server.drain()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "send", lambda *_: None)
        world.device()
    suspend(tenant.id)
    with time_machine.travel(clock.now() + timedelta(minutes=2)):
        server.workers.run_once()
        assert receiver.received == []

    activate(tenant.id)
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        server.workers.run_once()
        assert len(receiver.received) >= 3


def test_phases_that_open_during_the_suspension(server, world: World, tenant: Tenant) -> None:
    """Devices are refused during the suspension; afterwards the deployment continues."""
    devices = [world.device() for _ in range(2)]
    world.upload("next")
    start = (clock.now() + timedelta(hours=1)).isoformat()
    phases = [{"batch_size": 50}, {"start_ts": start}]
    deployment = world.deploy("next", [device.id for device in devices], phases=phases)
    suspend(tenant.id)

    with time_machine.travel(clock.now() + timedelta(hours=2)):
        server.workers.fire("tick")
        server.drain()
        assert [device.poll().status_code for device in devices] == [401, 401]
        activate(tenant.id)
        assert world.api.get(f"{DEPLOYMENTS}/{deployment}").json()["status"] in {"pending", "inprogress"}
        for device in devices:
            serves(device.poll(), deployment)


def test_a_new_password_during_the_suspension(server, http, world: World, tenant: Tenant, monkeypatch) -> None:
    email = new_email()
    assert world.api.post(USERS, json={"email": email, "password": PASSWORD}).status_code == 201
    with of_server(server, monkeypatch) as box:
        http.post(f"{BASE}/useradm/auth/password-reset/start", json={"email": email})
        server.drain()
        secret = box.secret(email)
        suspend(tenant.id)

        complete = {"secret_hash": secret, "password": PASSWORD + "-new"}
        answer = http.post(f"{BASE}/useradm/auth/password-reset/complete", json=complete)

    assert answer.status_code >= 400
    activate(tenant.id)
    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200
    assert http.post(LOGIN, auth=(email, PASSWORD + "-new")).status_code == 401
