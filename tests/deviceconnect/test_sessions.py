"""Sessions between users and devices, over the websockets of the local gateway."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from chalicelib import clock, limits
from chalicelib.deviceconnect import service
from chalicelib.deviceconnect.rules.envelope import Message, unpack
from chalicelib.errors import TooManyRequests
from chalicelib.http import throttle
from chalicelib.tenantadm import service as tenantadm_service
from infra.local.gateway import Gateway
from infra.local.rules import Limits
from infra.local.server import Server
from infra.relay.recordings import RestRecordings
from tests.artifacts.catalog import bucket, bucket_name
from tests.deviceconnect.peers import DEVICE, SHELL, FakeDevice, hear, hear_all, opened, say, user_path
from tests.support.waiting import until


def test_a_terminal(front, api, device, connected, token):
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    assert api.get(place).json()["status"] == "connected"
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new", props={"terminal_width": 80, "terminal_height": 24}))
        started = hear(user)
        assert (started.typ, started.props["status"], started.body) == ("new", 1, b"Shell started")
        say(user, Message(SHELL, "shell", body=b"uname -a\n"))
        assert hear(user).body == b"uname -a\n"
        me = api.get("/api/management/v1/useradm/users/me").json()["id"]
        asked = connected.wait_for(lambda message: message.typ == "shell")
        assert asked.props["user_id"] == me
        assert asked.sid == started.sid
    stop = connected.wait_for(lambda message: message.typ == "stop")
    assert (stop.sid, stop.props["status"], stop.body) == (started.sid, 2, b"user disconnected")


def test_files(front, api, device, connected):
    place = front + f"/api/management/v1/deviceconnect/devices/{device.id}"
    data = bytes(range(256)) * 1000
    form = {"path": (None, "/tmp/x"), "mode": (None, "644"), "file": ("x", data)}
    assert api.put(f"{place}/upload", files=form).status_code == 201
    assert connected.files == {"/tmp/x": data}
    answer = api.get(f"{place}/download", params={"path": "/tmp/x"})
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["X-MEN-File-Mode"] == "644"


def test_a_session_is_recorded_and_played_back(front, api, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new", props={"terminal_width": 80, "terminal_height": 24}))
        session = hear(user).sid
        for line in (b"uname -a\n", b"exit\n"):
            say(user, Message(SHELL, "shell", body=line))
            assert hear(user).body == line
    connected.wait_for(lambda message: message.typ == "stop")
    place = f"/api/management/v1/deviceconnect/sessions/{session}"
    until("the recording is in the bucket", lambda: api.get(f"{place}/recording").status_code == 200)
    assert tags(api.get(f"{place}/recording").json()["uri"]) == [{"Key": "kept", "Value": "30-days"}]

    with opened(front, f"{place}/playback?sleep_ms=%C2%B2", token) as player:  # not a number: the default
        played, code = hear_all(player)
    assert code == 1000
    assert played[0].typ == "resize"
    assert b"".join(message.body for message in played if message.typ == "shell") == b"uname -a\nexit\n"
    assert {message.sid for message in played} == {session}


def test_the_size_of_a_recording_is_limited(server, device, connected, token, monkeypatch):
    """Endless resizing of the window, or single bytes of output, must not fill table and memory."""
    monkeypatch.setattr(limits, "RECORDING", 1000)
    with opened(server.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        session = hear(user).sid
        for width in range(1, 41):
            say(user, Message(SHELL, "resize", props={"terminal_width": width, "terminal_height": 24}))
        say(user, Message(SHELL, "shell", body=b"x"))
        heard, _ = hear_all(user)
    assert unpack(heard[-1].body)["err"] == "session byte limit exhausted"
    connected.wait_for(lambda message: message.typ == "stop")
    place = f"/api/management/v1/deviceconnect/sessions/{session}/playback?sleep_ms=0"
    with opened(server.url, place, token) as player:
        played, _ = hear_all(player)
    assert 0 < len(played) < 20


def tags(uri: str) -> list[dict[str, str]]:
    """The tags of the linked object, which the bucket's lifecycle rule uses."""
    key = urlsplit(uri).path.partition(f"/{bucket_name()}/")[2]
    found: list[dict[str, str]] = bucket().get_object_tagging(Bucket=bucket_name(), Key=key)["TagSet"]
    return found


def test_sessions_end_if_the_device_does_not_reconnect(front, api, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        connected.drop()
        place = f"/api/management/v1/deviceconnect/devices/{device.id}"
        until("the device has gone", lambda: api.get(place).json()["status"] == "disconnected")
        service.tick(clock.now())
        say(user, Message(SHELL, "shell", body=b"x"))
        assert [hear(user).typ, hear(user).typ] == ["stop", "error"]

        service.tick(clock.now() + timedelta(seconds=31))

        told, code = hear_all(user)
    assert unpack(told[-1].body)["err"] == "device disconnected"
    assert code is not None


def test_a_session_continues_when_its_device_reconnects(front, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        assert device.token is not None
        with FakeDevice(front, device.token) as again:
            connected.join()
            service.tick(clock.now() + timedelta(seconds=31))
            say(user, Message(SHELL, "shell", body=b"still here"))
            assert hear(user).body == b"still here"
            again.wait_for(lambda message: message.typ == "shell")


def test_a_decommissioned_device_is_disconnected(front, server, api, device, connected, token):
    with opened(front, user_path(device.id), token) as user:
        assert api.delete(f"/api/management/v2/devauth/devices/{device.id}").status_code == 204
        server.drain()
        told, _ = hear_all(user)
    assert unpack(told[-1].body)["err"] == "device decommissioned"
    connected.join()
    assert api.get(f"/api/management/v1/deviceconnect/devices/{device.id}").status_code == 404


def test_a_refused_websocket_is_not_logged_as_an_error(server, device, token, caplog):
    for _ in range(2):  # when the second one is refused, everything about the first one is logged
        with pytest.raises(InvalidStatus) as refused, opened(server.url, user_path(device.id), token):
            pass
        assert refused.value.response.status_code == 404
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_devices_of_other_tenants_get_404(front, server, device, connected, sign_in):
    stranger = sign_in(tenantadm_service.create_tenant("Other"))
    theirs = stranger.headers["Authorization"].removeprefix("Bearer ")
    with pytest.raises(InvalidStatus) as refused, opened(front, user_path(device.id), theirs):
        pass
    assert refused.value.response.status_code == 404
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    assert stranger.get(place).status_code == 404
    assert stranger.post(f"{place}/check-update").status_code == 404
    assert stranger.get(f"{front}{place}/download", params={"path": "/etc/passwd"}).status_code == 409
    assert connected.heard == []


@pytest.mark.parametrize("wrong", ["", "garbage"])
def test_connecting_requires_a_token(front, device, wrong):
    for path in (DEVICE, user_path(device.id)):
        with pytest.raises(InvalidStatus) as refused, opened(front, path, wrong):
            pass
        assert refused.value.response.status_code == 401


def test_a_refused_handshake_of_a_device_has_no_body(front, device, monkeypatch):
    def refusal(path: str, token: str) -> Response:
        with pytest.raises(InvalidStatus) as refused, opened(front, path, token):
            pass
        return refused.value.response

    unknown = refusal(DEVICE, "garbage")
    told = refusal(user_path(device.id), "garbage")

    assert (unknown.status_code, unknown.body) == (401, b"")
    assert unknown.headers["Content-Length"] == "0"
    assert json.loads(told.body or b"")["error"]

    def too_many(*_: str) -> None:
        raise TooManyRequests(retry_after=7)

    monkeypatch.setattr(throttle, "admit", too_many)
    throttled = refusal(DEVICE, device.token)

    assert (throttled.status_code, throttled.body) == (429, b"")
    assert throttled.headers["Retry-After"] == "7"


def test_a_busy_server_tells_devices_when_to_connect(server, device):
    gateway = Gateway(server.app, threads=1, limits=Limits(wait=0.0), recordings=RestRecordings(server.url))
    busy, released, taken = Server("127.0.0.1", 0), threading.Event(), threading.Event()

    def occupy() -> bool:
        taken.set()
        return released.wait(60)

    def occupied() -> None:
        asyncio.run(gateway.handlers.run(gateway.handlers.users, occupy, asyncio.Event().wait))

    busy.start(gateway)
    with ThreadPoolExecutor(1) as other:
        other.submit(occupied)
        assert taken.wait(30)
        with pytest.raises(InvalidStatus) as refused, opened(busy.url(), DEVICE, device.token):
            pass
        released.set()
    answer = refused.value.response
    assert (answer.status_code, answer.body) == (429, b"")
    assert int(answer.headers["Retry-After"]) >= 1
    with opened(busy.url(), DEVICE, device.token):
        pass
    busy.stop()


def test_user_tokens_cannot_connect_as_a_device(front, device, token):
    for path, other in ((DEVICE, token), (user_path(device.id), device.token)):
        with pytest.raises(InvalidStatus) as refused, opened(front, path, other):
            pass
        assert refused.value.response.status_code == 401


def test_commands(api, device, connected):
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    for command in ("check-update", "send-inventory"):
        answer = api.post(f"{place}/{command}")
        assert (answer.status_code, answer.text) == (202, "null")
        assert connected.wait_for(lambda message, typ=command: message.typ == typ).proto == 4


def test_a_configuration_deployment_notifies_its_device(api, device, connected):
    place = f"/api/management/v1/deviceconfig/configurations/device/{device.id}"
    assert api.put(place, json={"key": "value"}).status_code == 204
    assert api.post(f"{place}/deploy", json={}).status_code == 200
    connected.wait_for(lambda message: message.typ == "check-update")


def test_commands_for_unknown_or_disconnected_devices(api, device):
    place = f"/api/management/v1/deviceconnect/devices/{device.id}"
    assert api.get(place).json()["status"] == "unknown"
    for command in ("check-update", "send-inventory"):
        assert api.post(f"{place}/{command}").status_code == 404
