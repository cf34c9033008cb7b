"""``make run`` with Mender's programs: its printed data, and persistence over a restart."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.paths import ROOT
from tests.clients import cli, programs
from tests.clients.cli import MenderCli
from tests.support.running import RunningServer, free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.clients

FACTS = ("url", "ca", "user", "password", "tenant_token")


def test_the_servers_file_is_readable_by_its_owner_only(server: RunningServer) -> None:
    file = server.data / "server.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert all(server.facts.get(name) for name in FACTS)


def test_a_restart_keeps_addresses_login_and_artifacts(tmp_path: Path) -> None:
    programs.needs("mender-cli")
    programs.needs_generator()
    port = free_port()
    artifact = cli.single_file(tmp_path, "kept-1", "light", into=tmp_path, device_type="catalog")

    with RunningServer(tmp_path / "data", port) as first:
        before = first.facts
        command = MenderCli(before["url"], before["ca"], tmp_path)
        assert command.login(before["user"], before["password"]).returncode == 0
        assert command.upload(artifact).returncode == 0
    assert first.code == 0, first.output()
    assert "Traceback" not in first.output()

    with RunningServer(tmp_path / "data", port) as second:
        assert {name: second.facts[name] for name in FACTS} == {name: before[name] for name in FACTS}
        assert second.facts["tenant_id"] == before["tenant_id"]
        # First with the old token, then with a new login.
        assert "kept-1" in command("artifacts", "list").stdout
        assert command.login(before["user"], before["password"]).returncode == 0
        assert "409" in command.upload(artifact).stderr


def test_a_busy_port_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-m", "infra.local.run", "--data", str(tmp_path), "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert str(port) in ended.stderr
