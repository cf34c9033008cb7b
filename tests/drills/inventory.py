"""The AWS resources of the stage in a drill, by kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import boto3
import msgspec

from infra.deploy.record import Record

STAGE = "drill"
WORKERS = ("tick", "uploads", "websocket_connect", "websocket_disconnect", "websocket_message")


class Inventory:
    """All resources of the stage on AWS, sorted within each kind."""

    def __init__(self) -> None:
        self._lambda = boto3.client("lambda")
        self._rest = boto3.client("apigateway")
        self._websocket = boto3.client("apigatewayv2")
        self._ssm = boto3.client("ssm")
        self._record = self._recorded()
        self._found = {kind: sorted(look(self)) for kind, look in self._LOOKS.items()}

    def of(self, kind: str) -> list[str]:
        """All resources of one kind."""
        return self._found[kind]

    def recorded_versions(self) -> list[str]:
        """The function versions in the record."""
        return sorted(
            {f"{name}:{version}" for each in self._record["releases"] for name, version in each["versions"].items()}
        )

    def recorded_deployments(self) -> list[str]:
        """The deployments of the REST API in the record."""
        return sorted(each["gateway"] for each in self._record["releases"])

    def names(self) -> list[str]:
        """Chalice's names of all resources."""
        functions = ["api_handler", *WORKERS]
        own = [f"{name}{part}" for name in functions for part in ("", "_role", "-log-group")]
        return sorted([*own, "managed-layer", "rest_api", "tick-event", "uploads-sqs-event-source", "websocket_api"])

    def _recorded(self) -> dict[str, Any]:
        stage = Record(STAGE, Path("/nonexistent"))
        found: dict[str, Any] = msgspec.to_builtins(stage.load())
        return found

    def _functions(self) -> list[str]:
        return [each["FunctionName"] for each in self._lambda.list_functions()["Functions"]]

    def _rest_apis(self) -> list[str]:
        return [each["name"] for each in self._rest.get_rest_apis()["items"]]

    def _rest_stages(self) -> list[str]:
        apis = self._rest.get_rest_apis()["items"]
        return [stage["stageName"] for api in apis for stage in self._rest.get_stages(restApiId=api["id"])["item"]]

    def _deployments(self) -> list[str]:
        apis = self._rest.get_rest_apis()["items"]
        return [each["id"] for api in apis for each in self._rest.get_deployments(restApiId=api["id"])["items"]]

    def _websocket_apis(self) -> list[str]:
        return [each["Name"] for each in self._websocket.get_apis()["Items"]]

    def _of_websockets(self, operation: str) -> list[dict[str, Any]]:
        apis = self._websocket.get_apis()["Items"]
        return [each for api in apis for each in getattr(self._websocket, operation)(ApiId=api["ApiId"])["Items"]]

    def _mappings(self) -> list[str]:
        found = self._lambda.list_event_source_mappings()["EventSourceMappings"]
        return [f"{_last(each['EventSourceArn'])} to {_function(each['FunctionArn'])}" for each in found]

    def _roles(self) -> list[str]:
        return [each["RoleName"] for each in boto3.client("iam").list_roles()["Roles"]]

    def _rules(self) -> list[str]:
        events = boto3.client("events")
        return [
            f"{rule['Name']} to {', '.join(_function(each['Arn']) for each in targets)}"
            for rule in events.list_rules()["Rules"]
            for targets in [events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        ]

    def _logs(self) -> list[str]:
        return [each["logGroupName"] for each in boto3.client("logs").describe_log_groups()["logGroups"]]

    def _layers(self) -> list[str]:
        return [
            f"{layer['LayerName']}:{each['Version']}"
            for layer in self._lambda.list_layers()["Layers"]
            for each in self._lambda.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]
        ]

    def _permissions(self) -> list[str]:
        """Functions, one entry for each permission to call their alias."""
        found = []
        for name in self._functions():
            with suppress(self._lambda.exceptions.ResourceNotFoundException):
                policy = json.loads(self._lambda.get_policy(FunctionName=name, Qualifier="live")["Policy"])
                found += [name] * len(policy["Statement"])
        return found

    def _versions(self) -> list[str]:
        return [
            f"{name}:{each['Version']}"
            for name in self._functions()
            for each in self._lambda.list_versions_by_function(FunctionName=name)["Versions"]
            if each["Version"] != "$LATEST"
        ]

    def _locks(self) -> list[str]:
        with suppress(self._ssm.exceptions.ParameterNotFound):
            return [self._ssm.get_parameter(Name=f"/lamplighter/{STAGE}/deploying")["Parameter"]["Value"]]
        return []

    _LOOKS: ClassVar[dict[str, Callable[[Inventory], list[str]]]] = {
        "functions": _functions,
        "REST APIs": _rest_apis,
        "stages of the REST API": _rest_stages,
        "deployments of the REST API": _deployments,
        "WebSocket APIs": _websocket_apis,
        "routes": lambda self: [each["RouteKey"] for each in self._of_websockets("get_routes")],
        "integrations": lambda self: [
            _function(each["IntegrationUri"].removesuffix("/invocations"))
            for each in self._of_websockets("get_integrations")
        ],
        "stages of the WebSocket API": lambda self: [each["StageName"] for each in self._of_websockets("get_stages")],
        "mappings": _mappings,
        "roles": _roles,
        "rules": _rules,
        "log groups": _logs,
        "layers": _layers,
        "permissions": _permissions,
        "versions": _versions,
        "record": lambda self: [each["name"] for each in self._record["resources"]],
        "lock": _locks,
    }


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]


def _function(arn: str) -> str:
    """The name and the alias in a function's ARN."""
    return arn.partition(":function:")[2]
