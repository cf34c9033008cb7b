"""``make run``: the real server, started as a person starts it."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import httpx2
import pytest

from infra.local.engine.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = "/api/management/v1/useradm/auth/login"


class Running:
    """A server in a process of its own; usable as a context manager, which stops it with SIGTERM."""

    def __init__(self, data: Path, port: int) -> None:
        self._command = [sys.executable, "-m", "infra.local.run", "--data", str(data), "--port", str(port)]
        self._data = data
        self.output = ""
        self.code: int | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._serving = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self._serving.wait(60), self.output
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGTERM)

    def stop(self, number: signal.Signals) -> None:
        """Send a signal, and wait for the end."""
        self._process.send_signal(number)
        self.code = self._process.wait(60)
        self._reader.join()

    @property
    def about(self) -> dict[str, str]:
        """What the server wrote down about itself."""
        document: dict[str, str] = json.loads((self._data / "server.json").read_text())
        return document

    def client(self) -> httpx2.Client:
        """A client that trusts the server's own CA."""
        trust = ssl.create_default_context(cafile=self.about["ca"])
        return httpx2.Client(base_url=self.about["url"], verify=trust, timeout=60)

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self.output += line
                if "Ctrl-C stops the server" in line:
                    self._serving.set()
        self._serving.set()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


def login(running: Running) -> Any:
    with running.client() as client:
        about = running.about
        return client.post(LOGIN, auth=(about["user"], about["password"]))


def test_a_fresh_server_says_how_to_log_in_and_lets_one_in(tmp_path: Path, port: int) -> None:
    with Running(tmp_path / "data", port) as running:
        about = running.about
        assert about["url"] == f"https://localhost:{port}"
        assert login(running).status_code == 200

    assert running.code == 0
    assert about["password"] in running.output
    assert about["tenant_token"] in running.output
    for name in ("server.json", "first_tenant.json"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_users_tokens_and_the_ca_survive_a_restart(tmp_path: Path, port: int, end: signal.Signals) -> None:
    with Running(tmp_path, port) as first:
        token = login(first).text
        before = first.about
        first.stop(end)

    with Running(tmp_path, port) as second:
        after = second.about
        assert login(second).status_code == 200
        with second.client() as client:
            answer = client.get("/api/management/v1/useradm/users/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            assert answer.json()["email"] == before["user"]
    assert before["password"] not in second.output, "the password is shown once"
    assert {key: after[key] for key in ("user", "password", "tenant_token", "ca", "url")} == {
        key: before[key] for key in ("user", "password", "tenant_token", "ca", "url")
    }


def test_a_lost_password_is_replaced_by_another_admin(tmp_path: Path, port: int) -> None:
    with Running(tmp_path, port) as first:
        lost = first.about
    (tmp_path / "first_tenant.json").unlink()

    with Running(tmp_path, port) as second:
        assert second.about["user"] != lost["user"]
        assert second.about["tenant_id"] == lost["tenant_id"]
        assert login(second).status_code == 200


def test_thrown_away_data_get_the_same_admin_again(tmp_path: Path, port: int) -> None:
    with Running(tmp_path, port) as first:
        before = first.about
    for snapshot in (tmp_path / "engine" / "state").glob("snapshot-*"):
        snapshot.rename(tmp_path / snapshot.name)

    with Running(tmp_path, port) as second:
        assert second.about["user"] == before["user"]
        assert second.about["password"] == before["password"]
        assert second.about["tenant_id"] != before["tenant_id"]
        assert login(second).status_code == 200


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "infra.local.run", "--data", str(tmp_path), "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == f"lamplighter: can't serve on 127.0.0.1 port {port}: Address already in use\n"
