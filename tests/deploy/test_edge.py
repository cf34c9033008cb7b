"""Templates around the functions: the edge, its firewall, the relay, and cheaper gateways."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

import boto3
import pytest

from app import app
from chalicelib.http.identity import Auth
from infra.deploy.definition import gateway_responses
from infra.local import environment
from infra.local.engine.process import Engine
from infra.local.template import read
from infra.paths import ROOT
from infra.relay.app import Relay
from infra.relay.uploads import PATIENCE, Api
from tests.all_routes.table import routes
from tests.deploy.test_alarms import ALARMS, repeated
from tests.deploy.test_templates import resources

FOLDER = ROOT / "infra" / "templates"
EDGE = read(FOLDER / "edge.yaml")["Resources"]
SECRET = {"Ref": "Secret"}
NODE = shutil.which("node")
TRANSFORMED: dict[str, Callable[[str], str]] = {"URL_DECODE": unquote, "NORMALIZE_PATH": normpath}


def sent_to(origin: str) -> list[str]:
    """The path patterns of an origin of the edge, in order."""
    behaviours = EDGE["Distribution"]["Properties"]["DistributionConfig"]["CacheBehaviors"]
    found = [each["Fn::If"][1] if "Fn::If" in each else each for each in behaviours]
    return [each["PathPattern"] for each in found if each["TargetOriginId"] == origin]


def relay_paths() -> set[str]:
    """The path patterns of the relay."""
    return set(sent_to("relay"))


def test_the_edge_can_send_operators_to_a_gateway_that_keeps_names_in_paths() -> None:
    """CloudFront uses the first matching behaviour, so those of the relay have to be first."""
    behaviours = EDGE["Distribution"]["Properties"]["DistributionConfig"]["CacheBehaviors"]

    assert sent_to("management") == ["/api/management/*"]
    assert behaviours[-1]["Fn::If"][1]["PathPattern"] == "/api/management/*"


@pytest.mark.parametrize("pattern", sorted(relay_paths()))
def test_the_relay_serves_all_paths_that_the_edge_routes_to_it(pattern: str) -> None:
    relay = Relay(None, None, Api("https://api"))  # type: ignore[arg-type]  # it only tells what it serves
    method = "PUT" if pattern.endswith("/upload") else "GET"
    path = pattern.replace("*", "some-id")

    assert any(relay.serves({"type": kind, "path": path, "method": method}) for kind in ("http", "websocket"))


def test_the_relay_uses_an_id_as_it_was_sent() -> None:
    """ASGI has decoded it already."""
    path = "/api/management/v1/deviceconnect/devices/a%41/connect"

    assert Relay.wish({"path": path}) == {"device_id": "a%41"}


def test_the_edge_routes_the_documented_paths_to_the_relay() -> None:
    page = (ROOT / "docs" / "remote-access.md").read_text()
    rows = re.findall(r"^\| (`/api/.*?) \|", page, re.MULTILINE)
    first = [re.findall(r"`([^`]+)`", row) for row in rows]
    written = {
        path for paths in first for path in [paths[0], *(paths[0].rpartition("/")[0] + more for more in paths[1:])]
    }

    assert relay_paths() == written


CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""AWS's own policy CachingOptimized."""


def test_the_edge_requires_tls_and_caches_nothing() -> None:
    config = EDGE["Distribution"]["Properties"]["DistributionConfig"]
    behaviours = [config["DefaultCacheBehavior"]]
    behaviours += [each["Fn::If"][1] if "Fn::If" in each else each for each in config["CacheBehaviors"]]
    origins = [each["Fn::If"][1] if "Fn::If" in each else each for each in config["Origins"]]

    assert config["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"
    assert config["WebACLId"] == {"Fn::GetAtt": "Firewall.Arn"}
    for behaviour in behaviours:
        assert behaviour["ViewerProtocolPolicy"] == "https-only"
        kept = behaviour.get("PathPattern") == "/ui/assets/*"
        assert behaviour["CachePolicyId"] == (CACHED if kept else "4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
        # Cached answers depend on no user: cookies, tokens and queries are not sent to the origin.
        assert ("OriginRequestPolicyId" in behaviour) is not kept
        assert behaviour["FunctionAssociations"]
    for origin in origins:
        assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
        assert origin["CustomOriginConfig"]["OriginSSLProtocols"] == ["TLSv1.2"]
    # Origins that do not need the caller's address do not get the secret.
    told = {each["Id"]: each["OriginCustomHeaders"] for each in origins if "OriginCustomHeaders" in each}
    header = [{"HeaderName": "X-Lamplighter-Edge", "HeaderValue": SECRET}]
    assert told == dict.fromkeys(("management", "relay", "rest"), header)
    [relay] = [origin for origin in origins if origin["Id"] == "relay"]
    assert relay["CustomOriginConfig"]["OriginReadTimeout"] > PATIENCE
    # All errors that CloudFront can be configured for; it caches no others.
    errors = {each["ErrorCode"]: each for each in config["CustomErrorResponses"]}
    assert errors == {
        code: {"ErrorCode": code, "ErrorCachingMinTTL": 0}
        for code in (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
    }
    hsts = EDGE["Strict"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    assert hsts["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000


def test_the_firewall_limits_routes_without_a_token() -> None:
    rule = EDGE["Firewall"]["Properties"]["Rules"][0]["Statement"]["RateBasedStatement"]
    matches = [each["ByteMatchStatement"] for each in rule["ScopeDownStatement"]["OrStatement"]["Statements"]]
    paths = [each["SearchString"] for each in matches]
    specs = [route.spec for route in routes(app)]
    open_to_all = {
        f"/api{spec.path}" for spec in specs if spec.auth is Auth.NONE and spec.path.startswith("/management")
    }

    assert {path for path in open_to_all if not path.startswith(tuple(paths))} == set()
    assert all(any(path.startswith(each) for path in open_to_all) for each in paths)
    for path in open_to_all:
        for written in spellings(path):
            assert any(counts(each, written) for each in matches), written


def test_the_firewall_of_the_api_has_the_rules_of_the_edge() -> None:
    api = read(FOLDER / "firewall.yaml")["Resources"]["Firewall"]["Properties"]

    assert api["Rules"] == EDGE["Firewall"]["Properties"]["Rules"]
    assert api["Scope"] == "REGIONAL"
    assert api["VisibilityConfig"]["SampledRequestsEnabled"] is False


def test_whoever_is_refused_for_load_is_told_when_to_come_back() -> None:
    """``docs/aws.md``, when a whole fleet calls at once."""
    throttled = gateway_responses()["THROTTLED"]
    refusals = [
        rule["Action"]["Block"]["CustomResponse"]
        for rule in EDGE["Firewall"]["Properties"]["Rules"]
        if "RateBasedStatement" in rule["Statement"]
    ]

    assert throttled["statusCode"] == "429"
    assert throttled["responseParameters"]["gatewayresponse.header.Retry-After"] == "'5'"
    assert {each["ResponseCode"] for each in refusals} == {429}
    for each in refusals:
        [seconds] = [header["Value"] for header in each["ResponseHeaders"] if header["Name"] == "Retry-After"]
        assert int(seconds) >= 1


def test_backups_cover_this_stage_outlive_their_stack_and_can_be_copied() -> None:
    made = read(FOLDER / "backups.yaml")["Resources"]
    [rule] = made["Plan"]["Properties"]["BackupPlan"]["BackupPlanRule"]

    assert made["Vault"]["DeletionPolicy"] == made["Vault"]["UpdateReplacePolicy"] == "Retain"
    assert made["Tables"]["Properties"]["BackupSelection"]["Resources"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:*:*:table/lamplighter-${Stage}-*"}
    ]
    assert rule["CopyActions"]["Fn::If"][1][0]["DestinationBackupVaultArn"] == {"Ref": "Copies"}


def spellings(path: str) -> set[str]:
    """Another spelling of a path, used to bypass the firewall."""
    first, second, rest = path[1:].split("/", 2)
    return {
        path,
        f"{path}/",
        f"/{first}//{second}/{rest}",
        f"/{first}/./{second}/{rest}",
        f"/{first}/x/../{second}/{rest}",
        f"/{first}/{second}/{quote_all(rest)}",
    }


def quote_all(text: str) -> str:
    return "".join(f"%{ord(char):02x}" for char in text)


def counts(match: dict[str, Any], path: str) -> bool:
    """Whether a statement of the firewall matches a path, with the transformations documented by AWS."""
    for transformation in sorted(match["TextTransformations"], key=lambda each: int(each["Priority"])):
        path = TRANSFORMED[transformation["Type"]](path)
    if match["PositionalConstraint"] == "EXACTLY":
        return path == match["SearchString"]
    return path.startswith(match["SearchString"])


def test_the_firewall_stores_no_passwords() -> None:
    """Sampled requests contain headers."""
    firewall = EDGE["Firewall"]["Properties"]
    for shown in (firewall, *firewall["Rules"]):
        assert shown["VisibilityConfig"]["SampledRequestsEnabled"] is False
        assert shown["VisibilityConfig"]["CloudWatchMetricsEnabled"] is True


@pytest.mark.parametrize("name", ["load-balancer", "relay"])
def test_a_load_balancer_can_be_limited_to_the_edge(name: str) -> None:
    """With CloudFront's prefix list, since calls that bypass the edge also bypass the firewall."""
    template = read(FOLDER / f"{name}.yaml")
    nothing, open_to_all = {"Ref": "AWS::NoValue"}, "IsForEverybody"
    [rule] = template["Resources"]["BalancerGroup"]["Properties"]["SecurityGroupIngress"]

    assert template["Conditions"] == {open_to_all: {"Fn::Equals": [{"Ref": "OnlyFrom"}, ""]}}
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)
    assert rule["CidrIp"] == {"Fn::If": [open_to_all, "0.0.0.0/0", nothing]}
    assert rule["SourcePrefixListId"] == {"Fn::If": [open_to_all, nothing, {"Ref": "OnlyFrom"}]}


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("/websockets", "/api"),
        ("/api/devices/v1/x", "/api/devices/v1/x"),
        ("/ui", "/api/ui"),
        ("/ui/", "/api/ui/"),
        ("/ui/assets/main-1a2b.js", "/api/ui/assets/main-1a2b.js"),
        ("/uis", "/uis"),
    ],
)
def test_the_edge_overwrites_the_callers_address(uri: str, wanted: str) -> None:
    code = EDGE["Caller"]["Properties"]["FunctionCode"]
    headers = {
        "x-lamplighter-client": {"value": "192.0.2.1"},
        "x-forwarded-host": {"value": "evil.example"},
        "host": {"value": "lamp.example"},
        "authorization": {"value": "Bearer t"},
    }
    event = {"viewer": {"ip": "203.0.113.9"}, "request": {"uri": uri, "headers": headers}}
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    done = subprocess.run([str(NODE), "-e", script], capture_output=True, check=True)

    request = json.loads(done.stdout)
    assert request["uri"] == wanted
    told = {"x-lamplighter-client": {"value": "203.0.113.9"}, "x-forwarded-host": {"value": "lamp.example"}}
    assert request["headers"] == headers | told


def test_the_gateways_call_the_function_as_the_app_expects() -> None:
    [integration] = resources(FOLDER / "http-api.yaml", "AWS::ApiGatewayV2::Integration").values()
    [target] = resources(FOLDER / "load-balancer.yaml", "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    [listener] = resources(FOLDER / "load-balancer.yaml", "AWS::ElasticLoadBalancingV2::Listener").values()

    assert integration["Properties"]["PayloadFormatVersion"] == "1.0"
    assert {"Key": "lambda.multi_value_headers.enabled", "Value": "true"} in target["Properties"][
        "TargetGroupAttributes"
    ]
    assert listener["Properties"]["Protocol"] == "HTTPS"
    [balancer] = resources(FOLDER / "load-balancer.yaml", "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    assert {"Key": "routing.http.xff_header_processing.mode", "Value": "append"} in balancer["Properties"][
        "LoadBalancerAttributes"
    ]


@pytest.mark.parametrize("name", ["load-balancer", "relay"])
def test_load_balancers_require_current_tls_versions(name: str) -> None:
    for listener in resources(FOLDER / f"{name}.yaml", "AWS::ElasticLoadBalancingV2::Listener").values():
        assert (listener["Properties"]["Protocol"], listener["Properties"]["Port"]) == ("HTTPS", 443)
        assert listener["Properties"]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-")


def test_the_relay_has_no_permissions_and_no_secrets() -> None:
    [task] = resources(FOLDER / "relay.yaml", "AWS::ECS::TaskDefinition").values()
    [container] = task["Properties"]["ContainerDefinitions"]
    [log] = resources(FOLDER / "relay.yaml", "AWS::Logs::LogGroup").values()

    assert "TaskRoleArn" not in task["Properties"]
    assert "Secrets" not in container
    assert {each["Name"] for each in container["Environment"]} == {
        "RELAY_WEBSOCKETS",
        "RELAY_REST",
        "RELAY_NOTICE",
        "RELAY_SPREAD",
    }
    assert container["ReadonlyRootFilesystem"] is True
    assert log["Properties"]["RetentionInDays"] == 30


STACKS = {
    "alarms": {"Mail": "ops@example.com"},
    "http-api": {},
    "load-balancer": {
        "Certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/1",
        "Vpc": "vpc-12345678",
        "Subnets": "subnet-12345678,subnet-87654321",
    },
}
"""Templates whose resource types the embedded engine supports, except budgets and alarms on formulas."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Clients of an engine on which the stacks have been created."""
    running = Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True)
    with running as engine, environment.applied(engine.env()):
        formation = boto3.client("cloudformation")
        for name, parameters in STACKS.items():
            formation.create_stack(
                StackName=name,
                TemplateBody=without_what_the_engine_lacks((FOLDER / f"{name}.yaml").read_text()),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in ({"Stage": "prod"} | parameters).items()
                ],
                Capabilities=["CAPABILITY_AUTO_EXPAND"],
            )
            formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        formation.close()
        with ExitStack() as opened:

            def client(service: str) -> Any:
                connected = boto3.client(service)
                opened.callback(connected.close)
                return connected

            yield client


def without_what_the_engine_lacks(template: str) -> str:
    """A template without its budget and alarms on formulas, which the embedded engine does not support."""
    blocks = re.split(r"^(?=  [A-Z][\w:]*:\n)", template, flags=re.MULTILINE)
    return "".join(block for block in blocks if not re.search(r"^  Limit:|^ +Metrics:\n", block, re.MULTILINE))


def test_the_loops_create_an_alarm_for_each_item(made: Callable[[str], Any]) -> None:
    alarms = made("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]
    watched = {(alarm["MetricName"], alarm["Dimensions"][0]["Value"]) for alarm in alarms}
    expected = sum(
        len(each) * sum("MetricName" in alarm["Properties"] for alarm in made.values())
        for each, made in map(repeated, ("Functions", "Queues"))
    )
    expected += sum("MetricName" in each.get("Properties", ()) for each in ALARMS.values() if isinstance(each, dict))

    assert len(alarms) == len({alarm["AlarmName"] for alarm in alarms}) == expected
    assert ("Errors", "lamplighter-prod-websocket_connect") in watched
    assert ("ApproximateNumberOfMessagesVisible", "lamplighter-prod-uploads-dead") in watched
    assert json.loads(made("cloudwatch").get_dashboard(DashboardName="lamplighter-prod")["DashboardBody"])


def test_the_gateways_can_be_created(made: Callable[[str], Any]) -> None:
    stacks = {each["StackName"]: each for each in made("cloudformation").describe_stacks()["Stacks"]}

    for name in ("http-api", "load-balancer"):
        assert stacks[name]["StackStatus"] == "CREATE_COMPLETE"
        [host] = stacks[name]["Outputs"]
        assert host["OutputKey"] == "Host"
        assert host["OutputValue"].endswith(".amazonaws.com")
