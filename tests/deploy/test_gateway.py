"""Throttling, logs and traces of API Gateway are set, and not changed if they are correct."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest

from infra.deploy import gateway
from infra.deploy.functions import STAGES, Stage, Throttle
from infra.local import environment
from infra.local.engine.process import REGION, Engine
from infra.scripts.stack import as_deployed

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/api-gateway-logs"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    running = Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True)
    with running as engine, environment.applied(engine.env()):
        yield


@dataclass
class Apis:
    """A REST API and a WebSocket API, each with a stage."""

    rest: str
    websocket: str

    def settle(self, stage: Stage) -> list[str]:
        """Apply the settings as ``make deploy`` does."""
        return gateway.settle(stage, name="api", rest_api=self.rest, websocket_api=self.websocket, account=ACCOUNT)

    def stages(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The current settings of both stages."""
        return (
            boto3.client("apigateway").get_stage(restApiId=self.rest, stageName="api"),
            boto3.client("apigatewayv2").get_stage(ApiId=self.websocket, StageName="api"),
        )


@pytest.fixture
def apis(engine: None) -> Apis:
    rest, websocket = boto3.client("apigateway"), boto3.client("apigatewayv2")
    api = rest.create_rest_api(name="some")["id"]
    [root] = rest.get_resources(restApiId=api)["items"]
    rest.put_method(restApiId=api, resourceId=root["id"], httpMethod="GET", authorizationType="NONE")
    rest.put_integration(restApiId=api, resourceId=root["id"], httpMethod="GET", type="MOCK")
    rest.create_deployment(restApiId=api, stageName="api")
    made = websocket.create_api(Name="some", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    websocket.create_stage(ApiId=made["ApiId"], StageName="api", AutoDeploy=True)
    return Apis(api, made["ApiId"])


def test_both_apis_are_throttled_and_repeating_changes_nothing(apis: Apis) -> None:
    stage = Stage("some", throttle=Throttle(3_000, 1_500), websocket_throttle=Throttle(700, 300))

    assert len(apis.settle(stage)) == 2
    assert apis.settle(stage) == []

    rest, websocket = apis.stages()
    assert (rest["methodSettings"]["*/*"]["throttlingRateLimit"], websocket["AutoDeploy"]) == (3_000, True)
    assert rest["methodSettings"]["*/*"]["throttlingBurstLimit"] == 1_500
    assert websocket["DefaultRouteSettings"] == {"ThrottlingRateLimit": 700, "ThrottlingBurstLimit": 300}
    assert apis.settle(replace(stage, throttle=Throttle(3_000, 1_501))) != []
    assert apis.stages()[0]["methodSettings"]["*/*"]["throttlingBurstLimit"] == 1_501


def test_calls_are_logged_only_if_the_stage_enables_it(apis: Apis) -> None:
    stage = Stage("some", access_logs=True, log_days=7)

    assert len(apis.settle(stage)) == 2
    assert apis.settle(stage) == []

    rest, websocket = apis.stages()
    names = gateway.log_groups("some")
    arns = [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}" for name in names]
    assert [rest["accessLogSettings"]["destinationArn"], websocket["AccessLogSettings"]["DestinationArn"]] == arns
    found = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/aws/apigateway/lamplighter-some")["logGroups"]
    assert {each["logGroupName"]: each["retentionInDays"] for each in found} == dict.fromkeys(names, 7)

    apis.settle(Stage("some"))
    rest, websocket = apis.stages()
    assert not rest.get("accessLogSettings")
    assert not websocket.get("AccessLogSettings")


@pytest.mark.parametrize("line", [gateway.REST_LINE, gateway.WEBSOCKET_LINE])
def test_access_logs_contain_no_tokens(line: str) -> None:
    """Tokens are in headers and in the query of a websocket, which API Gateway could log."""
    variables = set(json.loads(line).values())

    assert all(each.startswith("$context.") for each in variables)
    assert not [
        each for each in variables if any(part in each for part in ("query", "header", "authorizer", "resourcePath"))
    ]


def test_a_missing_role_is_reported_before_anything_is_changed(engine: None) -> None:
    wanted = Stage("some", access_logs=True)
    gateway.refuse_without_role(Stage("some"))

    with pytest.raises(gateway.NoLogRoleError, match="no role in this account"):
        gateway.refuse_without_role(wanted)

    account = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}]
    boto3.client("apigateway").update_account(patchOperations=account)
    gateway.refuse_without_role(wanted)


@pytest.mark.parametrize("on", [True, False])
def test_traces_of_the_rest_api_follow_the_stage(apis: Apis, on: bool) -> None:
    apis.settle(Stage("some", tracing=not on))
    apis.settle(Stage("some", tracing=on))

    assert bool(apis.stages()[0].get("tracingEnabled")) is on


def test_the_defaults_are_enough_for_the_largest_fleet_of_the_cost_page() -> None:
    """Three million devices make 1,719 calls a second, and a hundred thousand that come back at once 1,667."""
    for stage in STAGES:
        assert stage.throttle.rate > 2 * 1_719
        assert stage.throttle.burst >= 1_667


def test_a_stack_has_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("some", access_logs=True)
    monkeypatch.setattr("infra.deploy.functions.STAGES", (stage,))
    body = {"info": {"title": "lamplighter-some"}}
    template = {
        "Resources": {
            "RestAPI": {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionBody": body}},
            "WebsocketAPIStage": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": {}},
        }
    }

    made = as_deployed(template, "some")["Resources"]

    [method] = made["RestAPI"]["Properties"]["MethodSettings"]
    limits = {"ThrottlingRateLimit": stage.throttle.rate, "ThrottlingBurstLimit": stage.throttle.burst}
    assert method == {"ResourcePath": "/*", "HttpMethod": "*", **limits}
    assert made["WebsocketAPIStage"]["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"] == 2_000
    groups = {each["Properties"]["LogGroupName"] for each in made.values() if each["Type"] == "AWS::Logs::LogGroup"}
    assert groups == set(gateway.log_groups("some"))
    for logged in (
        made["RestAPI"]["Properties"]["AccessLogSetting"],
        made["WebsocketAPIStage"]["Properties"]["AccessLogSettings"],
    ):
        group, attribute = logged["DestinationArn"]["Fn::GetAtt"]
        assert (group in made, attribute) == (True, "Arn")
