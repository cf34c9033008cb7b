"""One small server for each module: the stub app behind the gateway, on an engine of its own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.local.testing import LocalServer
from tests.local import stub_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.stub_app import Stub


@pytest.fixture(scope="module")
def stub() -> Stub:
    return stub_app.build()


@pytest.fixture(scope="module")
def server(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    template = tmp_path_factory.mktemp("template") / "stub.yaml"
    template.write_text(stub_app.QUEUES)
    with LocalServer(lambda: stub.app, template=template, attach=stub.attach) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[httpx2.Client]:
    trust = ssl.create_default_context(cafile=str(server.ca))
    with httpx2.Client(base_url=server.url, verify=trust, timeout=60) as connected:
        yield connected
