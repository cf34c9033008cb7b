"""One small server for each module: the stub app behind the gateway, with its own engine."""

from __future__ import annotations

import json
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from infra.local.engine.process import REGION, interpreter
from infra.local.testing import LocalServer
from infra.paths import ROOT
from tests.local import stub_app
from tests.local.attacking import BUCKET, ROUTES, SECRET
from tests.support.aws import client_of

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


@pytest.fixture(scope="module")
def services() -> dict[str, list[str]]:
    done = subprocess.run([interpreter(), "-c", ROUTES], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 50
    return found


@pytest.fixture(scope="module")
def stored(server: LocalServer) -> Iterator[Any]:
    """A client of the engine's S3, with an object in the bucket and one in another; and a secret elsewhere."""
    s3, ssm = client_of(server.engine, "s3"), client_of(server.engine, "ssm")
    s3.create_bucket(Bucket="other", CreateBucketConfiguration={"LocationConstraint": REGION})
    for bucket in (BUCKET, "other"):
        s3.put_object(Bucket=bucket, Key="tenant/kept", Body=SECRET)
    ssm.put_parameter(Name="/key", Value=SECRET.decode(), Type="SecureString")
    ssm.close()
    yield s3
    s3.close()
