"""One server and one fleet for all tests with Mender's programs, since starting them is slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.clients import cli, programs
from tests.clients.cli import MenderCli
from tests.clients.device import DEVICE_TYPE, Kind, MenderClient
from tests.clients.operator import Operator
from tests.simulator.device import PrivateKey
from tests.support.running import RunningServer, free_port

NewClient = Callable[..., MenderClient]
Publish = Callable[..., str]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("served") / "data", free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def operator(server: RunningServer) -> Iterator[Operator]:
    with server.client(server.token()) as http:
        yield Operator(http)


@pytest.fixture
def fresh_cli(server: RunningServer, tmp_path: Path) -> MenderCli:
    """``mender-cli`` without a login."""
    programs.needs("mender-cli")
    return MenderCli(server.facts["url"], server.facts["ca"], tmp_path)


@pytest.fixture(scope="session")
def mender_cli(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> MenderCli:
    """``mender-cli``, logged in as the admin."""
    programs.needs("mender-cli")
    command = MenderCli(server.facts["url"], server.facts["ca"], tmp_path_factory.mktemp("home"))
    ended = command.login(server.facts["user"], server.facts["password"])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return command


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which devices install files. Each device mounts its own folder there; outside it stays empty."""
    return tmp_path_factory.mktemp("target")


@pytest.fixture
def publish(mender_cli: MenderCli, target: Path, tmp_path: Path) -> Publish:
    """Generates and uploads an artifact; returns its name."""
    programs.needs_generator()

    def make(name: str, content: str = "", *, module: str = "single-file", device_type: str = DEVICE_TYPE) -> str:
        if module == "single-file":
            file = cli.single_file(tmp_path, name, content, into=target, device_type=device_type)
        else:
            file = cli.of_module(tmp_path, name, module, device_type=device_type)
        ended = mender_cli.upload(file)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return name

    return make


@pytest.fixture(scope="session")
def new_client(server: RunningServer, target: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewClient]:
    """Starts a client with a new identity."""
    programs.needs_devices()
    with ExitStack() as running:

        def start(serial: str, key: Kind, certify: Callable[[PrivateKey], str] | None = None) -> MenderClient:
            folder = tmp_path_factory.mktemp(serial)
            made = MenderClient(folder, server.facts, serial=serial, key=key, target=target, certify=certify)
            return running.enter_context(made)

        yield start


@pytest.fixture(scope="session")
def fleet(new_client: NewClient, operator: Operator) -> tuple[MenderClient, MenderClient]:
    """Two accepted, running clients: one with an RSA key, one with an Ed25519 key."""
    pair = new_client("rsa-lamp", "rsa"), new_client("ed25519-lamp", "ed25519")
    for client in pair:
        operator.accept(client)
    for client in pair:
        client.wait("sends its inventory", partial(operator.inventory, client))
    return pair
