"""A real ``chalice deploy``: the project's files, its layer and its policies, as they would go to AWS.

A deployment can go green without a route, so what came out is compared with the app and then called.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import app
from infra.local.engine import process
from infra.local.engine.process import ROOT, Engine
from tests.deploy.stage import EMAIL, PASSWORD, STAGE, Stage, copy_project
from tests.devauth.fleet import accept, device_path
from tests.simulator.device import Device

pytestmark = pytest.mark.slow

SIZED = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]
FUNCTIONS = {f"lamplighter-{STAGE}{'' if name == 'api_handler' else f'-{name}'}" for name in SIZED}
ONLY_IN_THE_LAYER = ("argon2", "aws_lambda_powertools", "jwt", "msgspec", "pynamodb")
LIMIT = 30.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The deployed stage."""
    folder = tmp_path_factory.mktemp("deploy")
    copy_project(folder / "project")
    with Engine(folder / "engine", persist=False, auth=True) as engine:
        made = Stage(engine, folder / "project")
        made.prepare()
        made.chalice("deploy")
        yield made


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> dict[str, Any]:
    """A tenant with an admin, made by the admin's command."""
    stage.manage("signing-key", "rotate")
    made: dict[str, Any] = stage.manage("tenant", "create", "Acme")
    stage.manage("user", "create", EMAIL, "--tenant", made["id"], "--password", PASSWORD)
    return made


@pytest.fixture
def http(stage: Stage) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=stage.url, timeout=60) as client:
        yield client


@pytest.fixture
def api(stage: Stage, tenant: dict[str, Any], http: httpx2.Client) -> Iterator[httpx2.Client]:
    answer = http.post("/api/management/v1/useradm/auth/login", auth=(EMAIL, PASSWORD))
    assert answer.status_code == 200, answer.text
    headers = {"Authorization": f"Bearer {answer.text}"}
    with httpx2.Client(base_url=stage.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def device(tenant: dict[str, Any], http: httpx2.Client) -> Device:
    return Device(http, tenant["tenant_token"])


def expected_resources() -> dict[str, set[str]]:
    """The methods at each node of the tree that the app's routes need, preflight included."""
    tree: dict[str, set[str]] = {"/": set()}
    for path, methods in app.routes.items():
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            tree.setdefault("/" + "/".join(parts[:depth]), set())
        preflight = {"OPTIONS"} if any(entry.cors for entry in methods.values()) else set()
        tree.setdefault(path, set()).update(methods, preflight)
    return tree


def wait_until_empty(stage: Stage, queue: str) -> None:
    """Return once no message waits and none is in work: a worker that fails keeps its message from being gone."""
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    deadline = time.monotonic() + LIMIT
    while any(int(n) for n in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"].values()):
        assert time.monotonic() < deadline, f"{queue} still holds messages"
        time.sleep(0.1)
    sqs.close()


def test_the_api_has_the_routes_of_the_app(stage: Stage) -> None:
    deployed = stage.resources()

    assert app.routes, "the app has no routes"
    assert len(deployed) == len(expected_resources())
    assert deployed == expected_resources()


def test_the_functions_are_there_each_with_the_layer(stage: Stage) -> None:
    functions = stage.functions()

    assert {function["FunctionName"] for function in functions} == FUNCTIONS
    assert [len(function.get("Layers", [])) for function in functions] == [1] * len(FUNCTIONS)


def test_the_engine_has_no_library_to_lend(stage: Stage) -> None:
    """Its own libraries come before a layer's: what it had, a layer that lacks it would not miss."""
    code = f"from importlib.util import find_spec; print([n for n in {ONLY_IN_THE_LAYER!r} if find_spec(n)])"
    python = str(process._interpreter())
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_device_gets_in_and_asks_for_updates(api: httpx2.Client, device: Device) -> None:
    accept(api, device)  # 401, accepted, 200

    assert device.token
    assert device.claims["mender.device"] is True
    assert device.poll().status_code == 204
    assert device.inventory().status_code == 200
    assert api.get("/api/management/v1/deployments/deployments").json() == []


def test_a_wrong_password_is_the_apps_own_refusal(tenant: dict[str, Any], http: httpx2.Client) -> None:
    answer = http.post("/api/management/v1/useradm/auth/login", auth=(EMAIL, "a-wrong-password"))

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "request_id"}


@pytest.mark.parametrize("path", ["/api/devices/v1/nothing", "/api/management/v1/useradm", "/nowhere/devices/v1"])
def test_what_is_no_route_is_refused(http: httpx2.Client, path: str) -> None:
    assert http.get(path).status_code in (403, 404)


def test_a_decommissioned_device_is_cleared_out_by_the_queue_worker(
    stage: Stage, api: httpx2.Client, device: Device
) -> None:
    accept(api, device)
    assert device.inventory().status_code == 200

    assert api.delete(device_path(device.id)).status_code == 204

    wait_until_empty(stage, f"lamplighter-{STAGE}-decommissions")
    wait_until_empty(stage, f"lamplighter-{STAGE}-decommissions-dead")
    assert device.poll().status_code == 401


def test_the_schedule_runs(stage: Stage, tenant: dict[str, Any]) -> None:
    event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}, "resources": []}
    event |= {"version": "0", "account": "000000000000", "id": "1", "region": process.REGION}
    event |= {"time": "2030-01-01T00:00:00Z"}
    service = stage.client("lambda")
    answer = service.invoke(FunctionName=f"lamplighter-{STAGE}-tick", Payload=json.dumps(event))
    payload = answer["Payload"].read().decode()
    service.close()

    assert "FunctionError" not in answer, payload


def test_a_deletion_leaves_no_function_and_no_api(stage: Stage, tmp_path: Path) -> None:
    """On an engine of its own, from the packages already built; deployed twice, as stages are."""
    shutil.copytree(stage.project, tmp_path / "project", ignore=shutil.ignore_patterns("deployed"))
    with Engine(tmp_path / "engine", persist=False, auth=True) as engine:
        doomed = Stage(engine, tmp_path / "project")
        doomed.prepare()
        doomed.chalice("deploy")
        first = doomed.api_id
        doomed.chalice("deploy")
        assert doomed.api_id == first, "a second deployment moved the API"
        assert doomed.resources() == expected_resources()
        assert {function["FunctionName"] for function in doomed.functions()} == FUNCTIONS

        doomed.chalice("delete")

        assert doomed.functions() == []
        assert doomed.apis() == []
