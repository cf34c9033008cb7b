"""Failures of AWS: retried within the time of the call, then 503, and nothing is left half done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest
from msgspec import structs

from chalicelib import settings
from chalicelib.aws import client
from chalicelib.storage.dynamodb import shared
from chalicelib.storage.transport import Patience
from infra.local.testing import LocalServer
from tests.deployments.world import World, serves, serves_nothing
from tests.simulator.device import Device
from tests.storage.conftest import BRISK, MakeTransport
from tests.storage.stage import ITEM, Stage, answer, cut, refusal, say_nothing

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

pytestmark = pytest.mark.usefixtures("warm")

SLOW_DOWN = answer(b"<Error><Code>SlowDown</Code></Error>", 503)
LOG = {"messages": [{"timestamp": "2026-01-01T00:00:00Z", "level": "error", "message": "no"}]}


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """A tenant with data."""
    return World(api, http, tenant.tenant_token)


@pytest.fixture
def device(world: World) -> Device:
    """A device without deployments."""
    device = world.device()
    serves_nothing(device.poll())
    return device


@pytest.fixture
def dynamodb(make_transport: MakeTransport, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Use the stage instead of DynamoDB."""

    def put(patience: Patience = BRISK) -> None:
        monkeypatch.setattr(shared(), "_transport", make_transport(patience))

    return put


@pytest.fixture
def others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Use the stage instead of all services except DynamoDB."""

    def put() -> None:
        known = structs.replace(settings.aws(), endpoint_url=stage.url)
        monkeypatch.setattr(settings, "aws", lambda: known)

    return put


@pytest.fixture
def short_timeout(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls have a timeout of two seconds, after which the gateway answers 504, as on AWS."""
    monkeypatch.setattr(server.gateway, "_limits", replace(server.gateway._limits, handler=2.0))


def is_unavailable(response: httpx2.Response) -> None:
    assert response.status_code == 503, response.text
    assert response.content == b""  # Mender's clients 4 and 5 fail on a body
    assert response.headers["X-MEN-RequestID"]
    assert 5 <= int(response.headers["Retry-After"]) <= 15


def send_log(device: Device, deployment: str) -> httpx2.Response:
    return device.call("PUT", f"/v1/deployments/device/deployments/{deployment}/log", LOG)


@pytest.mark.parametrize(
    "play",
    [refusal("ThrottlingException"), refusal("InternalServerError", status=500), cut],
    ids=["throttled", "failing", "hanging up"],
)
def test_a_poll_gets_503_when_dynamodb_does_not_answer(device: Device, stage: Stage, dynamodb, play):
    dynamodb()
    stage.will(*[play] * 9)

    is_unavailable(device.poll())

    assert len(stage.visits) == BRISK.attempts


def test_callers_refused_together_get_different_retry_times(device: Device, stage: Stage, dynamodb):
    dynamodb()
    stage.will(*[refusal("ThrottlingException")] * 200)

    assert len({device.poll().headers["Retry-After"] for _ in range(20)}) > 3


@pytest.mark.usefixtures("short_timeout")
def test_a_dynamodb_that_does_not_answer_is_abandoned_before_the_timeout(device: Device, stage: Stage, dynamodb):
    dynamodb(Patience())  # would otherwise wait 10 s
    stage.will(*[say_nothing] * 9)

    is_unavailable(device.poll())

    stage.over.set()


def test_a_log_is_stored_even_if_s3_is_slow_at_first(world: World, device: Device, stage: Stage, others):
    world.upload("v1")
    deployment = world.deploy("v1", [device.id])
    serves(device.poll(), deployment)
    others()
    stage.will(SLOW_DOWN, cut, answer(b"", x_amz_version_id="1"))

    assert send_log(device, deployment).status_code == 204

    assert len(stage.visits) == 3


@pytest.mark.parametrize("play", [SLOW_DOWN, say_nothing], ids=["slow", "silent"])
@pytest.mark.usefixtures("short_timeout")
def test_no_partial_log_is_stored_if_s3_fails(world: World, device: Device, stage: Stage, others, play):
    world.upload("v1")
    deployment = world.deploy("v1", [device.id])
    serves(device.poll(), deployment)
    others()
    stage.will(*[play] * 9)

    is_unavailable(send_log(device, deployment))

    stage.over.set()
    assert world.rows(deployment)[device.id]["log"] is False


def test_throttling_in_json_protocols_is_retried(server: LocalServer, stage: Stage, others):
    others()
    stage.will(refusal("ThrottlingException"), refusal("RequestLimitExceeded"), answer(ITEM))

    assert client.call("ssm", "AmazonSSM.GetParameter", {"Name": "x"}) == ITEM


def test_other_refusals_are_final(server: LocalServer, stage: Stage, others):
    others()
    stage.will(refusal("ParameterNotFound"), answer(ITEM))

    with pytest.raises(client.AwsError, match="ParameterNotFound"):
        client.call("ssm", "AmazonSSM.GetParameter", {"Name": "x"})

    assert len(stage.visits) == 1
