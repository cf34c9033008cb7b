"""A real deployment to the embedded engine: the project's files, layer and policies, as for AWS.

A deployment can succeed without a route, so the result is compared with the app and then called. One deployment
serves all tests; the last of them delete it.
"""

from __future__ import annotations

import json
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus

from app import app
from infra.deploy import storage
from infra.deploy.bytecode import cache_name
from infra.deploy.functions import TABLES, default_bucket
from infra.deploy.smoke import Smoke
from infra.local import environment
from infra.local.engine import process
from infra.local.engine.process import REGION, Engine
from infra.local.provision import STORAGE
from infra.paths import ROOT
from tests.deploy.stage import EMAIL, PASSWORD, STAGE, Stage, copy_project, wait_until_handled
from tests.devauth.fleet import accept, device_path
from tests.deviceconnect.peers import opened
from tests.simulator.device import Device
from tests.support.receivers import Listener
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SIZED = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]
FUNCTIONS = {f"lamplighter-{STAGE}{'' if name == 'api_handler' else f'-{name}'}" for name in SIZED}
ONLY_IN_THE_LAYER = ("argon2", "aws_lambda_powertools", "jwt", "msgspec", "pynamodb")


@pytest.fixture(scope="module")
def receiver() -> Iterator[Listener]:
    """An external server on loopback, which the stage may call."""
    with Listener() as listening:
        yield listening


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, receiver: Listener) -> Iterator[Stage]:
    """The deployed stage."""
    folder = tmp_path_factory.mktemp("deploy")
    copy_project(
        folder / "project",
        LAMPLIGHTER_MAIL_FROM="noreply@example.com",
        LAMPLIGHTER_OUTBOUND_NETWORKS="127.0.0.0/8",
        LAMPLIGHTER_OUTBOUND_PORTS=str(receiver.port),
    )
    with Engine(folder / "engine", persist=False, auth=True) as engine:
        made = Stage(engine, folder / "project")
        made.deploy()
        yield made


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> dict[str, Any]:
    """A tenant with an administrator, created by the admin's command."""
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


def test_the_api_has_the_routes_of_the_app(stage: Stage) -> None:
    deployed = stage.resources()

    assert app.routes, "the app has no routes"
    assert len(deployed) == len(expected_resources())
    assert deployed == expected_resources()


def test_all_functions_exist_with_the_layer(stage: Stage) -> None:
    functions = stage.functions()

    assert {function["FunctionName"] for function in functions} == FUNCTIONS
    assert [len(function.get("Layers", [])) for function in functions] == [1] * len(FUNCTIONS)


def test_the_engine_provides_no_libraries(stage: Stage) -> None:
    """Its own libraries would precede the layer's and hide that one is missing."""
    code = f"from importlib.util import find_spec; print([n for n in {ONLY_IN_THE_LAYER!r} if find_spec(n)])"
    python = str(process.interpreter())
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_device_is_accepted_and_polls(api: httpx2.Client, device: Device) -> None:
    accept(api, device)  # 401, accepted, 200

    assert device.token
    assert device.claims["mender.device"] is True
    assert device.poll().status_code == 204
    assert device.inventory().status_code == 200
    assert api.get("/api/management/v1/deployments/deployments").json() == []


def test_a_wrong_password_is_refused_by_the_app(tenant: dict[str, Any], http: httpx2.Client) -> None:
    answer = http.post("/api/management/v1/useradm/auth/login", auth=(EMAIL, "a-wrong-password"))

    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "request_id"}


@pytest.mark.parametrize("path", ["/api/devices/v1/nothing", "/api/management/v1/useradm"])
def test_unknown_routes_are_refused_in_the_apps_format(http: httpx2.Client, path: str) -> None:
    """API Gateway refuses them without calling a function."""
    answer = http.get(path)

    assert answer.status_code == 404
    assert answer.json() == {"error": "not found", "request_id": answer.headers["X-MEN-RequestID"]}


def test_every_error_of_the_gateway_has_the_apps_format(stage: Stage) -> None:
    gateway = stage.client("apigateway")
    responses = gateway.get_gateway_responses(restApiId=stage.api_id, limit=100)["items"]
    gateway.close()
    ours = {each["responseType"] for each in responses if not each["defaultResponse"]}

    assert ours == {
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "INTEGRATION_TIMEOUT",
        "MISSING_AUTHENTICATION_TOKEN",
        "REQUEST_TOO_LARGE",
        "THROTTLED",
    }
    for response in responses:
        if response["responseType"] in ours:
            text = response["responseTemplates"]["application/json"]
            if response["responseType"] == "THROTTLED":
                assert text == "", "devices are throttled too, and some of their clients fail on a body"
                continue
            shown = json.loads(text.replace("$context.error.messageString", '"text"'))
            assert set(shown) == {"error", "request_id"}


def test_the_zips_carry_byte_code(stage: Stage) -> None:
    zips = sorted((stage.project / ".chalice" / "deployments").glob("*.zip"))

    assert len(zips) == 2
    for each in zips:
        with zipfile.ZipFile(each) as archive:
            names = set(archive.namelist())
        modules = {name for name in names if name.endswith(".py")}
        assert len({name for name in modules if cache_name(name) in names}) > 0.98 * len(modules)


def test_functions_know_their_urls_and_logs_expire(stage: Stage) -> None:
    logs = stage.client("logs")
    kept = {each["logGroupName"]: each.get("retentionInDays") for each in logs.describe_log_groups()["logGroups"]}
    logs.close()

    for function in stage.functions():
        assert function["Environment"]["Variables"]["LAMPLIGHTER_PUBLIC_URL"] == stage.url
        assert kept[f"/aws/lambda/{function['FunctionName']}"] == 1


def test_the_smoke_test_passes(stage: Stage, tenant: dict[str, Any]) -> None:
    said: list[str] = []

    assert Smoke(stage.url, EMAIL, PASSWORD, websocket_url=stage.websocket_url, report=said.append).run(), said
    assert [line for line in said if not line.startswith("PASS ")] == []
    assert "PASS websocket session" in said


def test_a_failing_smoke_test_reports_it_and_cleans_up(stage: Stage, api: httpx2.Client) -> None:
    said: list[str] = []
    before = api.get("/api/management/v2/devauth/devices").json()
    # The port is closed: the step fails after a device and an artifact were created.
    smoke = Smoke(stage.url, EMAIL, PASSWORD, websocket_url="ws://127.0.0.1:1", report=said.append)

    assert not smoke.run()
    assert [line.partition(":")[0] for line in said if line.startswith("FAIL")] == ["FAIL websocket session"]
    assert "PASS clean up: the device" in said
    assert api.get("/api/management/v2/devauth/devices").json() == before
    assert api.get("/api/management/v1/deployments/artifacts").json() == []


def test_a_personal_access_token_opens_a_websocket(stage: Stage, api: httpx2.Client, device: Device) -> None:
    accept(api, device)
    made = api.post("/api/management/v1/useradm/settings/tokens", json={"name": "ws", "expires_in": 3600})
    token = made.text.strip('"')

    with (
        opened(stage.websocket_url, "", str(device.token)),
        opened(stage.websocket_url, f"?device_id={device.id}", token),
    ):
        [shown] = api.get("/api/management/v1/useradm/settings/tokens").json()
        assert shown["last_used"]
        state = api.get(f"/api/management/v1/deviceconnect/devices/{device.id}").json()
        assert state["status"] == "connected"


def test_a_websocket_without_a_token_is_refused(stage: Stage) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(stage.websocket_url, "", "")

    assert refused.value.response.status_code == 403


def test_a_webhook_is_called(stage: Stage, api: httpx2.Client, device: Device, receiver: Listener) -> None:
    hook = {"provider": "webhook", "credentials": {"type": "http", "http": {"url": receiver.url, "secret": "00" * 16}}}
    assert api.post("/api/management/v1/iot-manager/integrations", json=hook).status_code == 201
    accept(api, device)

    wait_until_handled(stage, "deliveries")
    told = [json.loads(each.body)["type"] for each in receiver.received]

    assert "device-provisioned" in told


def test_a_mail_is_sent(stage: Stage, tenant: dict[str, Any], http: httpx2.Client) -> None:
    ses = stage.client("sesv2")
    with suppress(ses.exceptions.AlreadyExistsException):
        ses.create_email_identity(EmailIdentity="noreply@example.com")
    ses.close()

    answer = http.post("/api/management/v1/useradm/auth/password-reset/start", json={"email": EMAIL})

    assert answer.status_code == 202
    wait_until_handled(stage, "mails")


def test_the_queue_worker_deletes_data_of_a_decommissioned_device(
    stage: Stage, api: httpx2.Client, device: Device
) -> None:
    accept(api, device)
    assert device.inventory().status_code == 200

    assert api.delete(device_path(device.id)).status_code == 204

    wait_until_handled(stage, "decommissions")
    assert device.poll().status_code == 401


@pytest.mark.parametrize(
    ("function", "table", "operation"),
    [
        ("websocket_connect", "devauth", "get_item"),
        ("websocket_connect", "fleet", "delete_item"),
        ("websocket_message", "useradm", "delete_item"),
        ("uploads", "devauth", "get_item"),
        ("api_handler", "auditlogs", "delete_item"),
        ("tick", "auditlogs", "delete_item"),
    ],
)
def test_functions_have_no_other_permissions(stage: Stage, function: str, table: str, operation: str) -> None:
    client = stage.assumed(f"lamplighter-{STAGE}-{function}", "dynamodb")
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}

    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(client, operation)(TableName=f"lamplighter-{STAGE}-{table}", Key=key)
    client.close()


def test_a_role_has_access_to_this_installation_only(stage: Stage) -> None:
    """Only this account, region and bucket, and websockets of its own API."""
    [websocket] = stage.deployed("websocket_api")
    parts = [arn.split(":", 5) for name in FUNCTIONS for arn in stage.granted(name)]

    assert {(each[3], each[4]) for each in parts} == {(REGION, "000000000000"), ("", "")}
    assert {each[5].partition("/")[0] for each in parts if each[2] == "execute-api"} == {websocket["websocket_api_id"]}


def test_both_apis_are_deployed_with_their_throttles(stage: Stage) -> None:
    [websocket] = stage.deployed("websocket_api")
    rest = stage.client("apigateway").get_stage(restApiId=stage.api_id, stageName="api")
    sockets = stage.client("apigatewayv2").get_stage(ApiId=websocket["websocket_api_id"], StageName="api")

    assert rest["methodSettings"]["*/*"]["throttlingRateLimit"] == 5_000
    assert sockets["DefaultRouteSettings"]["ThrottlingRateLimit"] == 2_000


def test_storage_is_deployed_by_cloudformation(stage: Stage) -> None:
    """The template is a stack, as on AWS."""
    with environment.applied(stage.engine.env()):
        stack = storage.Stack("lamplighter-cfn-storage")
        made = stack.update(STORAGE.read_text(), {"Stage": "cfn"})
        again = stack.update(STORAGE.read_text(), {"Stage": "cfn"})
        bucket = stack.output("Bucket")

    dynamodb = stage.client("dynamodb")
    tables = {name.removeprefix("lamplighter-cfn-") for name in dynamodb.list_tables()["TableNames"]}
    dynamodb.close()
    assert made == "stack lamplighter-cfn-storage: created"
    assert again == "stack lamplighter-cfn-storage is up to date"
    assert set(TABLES) <= tables
    assert bucket == default_bucket("cfn", "000000000000", REGION)


def test_a_plain_chalice_deploy_updates_the_stage(stage: Stage) -> None:
    before = stage.api_id, stage.websocket_url

    stage.chalice("deploy")

    assert (stage.api_id, stage.websocket_url) == before, "a second deployment moved the APIs"
    assert stage.resources() == expected_resources()
    assert {function["FunctionName"] for function in stage.functions()} == FUNCTIONS


def test_functions_alone_can_be_deployed_and_keep_their_secrets(stage: Stage) -> None:
    """For deploying an older version, whose template would remove new indexes."""
    said = stage.deploy("--no-storage", LAMPLIGHTER_EDGE_SECRET="between-us" * 4, LAMPLIGHTER_SIGNUP="true")
    said += stage.deploy("--no-storage")

    assert " tables, " not in said
    for function in stage.functions():
        variables = function["Environment"]["Variables"]
        assert variables["LAMPLIGHTER_EDGE_SECRET"] == "between-us" * 4
        assert "LAMPLIGHTER_SIGNUP" not in variables
        assert variables["LAMPLIGHTER_PUBLIC_URL"] == stage.url


def test_a_rollback_makes_the_previous_release_live(stage: Stage, http: httpx2.Client) -> None:
    service = stage.client("lambda")

    def secrets() -> set[str | None]:
        """The edge's secret in the live versions."""
        called = [service.get_function_configuration(FunctionName=name, Qualifier="live") for name in FUNCTIONS]
        return {each["Environment"]["Variables"].get("LAMPLIGHTER_EDGE_SECRET") for each in called}

    assert secrets() == {"between-us" * 4}
    assert "release 1 of" in stage.rollback()
    assert secrets() == {None}
    assert http.get("/api/management/v1/useradm/users").status_code == 401, "the release before does not answer"
    assert "release 2 of" in stage.rollback("--to", "2")
    assert secrets() == {"between-us" * 4}
    service.close()


def test_the_schedule_fires(stage: Stage) -> None:
    """It runs every minute; a failing function would log it. This test is late in the file to avoid waiting."""
    group = f"/aws/lambda/lamplighter-{STAGE}-tick"
    logs = stage.client("logs")

    def runs() -> str:
        events = logs.filter_log_events(logGroupName=group)["events"]
        return "\n".join(each["message"] for each in events)

    until("a run of the schedule", lambda: "REPORT" in runs(), timeout=75)
    said = runs()
    logs.close()

    assert "Traceback" not in said
    assert "ERROR" not in said


def test_undeploy_removes_all_resources_of_a_stage(stage: Stage) -> None:
    assert all(stage.inventory().values()), "nothing is there that could be deleted"

    stage.undeploy()

    assert {kind: names for kind, names in stage.inventory().items() if names} == {}
