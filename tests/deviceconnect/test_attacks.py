"""Attacks on remote sessions: using those of others, and actions that are missing in the audit log."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus

from chalicelib.deviceconnect.rules.envelope import Message, Proto, pack, unpack
from chalicelib.tenantadm import service
from tests.deployments.world import World
from tests.deviceconnect.peers import SHELL, FakeDevice, hear, hear_all, opened, say, user_path

if TYPE_CHECKING:
    import httpx2

FILE = Proto.FILE_TRANSFER

UNREADABLE = [
    pack({"path": "/etc/shadow"}) + b"\0",  # devices read the first document and ignore the rest
    pack(["/etc/shadow"]),  # and an array instead of a map
    pack({b"path": "/etc/shadow"}),  # and bytes instead of a name
    pack({"path": "/tmp/x", b"path": "/etc/shadow"}),
    b"\x81\xa4path\xa4\xff\xfe\xfd\xfc",  # invalid text
    pack({"path": ["/etc/shadow"]}),
    pack({"path": ""}),
    pack({}),
    pack("/etc/shadow"),
    b"",
    b"\xc1",
    b"\x91" * 2000,
]
"""Bodies from which devices may read a path, but the audit log cannot."""


def entries(api: httpx2.Client, device_id: str) -> list[dict[str, Any]]:
    """Audit entries about sessions with a device, newest first."""
    query = {"object_type": "device", "object_id": device_id, "per_page": "100"}
    found = api.get("/api/management/v1/auditlogs/logs", params=query).json()
    return [entry for entry in found if "session_id" in entry.get("meta", {})]


def test_a_file_request_that_the_audit_log_cannot_read_is_refused(front, api, device, connected, token) -> None:
    connected.files = {b"/etc/shadow": b"x"}
    for number, body in enumerate(UNREADABLE):
        with opened(front, user_path(device.id), token) as user:
            say(user, Message(FILE, ("get_file", "put_file")[number % 2], body=body))
            told, _ = hear_all(user)
        assert [unpack(each.body)["err"] for each in told] == ["the path of the file can't be read"], body
    assert entries(api, device.id) == []
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(FILE, "get_file", body=pack({"path": b"/etc/shadow"})))
        connected.wait_for(lambda message: message.typ == "get_file")

    assert [message.typ for message in connected.heard if message.proto == FILE] == ["get_file"]
    [entry] = entries(api, device.id)
    assert (entry["action"], entry["meta"]["path"]) == ("download_file", ["/etc/shadow"])


def test_a_device_cannot_send_into_sessions_of_other_devices(
    server, world, device, connected, token, http, sign_in
) -> None:
    """Another device, in this tenant and in another, sends to a user's session that is not with it."""
    if not connected:
        raise AssertionError
    elsewhere = service.create_tenant("Other")
    others = [world.device(), World(sign_in(elsewhere), http, elsewhere.tenant_token).device()]
    with opened(server.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        for other in others:
            assert other.token is not None
            with FakeDevice(server.url, other.token) as evil:
                evil.say(Message(SHELL, "shell", session, {"status": 1}, b"evil"))
                stopped = evil.wait_for(lambda message: message.typ == "stop")
                assert stopped.body == b"session ended"
        say(user, Message(SHELL, "shell", body=b"mine"))
        assert hear(user).body == b"mine"


def test_a_user_cannot_send_into_the_session_of_another(server, api, tenant, device, connected, token, sign_in) -> None:
    """The server sets the session and the user of a message, whatever the sender says."""
    other = sign_in(tenant)
    theirs = other.headers["Authorization"].removeprefix("Bearer ")
    me, them = (client.get("/api/management/v1/useradm/users/me").json()["id"] for client in (api, other))
    with (
        opened(server.url, user_path(device.id), token) as user,
        opened(server.url, user_path(device.id), theirs) as evil,
    ):
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        say(evil, Message(SHELL, "shell", session, {"user_id": me, "sid": session}, b"evil"))
        heard = connected.wait_for(lambda message: message.body == b"evil")
        assert heard.sid != session
        assert heard.props["user_id"] == them
        assert hear(evil).body == b"evil"
        say(user, Message(SHELL, "shell", body=b"mine"))
        assert hear(user).body == b"mine"


def test_a_device_id_in_a_path_cannot_add_parameters(front, device, connected, token) -> None:
    """The id is passed on as one value."""
    for wrong in (f"{uuid.uuid4()}&device_id={device.id}", f"x?device_id={device.id}", f"x#{device.id}", "", "../x"):
        with pytest.raises(InvalidStatus) as refused, opened(front, user_path(quote(wrong, safe="")), token):
            pass
        assert refused.value.response.status_code in {400, 403, 404}, wrong
    assert connected.heard == []
