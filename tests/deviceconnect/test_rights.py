"""Permission to connect to a device: by role and group, by the tenant's add-ons; and the audit entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from chalicelib import settings
from chalicelib.cache import Cache
from chalicelib.deviceconnect import service as deviceconnect_service
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import Frame
from chalicelib.deviceconnect.rules.envelope import Message, Proto, pack, unpack
from chalicelib.deviceconnect.service import sending
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from tests.deployments.world import World
from tests.devauth.fleet import device_path, set_of
from tests.deviceconnect.peers import PATIENCE, SHELL, FakeDevice, hear, hear_all, opened, say, user_path
from tests.support.probe import counted
from tests.support.waiting import until

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn


def token_of(client: httpx2.Client) -> str:
    return str(client.headers["Authorization"]).removeprefix("Bearer ")


def status_of(url: str, path: str, token: str) -> int:
    """The status that a handshake is answered with."""
    try:
        with opened(url, path, token):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def lamps_operator(api: httpx2.Client, tenant: Tenant, sign_in: SignIn) -> httpx2.Client:
    """A user who may connect to the devices of the group ``lamps``, and nothing else."""
    scope = {"type": "DeviceGroups", "value": ["lamps"]}
    role = {"name": "lamp-hands", "permission_sets_with_scope": [{"name": "ConnectToDevices", "scope": scope}]}
    assert api.post("/api/management/v2/useradm/roles", json=role).status_code == 201
    return sign_in(tenant, "lamp-hands")


def test_a_role_is_limited_to_its_groups(front, api, tenant, world, device, connected, sign_in):
    outside = world.device()
    place = f"/api/management/v1/inventory/devices/{device.id}/group"
    assert api.put(place, json={"group": "lamps"}).status_code == 204
    hands = lamps_operator(api, tenant, sign_in)
    with FakeDevice(front, outside.token):
        assert status_of(front, user_path(device.id), token_of(hands)) == 101
        assert status_of(front, user_path(outside.id), token_of(hands)) == 403
    remote = "/api/management/v1/deviceconnect/devices"
    assert hands.post(f"{remote}/{device.id}/check-update").status_code == 202
    assert hands.post(f"{remote}/{outside.id}/check-update").status_code == 403
    for theirs in (outside.id, "none"):
        answer = hands.get(f"{front}{remote}/{theirs}/download", params={"path": "/f"})
        assert answer.status_code == 403


def test_a_role_that_allows_the_call_by_its_path(front, api, tenant, device, connected, sign_in):
    path = "/api/management/v1/deviceconnect/devices/.*/connect"
    for name, method in (("callers", "GET"), ("others", "POST")):
        permission = {"action": "http", "object": {"type": method, "value": path}}
        role = {"name": name, "permissions": [permission], "permission_sets_with_scope": []}
        assert api.post("/api/management/v2/useradm/roles", json=role).status_code == 201

    assert status_of(front, user_path(device.id), token_of(sign_in(tenant, "callers"))) == 101
    assert status_of(front, user_path(device.id), token_of(sign_in(tenant, "others"))) == 403


REVOCATIONS = {
    "the token is revoked": lambda admin, hands, user, device: hands.post("/api/management/v1/useradm/auth/logout"),
    "the user is deleted": lambda admin, hands, user, device: admin.delete(f"/api/management/v1/useradm/users/{user}"),
    "the user has another role": lambda admin, hands, user, device: admin.put(
        f"/api/management/v1/useradm/users/{user}", json={"roles": ["RBAC_ROLE_OBSERVER"]}
    ),
    "the device is in another group": lambda admin, hands, user, device: admin.put(
        f"/api/management/v1/inventory/devices/{device}/group", json={"group": "others"}
    ),
}


@pytest.mark.parametrize("how", REVOCATIONS)
@pytest.mark.parametrize("who", ["user", "device"])
def test_a_session_ends_when_its_permission_is_revoked(
    server, api, tenant, device, sign_in, monkeypatch, how: str, who: str
):
    """Otherwise the shell of a removed user would stay open for two hours."""
    monkeypatch.setattr(Cache, "get", lambda _, __, read, **___: read())  # a process that checks again
    api.put(f"/api/management/v1/inventory/devices/{device.id}/group", json={"group": "lamps"})
    hands = lamps_operator(api, tenant, sign_in)
    me = hands.get("/api/management/v1/useradm/users/me").json()["id"]
    with (
        FakeDevice(server.url, str(device.token)) as fake,
        opened(server.url, user_path(device.id), token_of(hands)) as user,
    ):
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        assert REVOCATIONS[how](api, hands, me, device.id).is_success

        if who == "user":
            say(user, Message(SHELL, "shell", body=b"reboot"))
        else:
            fake.say(Message(SHELL, "shell", session, body=b"secret"))
        heard, _ = hear_all(user)

        assert [message.proto for message in heard] == [Proto.CONTROL]
        assert unpack(heard[0].body) == {"err": "access to the device has ended", "close": True}
        fake.wait_for(lambda message: message.typ == "stop")
        assert b"reboot" not in [message.body for message in fake.heard]


def test_pages_of_other_sites_cannot_open_a_session_by_cookie(front, device, connected, token):
    cookie = {"Cookie": f"JWT={token}"}
    address = front.replace("http", "ws", 1) + user_path(device.id)
    for origin, status in (("https://evil.example", 401), (front, 101)):
        try:
            with connect(address, additional_headers=cookie, origin=Origin(origin), proxy=None, open_timeout=PATIENCE):
                answered = 101
        except InvalidStatus as refused:
            answered = refused.response.status_code
        assert answered == status, origin


def test_users_who_may_only_read_cannot_connect(front, tenant, device, connected, sign_in):
    reader = sign_in(tenant, "RBAC_ROLE_OBSERVER")

    assert status_of(front, user_path(device.id), token_of(reader)) == 403


def test_a_tenant_without_the_add_on_cannot_open_sessions(front, server, http, sign_in):
    plain = service.create_tenant("Plain", plan="professional", addons=[])
    world = World(sign_in(plain), http, plain.tenant_token)
    device = world.device()
    with FakeDevice(front, str(device.token)):
        assert status_of(front, user_path(device.id), token_of(world.api)) == 403


def test_sessions_are_recorded_with_the_add_on_on_any_plan(front, http, sign_in):
    modest = service.create_tenant("Modest", plan="professional")
    world = World(sign_in(modest), http, modest.tenant_token)
    device = world.device()
    with FakeDevice(front, str(device.token)), opened(front, user_path(str(device.id)), token_of(world.api)) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        say(user, Message(SHELL, "shell", body=b"echoed"))
        hear(user)
    recording = f"/api/management/v1/deviceconnect/sessions/{session}/recording"
    until("it is recorded", lambda: world.api.get(recording).status_code == 200)


def test_sessions_have_audit_entries(front, api, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        say(user, Message(SHELL, "new"))  # it is already open
        hear(user)
        say(user, Message(Proto.PORT_FORWARD, "new", props={"connection_id": "c"}))
        say(user, Message(Proto.FILE_TRANSFER, "stat", body=pack({"path": "/etc/shadow"})))
        connected.files["/etc/shadow"] = b"x"
        say(user, Message(Proto.FILE_TRANSFER, "get_file", body=pack({"path": "/etc/shadow"})))
        connected.wait_for(lambda message: message.typ == "get_file")
    connected.wait_for(lambda message: message.typ == "stop")

    def entries() -> list[dict[str, Any]]:
        found = api.get("/api/management/v1/auditlogs/logs", params={"object_type": "device", "object_id": device.id})
        return [entry for entry in found.json() if "session_id" in entry.get("meta", {})]

    until("the end is logged", lambda: entries()[0]["action"] == "close_terminal")
    assert [entry["action"] for entry in reversed(entries())] == [
        "open_terminal",
        "open_portforward",
        "download_file",
        "close_terminal",
    ]
    me = api.get("/api/management/v1/useradm/users/me").json()
    for entry in entries():
        assert entry["meta"]["session_id"] == [session]
        assert entry["actor"] == {"id": me["id"], "type": "user", "email": me["email"]}
    assert next(each for each in entries() if each["action"] == "download_file")["meta"]["path"] == ["/etc/shadow"]


@pytest.mark.usefixtures("warm")
def test_a_message_costs_only_its_delivery(server, tenant, device, connected, token):
    """In a warm process, user and connection are cached. Recording a terminal's output takes two writes."""
    with opened(server.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        found = sending.session(TenantId(tenant.id), session)
        assert found is not None
        forward = dialect.to_server(Frame(envelope.encode(Message(Proto.PORT_FORWARD, "forward", body=b"x"))))
        deviceconnect_service.received(found.connection, forward, found.endpoint)
        hear(user)
        with counted() as asked:
            deviceconnect_service.received(found.connection, forward, found.endpoint)
            answered = hear(user)
        shell = dialect.to_server(Frame(envelope.encode(Message(SHELL, "shell", session, body=b"x"))))
        state = sending._states.get((tenant.id, device.id), lambda: None)
        assert state is not None
        assert state.place is not None
        endpoint, link = state.place
        with counted() as shown:
            deviceconnect_service.received(link, shell, endpoint)
            hear(user)
            until("it is recorded", lambda: shown.round_trips >= 2)

    assert answered.typ == "forward"
    assert asked.calls == []
    assert shown.by_operation == {"PutItem": 1, "UpdateItem": 1}


def test_a_rejected_device_is_disconnected(front, api, device, connected, token, monkeypatch):
    without_caches = replace(settings.current(), control_cache=0.0)
    monkeypatch.setattr(settings, "current", lambda: without_caches)
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        device_id, aid = set_of(api, device)
        path = f"{device_path(device_id)}/auth/{aid}/status"
        assert api.put(path, json={"status": "rejected"}).status_code == 204
        say(user, Message(SHELL, "shell", body=b"still there?"))
        told, _ = hear_all(user)
    assert unpack(told[-1].body)["err"] == "access to the device has ended"
    assert not [message for message in connected.heard if message.body == b"still there?"]
    assert status_of(front, user_path(device.id), token) == 404
