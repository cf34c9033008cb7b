"""``make run``: the real server, started from the command line."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.paths import ROOT
from tests.support.running import LOGIN, RunningServer, free_port

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def port() -> int:
    return free_port()


def login(running: RunningServer) -> Any:
    with running.client() as client:
        about = running.facts
        return client.post(LOGIN, auth=(about["user"], about["password"]))


def test_a_new_server_prints_a_valid_login(tmp_path: Path, port: int) -> None:
    with RunningServer(tmp_path / "data", port) as running:
        about = running.facts
        assert about["url"] == f"https://localhost:{port}"
        assert login(running).status_code == 200

    assert running.code == 0
    assert about["password"] in running.output()
    assert about["tenant_token"] in running.output()
    for name in ("server.json", "first_tenant.json"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_users_tokens_and_the_ca_survive_a_restart(tmp_path: Path, port: int, end: signal.Signals) -> None:
    with RunningServer(tmp_path, port) as first:
        token = login(first).text
        before = first.facts
        first.stop(end)

    with RunningServer(tmp_path, port) as second:
        after = second.facts
        assert login(second).status_code == 200
        with second.client() as client:
            answer = client.get("/api/management/v1/useradm/users/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            assert answer.json()["email"] == before["user"]
    assert before["password"] not in second.output(), "the password is shown once"
    assert {key: after[key] for key in ("user", "password", "tenant_token", "ca", "url")} == {
        key: before[key] for key in ("user", "password", "tenant_token", "ca", "url")
    }


def test_after_a_lost_password_another_administrator_is_created(tmp_path: Path, port: int) -> None:
    with RunningServer(tmp_path, port) as first:
        lost = first.facts
    (tmp_path / "first_tenant.json").unlink()

    with RunningServer(tmp_path, port) as second:
        assert second.facts["user"] != lost["user"]
        assert second.facts["tenant_id"] == lost["tenant_id"]
        assert login(second).status_code == 200


def test_after_a_reset_the_same_administrator_is_created(tmp_path: Path, port: int) -> None:
    with RunningServer(tmp_path, port) as first:
        before = first.facts
    for snapshot in (tmp_path / "engine" / "state").glob("snapshot-*"):
        snapshot.rename(tmp_path / snapshot.name)

    with RunningServer(tmp_path, port) as second:
        assert second.facts["user"] == before["user"]
        assert second.facts["password"] == before["password"]
        assert second.facts["tenant_id"] != before["tenant_id"]
        assert login(second).status_code == 200


def test_it_ends_if_its_engine_is_killed_and_goes_on_where_it_was(tmp_path: Path, port: int) -> None:
    with RunningServer(tmp_path / "data", port) as first:
        token = login(first).text
        os.kill(first.engine, signal.SIGKILL)
        first.join()
        assert first.code == 1
        assert "the embedded AWS engine has ended (exit code -9)" in first.output()

    with RunningServer(tmp_path / "data", port) as second, second.client(token) as client:
        assert client.get("/api/management/v1/useradm/users/me").status_code == 200


def test_a_busy_port_is_reported_in_one_line(tmp_path: Path) -> None:
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
