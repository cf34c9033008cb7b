"""A separate table on the engine, and transports to a server that simulates failures."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import botocore.session
import pytest

from chalicelib.storage import connection, credentials
from chalicelib.storage.transport import Patience, Transport
from infra.local.testing import LocalServer
from tests.storage.stage import Stage

TABLE = "storage-test"
"""The table of these tests, with the usual keys."""

BRISK = Patience(connect=1, read=5, budget=5, pause=0.002, throttled_pause=0.002)
"""The default number of attempts, with short timeouts."""


@pytest.fixture(scope="session")
def table(server: LocalServer) -> str:
    """The name of the table."""
    boto3.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
    )
    return TABLE


@pytest.fixture(scope="session")
def botocore_client(table: str) -> Any:
    """Botocore's client, for comparison."""
    return boto3.client("dynamodb")


@pytest.fixture(scope="session")
def seam(table: str) -> connection.SeamConnection:
    """The connection of the process, with our transport."""
    return connection.shared()


@pytest.fixture
def pk() -> str:
    """A partition that no other test uses."""
    return f"T#{uuid.uuid4().hex}"


@pytest.fixture
def stage() -> Iterator[Stage]:
    """The server that simulates failures."""
    with Stage() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> botocore.session.Session:
    """The session with the credentials of calls."""
    own = botocore.session.Session()
    own.set_credentials("AKIDEXAMPLE", "secret")
    monkeypatch.setattr(credentials, "_session", cache(lambda: own))
    return own


MakeTransport = Callable[..., Transport]


@pytest.fixture
def make_transport(stage: Stage, session: botocore.session.Session) -> Iterator[MakeTransport]:
    """Create transports to the stage, which are closed after the test."""
    made: list[Transport] = []

    def make(patience: Patience = BRISK, url: str = "") -> Transport:
        made.append(Transport("eu-west-1", url or stage.url, patience))
        return made[-1]

    yield make
    for one in made:
        one._pool.close()
