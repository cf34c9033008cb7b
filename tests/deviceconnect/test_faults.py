"""Lost connections: the other side learns of it in bounded time, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest

from chalicelib import clock
from chalicelib.deviceconnect import service, tables
from chalicelib.deviceconnect.rules.envelope import Message
from chalicelib.storage.keys import TenantId
from infra.relay import files
from tests.deviceconnect.peers import SHELL, FakeDevice, Stalling, hear, hear_all, opened, say, user_path
from tests.deviceconnect.relay import RelayProcess
from tests.support.waiting import until

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.simulator.device import Device


@pytest.fixture
def own_relay(server: LocalServer) -> Iterator[RelayProcess]:
    """A relay that may be ended."""
    with RelayProcess(server.url, RELAY_SPREAD="0.2") as running:
        yield running


def state(api: httpx2.Client, device: Device) -> str:
    return str(api.get(f"/api/management/v1/deviceconnect/devices/{device.id}").json()["status"])


def running(server: LocalServer, tenant_id: str, device: Device) -> int:
    return len(tables.running_sessions(TenantId(tenant_id), str(device.id)))


def test_a_relay_that_is_killed(server, tenant, api, device, token, own_relay):
    with FakeDevice(own_relay.url, device.token), opened(own_relay.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        own_relay.kill()
        told, code = hear_all(user)
    assert (told, code) == ([], 1006)
    until("the device is known to have gone", lambda: state(api, device) == "disconnected")
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


def test_a_relay_that_shuts_down(server, tenant, api, device, token, own_relay):
    with FakeDevice(own_relay.url, device.token) as fake, opened(own_relay.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        assert own_relay.leave() == 0
        _, code = hear_all(user)
        fake.join()
    assert code == 1012
    assert "Traceback" not in own_relay.errors()
    until("the device is known to have gone", lambda: state(api, device) == "disconnected")
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


def test_a_device_that_disconnects_during_a_download(server, tenant, api, device, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.5)
    with Stalling(server.url, device.token) as fake:
        fake.files["/f"] = bytes(100_000)
        with api.stream("GET", f"/api/management/v1/deviceconnect/devices/{device.id}/download?path=/f") as answer:
            assert answer.status_code == 200
            assert fake.stalled.wait(10)
            fake.drop()
            with pytest.raises(httpx2.RemoteProtocolError):
                answer.read()
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


def test_a_silent_device_causes_a_timeout(server, tenant, api, device, monkeypatch):
    monkeypatch.setattr(files, "PATIENCE", 0.5)

    class Silent(FakeDevice):
        def _answer(self, message: Message) -> None:
            """Do not answer."""

    with Silent(server.url, device.token):
        place = f"/api/management/v1/deviceconnect/devices/{device.id}"
        for answer in (
            api.get(f"{place}/download", params={"path": "/f"}),
            api.put(f"{place}/upload", files={"path": (None, "/f"), "file": ("f", b"x")}),
        ):
            assert answer.status_code == 408
            assert set(answer.json()) == {"error", "request_id"}
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


def test_a_client_that_disconnects_during_a_download(server, tenant, api, device):
    class Endless(FakeDevice):
        def _2_ack(self, message: Message) -> None:
            offset = message.props["offset"]
            for _ in range(10):
                self._reply(message, "file_chunk", props={"offset": offset}, body=bytes(4096))
                offset += 4096

        def _2_get_file(self, message: Message) -> None:
            message.props["offset"] = 0
            self._2_ack(message)

    with Endless(server.url, device.token) as fake:
        fake.files["/f"] = b""
        with api.stream("GET", f"/api/management/v1/deviceconnect/devices/{device.id}/download?path=/f") as answer:
            next(answer.iter_raw())
        fake.wait_for(lambda message: message.typ == "close")
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


def test_an_upload_that_ends_early(server, tenant, api, device, connected):
    def cut() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n/f\r\n'
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + bytes(10_000)

    place = f"/api/management/v1/deviceconnect/devices/{device.id}/upload"
    answer = api.put(place, content=cut(), headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert answer.status_code == 400
    assert connected.files == {}
    until("the session has ended", lambda: running(server, tenant.id, device) == 0)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"file": ("f", b"x")}, "path: must be an absolute path"),
        ({"path": (None, "relative"), "file": ("f", b"x")}, "path: must be an absolute path"),
        ({"path": (None, "/f"), "mode": (None, "rw"), "file": ("f", b"x")}, "mode: must be a number"),
        ({"path": (None, "/f"), "uid": (None, "-1"), "file": ("f", b"x")}, "uid: must be a number"),
        ({"path": (None, "/f")}, "request does not contain the file"),
    ],
)
def test_invalid_upload_forms_are_refused(front, api, device, connected, form, text):
    place = f"{front}/api/management/v1/deviceconnect/devices/{device.id}/upload"
    answer = api.put(place, files=form)

    assert answer.status_code == 400
    assert answer.json()["error"] == text


def test_invalid_file_requests_are_refused(front, api, device, connected):
    place = f"{front}/api/management/v1/deviceconnect/devices/{device.id}/download"

    missing = api.get(place, params={"path": "/none"})
    assert (missing.status_code, missing.json()["error"]) == (400, "stat /none: no such file or directory")
    assert api.get(place, params={"path": "none"}).status_code == 400
    assert api.get(place).status_code == 400
    connected.files["/f"] = b"facts"
    facts = api.head(place, params={"path": "/f"})
    assert (facts.status_code, facts.content) == (200, b"")
    assert facts.headers["X-MEN-File-Size"] == "5"
    assert not [message for message in connected.heard if message.typ == "get_file"]


def test_files_of_unknown_devices_get_404(front, api, device):
    place = f"{front}/api/management/v1/deviceconnect/devices/{device.id}"
    answer = api.get(f"{place}/download", params={"path": "/f"})
    assert (answer.status_code, answer.json()["error"]) == (409, "device disconnected")
    form = {"path": (None, "/f"), "file": ("f", b"x")}
    assert api.put(f"{place}/upload", files=form).status_code == 409


def test_a_session_whose_user_disconnected_unnoticed(server, tenant, api, device, token):
    """For example after the gateway was killed: the session ends at the latest when the device disconnects."""
    websockets = server.gateway.websockets
    with FakeDevice(server.url, device.token) as fake:
        with opened(server.url, user_path(device.id), token) as user:
            say(user, Message(SHELL, "new"))
            hear(user)
            [session] = tables.running_sessions(TenantId(tenant.id), device.id)
            websockets._connections.pop(session.connection).end()
        assert running(server, tenant.id, device) == 1
        fake.drop()
        until("the device is known to have gone", lambda: state(api, device) == "disconnected")
        service.tick(clock.now() + timedelta(seconds=31))
    assert running(server, tenant.id, device) == 0
