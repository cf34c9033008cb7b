"""The whole server is killed during a session: both ends notice, and the next server has no stale session."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib.deviceconnect.rules.envelope import Message
from tests.devauth.fleet import accept
from tests.deviceconnect.peers import SHELL, FakeDevice, Stalling, hear, hear_all, opened, say, user_path
from tests.simulator.device import Device
from tests.support.running import RunningServer, free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

DEVICES = "/api/management/v1/deviceconnect/devices"


def keep(data: Path, device: Device) -> None:
    """Wait until all changes so far are on disk."""
    for change in "ab":  # the first snapshot may have begun earlier
        before = snapshots(data)
        assert device.inventory({"change": change}).status_code == 200
        until("a snapshot", partial(newer, data, before))


def snapshots(data: Path) -> set[Path]:
    return set((data / "engine" / "state").glob("snapshot-*"))


def newer(data: Path, than: set[Path]) -> set[Path]:
    return snapshots(data) - than


def test_a_server_is_killed_during_a_download_and_a_session(tmp_path: Path):
    data, port = tmp_path / "data", free_port()
    with RunningServer(data, port) as server, server.client() as http, server.client(server.token()) as api:
        url, tls, token = server.facts["url"], {"ssl": server.trust()}, server.token()
        device = Device(http, server.facts["tenant_token"])
        accept(api, device)
        place, user = f"{DEVICES}/{device.id}", user_path(device.id)
        with Stalling(url, str(device.token), **tls) as fake, opened(url, user, token, **tls) as session:
            fake.files["/f"] = bytes(100_000)
            say(session, Message(SHELL, "new"))
            hear(session)
            with api.stream("GET", f"{place}/download?path=/f") as answer:
                assert answer.status_code == 200
                assert fake.stalled.wait(10)
                keep(data, device)
                server.kill()
                with pytest.raises(httpx2.RemoteProtocolError):
                    answer.read()
            assert hear_all(session) == ([], 1006)
            fake.join()

    with RunningServer(data, port) as server, server.client(server.token()) as api:

        def state() -> Any:
            return api.get(place).json()["status"]

        assert state() == "disconnected"
        assert api.get(f"{place}/download?path=/f").status_code == 409
        entries = api.get("/api/management/v1/auditlogs/logs").json()
        terminal = [entry["action"] for entry in entries if entry["action"].endswith("_terminal")]
        assert terminal == ["close_terminal", "open_terminal"]
        with FakeDevice(url, str(device.token), **tls) as back:
            back.files["/f"] = bytes(100_000)
            until("the device is back", lambda: state() == "connected")
            assert api.get(f"{place}/download?path=/f").content == back.files["/f"]
            heard = [message.sid for message in back.heard]
            assert len(set(heard)) == 1, "the device hears of one session only"
