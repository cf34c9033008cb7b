"""Remote access with unmodified programs, at the server itself and through a relay to the text dialect."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients import programs
from tests.clients.cli import MenderCli
from tests.clients.operator import Operator
from tests.clients.remote import RelayHost, RemoteDevice
from tests.deviceconnect.peers import hear_all, opened
from tests.support.running import free_port
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.clients.cli import Interactive
    from tests.support.running import RunningServer

pytestmark = pytest.mark.clients

CONNECT = "/api/management/v1/deviceconnect/devices"
MB = 1_000_000
MUCH = 25 * MB
"""Several times the sizes of all buffers between the two ends: a message of 8 MiB in a server, 64 frames of 32 KiB in
the gateway's queue, 20 unacknowledged chunks in the protocol of files."""


@pytest.fixture(scope="module", params=["gateway", "relay"])
def facts(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Mapping[str, str]]:
    """The server's address for the programs."""
    if request.param == "gateway":
        yield server.facts
        return
    with RelayHost(server.facts) as front:
        yield front.facts


@pytest.fixture(scope="module")
def command(facts: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> MenderCli:
    """``mender-cli``, logged in."""
    programs.needs("mender-cli")
    command = MenderCli(facts["url"], facts["ca"], tmp_path_factory.mktemp("home"))
    done = command.login(facts["user"], facts["password"])
    assert done.returncode == 0, done.stdout + done.stderr
    return command


@pytest.fixture(scope="module")
def device(
    request: pytest.FixtureRequest,
    facts: Mapping[str, str],
    operator: Operator,
    target: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RemoteDevice]:
    """An accepted device that is connected."""
    programs.needs_devices()
    programs.needs("mender-connect", "dbus-daemon")
    serial = f"remote-{facts['url'].rsplit(':', 1)[-1]}"
    with RemoteDevice(tmp_path_factory.mktemp(serial), facts, serial=serial, target=target) as running:
        operator.accept(running.client)
        place = f"{CONNECT}/{running.client.id}"
        until("it connects", lambda: operator.get(place)["status"] == "connected", timeout=60, detail=running.log)
        yield running


def has_prompt(terminal: Interactive) -> bool:
    """Whether the shell shows a prompt, if necessary after Enter."""
    for _ in range(2):
        with suppress(AssertionError):
            return until("the prompt", lambda: b"# " in terminal.output, timeout=10)
        terminal.say(b"\n")
    return False


@contextmanager
def at_prompt(command: MenderCli, device: RemoteDevice) -> Iterator[Interactive]:
    """Open a terminal whose shell shows a prompt.

    ``mender-connect`` 2.1 sometimes sends no output of a new shell, at least while it is still ending another one.
    Then another terminal is opened, as a user would.
    """
    seen = []
    for _ in range(3):
        with command.start("terminal", device.client.id) as terminal:
            if has_prompt(terminal):
                yield terminal
                return
            seen.append(terminal.shown())
    raise AssertionError("\n".join(["no prompt in three terminals", *seen, device.log()]))


def test_a_terminal(command: MenderCli, device: RemoteDevice, operator: Operator) -> None:
    with at_prompt(command, device) as terminal:
        terminal.say(b"echo $((6 * 7)) $(uname -s)\n")
        until("the answer", lambda: b"42 Linux" in terminal.output, detail=terminal.shown)
        terminal.say(b"exit\n")
        assert terminal.wait(30) == 0


def test_much_output_in_order(command: MenderCli, device: RemoteDevice) -> None:
    with at_prompt(command, device) as terminal:
        terminal.say(b"stty -echo; seq 1 5000 | tr '\\n' ,; echo E''ND\n")
        until("the end", lambda: b"END" in terminal.output, timeout=60)
        shown = terminal.output.replace(b"\r", b"").replace(b"\n", b"")
        assert b",".join(b"%d" % number for number in range(1, 5001)) in shown
        terminal.say(b"exit\n")
        assert terminal.wait(30) == 0


def test_a_recorded_run(command: MenderCli, device: RemoteDevice, operator: Operator, server: RunningServer) -> None:
    """Type ``uname -a`` in a terminal on the device, and play the session back through the API."""
    with at_prompt(command, device) as terminal:
        terminal.say(b"uname -a\n")
        until("the answer", lambda: os.uname().release.encode() in terminal.output)
        terminal.say(b"exit\n")
        assert terminal.wait(30) == 0
    logs = operator.get("/api/management/v1/auditlogs/logs?per_page=50&object_type=device")
    session = next(entry["meta"]["session_id"][0] for entry in logs if entry["action"] == "open_terminal")
    place = f"/api/management/v1/deviceconnect/sessions/{session}"
    until("the recording is stored", lambda: operator.has(f"{place}/recording"))
    with opened(server.facts["url"], f"{place}/playback?sleep_ms=0", server.token(), ssl=server.trust()) as player:
        played, code = hear_all(player)

    assert code == 1000
    screen = b"".join(message.body for message in played if message.typ == "shell")
    assert b"uname -a" in screen
    assert os.uname().release.encode() in screen


@pytest.mark.parametrize("size", [0, 1, MUCH], ids=["empty", "a byte", "much"])
def test_files_there_and_back(command: MenderCli, device: RemoteDevice, tmp_path: Path, size: int) -> None:
    sent, there, back = tmp_path / "sent", tmp_path / "there", tmp_path / "back"
    sent.write_bytes(os.urandom(MB) * (size // MB) + os.urandom(size % MB))

    up = command("cp", str(sent), f"{device.client.id}:{there}", timeout=300)
    assert up.returncode == 0, up.stdout + up.stderr
    assert digest(there) == digest(sent)
    down = command("cp", f"{device.client.id}:{there}", str(back), timeout=300)
    assert down.returncode == 0, down.stdout + down.stderr
    assert digest(back) == digest(sent)


def digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def test_a_file_that_does_not_exist(command: MenderCli, device: RemoteDevice, tmp_path: Path) -> None:
    done = command("cp", f"{device.client.id}:/nowhere/at-all", str(tmp_path / "back"))

    assert done.returncode != 0
    assert "no such file" in done.stdout + done.stderr


def test_a_forwarded_port(command: MenderCli, device: RemoteDevice) -> None:
    """Send 5 MB, more than all buffers hold, through a TCP port of the device that echoes them."""
    data = os.urandom(MB) * 5
    with closing(socket.create_server(("127.0.0.1", 0))) as echoing:
        threading.Thread(target=echo, args=(echoing,), daemon=True).start()
        here, there = free_port(), echoing.getsockname()[1]
        with command.start("port-forward", device.client.id, f"tcp/{here}:127.0.0.1:{there}") as forward:
            until("the port is open", lambda: is_open(here), detail=forward.shown)
            with socket.create_connection(("127.0.0.1", here), timeout=120) as link:
                threading.Thread(target=link.sendall, args=(data,), daemon=True).start()
                heard = bytearray()
                while len(heard) < len(data):
                    piece = link.recv(65536)
                    assert piece, len(heard)
                    heard += piece
    assert bytes(heard) == data


def echo(listening: socket.socket) -> None:
    while True:
        try:
            link, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=echo_one, args=(link,), daemon=True).start()


def echo_one(link: socket.socket) -> None:
    with link:
        while data := link.recv(65536):
            link.sendall(data)


def is_open(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def test_notifying_a_device(device: RemoteDevice, operator: Operator) -> None:
    for command in ("check-update", "send-inventory"):
        operator.trigger(device.client, command)
