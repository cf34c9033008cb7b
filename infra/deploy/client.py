"""Chalice's AWS client with operations that can be repeated: each looks for existing resources before creating any.

A deployment may be interrupted between any call and its answer. Resources that were created then are found again by
name: functions, roles, rules, logs and layers have a unique one, the APIs that of the stage, and a queue has at most
one mapping to a function of the stage.
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from chalice.awsclient import ResourceDoesNotExistError, TypedAWSClient

from infra.deploy.functions import ALIAS
from infra.deploy.record import KEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REFUSED = ("TooManyRequestsException", "ThrottlingException", "Throttling")
_ATTEMPTS = 8


class Client(TypedAWSClient):
    """Chalice's client, for one stage."""

    def __init__(self, session: Any, **more: Any) -> None:
        super().__init__(session, **more)
        self.tags: dict[str, str] = {}
        """The tags of roles."""

    # --- Functions

    def create_function(self, *arguments: Any, **named: Any) -> str:
        """As in Chalice, but a function that exists after a lost answer is updated."""
        lambdas = self._client("lambda")
        try:
            arn: str = super().create_function(*arguments, **named)
        except lambdas.exceptions.ResourceConflictException:
            arn = self.update_function(**{name: value for name, value in named.items() if name != "handler"})[
                "FunctionArn"
            ]
        return arn

    def update_function(  # type: ignore[override]  # called with keywords alone
        self, function_name: str, zip_contents: Any, **named: Any
    ) -> dict[str, Any]:
        """As in Chalice, but an unchanged function is not updated, so that no new version is published."""
        known = self._client("lambda").get_function_configuration(FunctionName=function_name)
        if _same(known, zip_contents, named):
            if named.get("tags") is not None:
                self._update_function_tags(known["FunctionArn"], named["tags"])
            return dict(known)
        updated: dict[str, Any] = super().update_function(function_name, zip_contents, **named)
        return updated

    def live(self, function_arn: str) -> str:
        """The ARN of a function's live alias, which is created if missing."""
        lambdas = self._client("lambda")
        try:
            found = lambdas.get_alias(FunctionName=function_arn, Name=ALIAS)
        except lambdas.exceptions.ResourceNotFoundException:
            lambdas.get_waiter("function_active_v2").wait(FunctionName=function_arn)
            version = lambdas.publish_version(FunctionName=function_arn)["Version"]
            found = lambdas.create_alias(FunctionName=function_arn, Name=ALIAS, FunctionVersion=version)
        return str(found["AliasArn"])

    def bring_layer(self, layer_name: str, zip_contents: bytes, runtime: str, architecture: str) -> str:
        """The layer's newest version if it has this content, else a new one. Some older ones are kept."""

        def find() -> str | None:
            versions = self.layer_versions(layer_name)
            newest = self.get_layer_version(versions[0]) if versions else {}
            same = (
                newest.get("Content", {}).get("CodeSha256") == _sha256(zip_contents)
                and newest.get("CompatibleRuntimes") == [runtime]
                and newest.get("CompatibleArchitectures", [architecture]) == [architecture]
            )
            return str(newest["LayerVersionArn"]) if same else None

        def create() -> str:
            made = self._without_retries("lambda").publish_layer_version(
                LayerName=layer_name,
                Content={"ZipFile": zip_contents},
                CompatibleRuntimes=[runtime],
                CompatibleArchitectures=[architecture],
            )
            return str(made["LayerVersionArn"])

        found = find() or self._once(create, find)
        for old in self.layer_versions(layer_name)[KEPT:]:  # published functions keep the layers that they use
            super().delete_layer_version(old)
        return found

    def layer_versions(self, layer_name: str) -> list[str]:
        """The ARNs of a layer's versions, newest first."""
        pages = self._client("lambda").get_paginator("list_layer_versions").paginate(LayerName=layer_name)
        return [each["LayerVersionArn"] for page in pages for each in page["LayerVersions"]]

    def delete_layer_version(self, layer_version_arn: str) -> None:
        """With all older versions."""
        name = layer_version_arn.split(":")[6]
        for each in self.layer_versions(name):
            super().delete_layer_version(each)

    def delete_function(self, function_name: str) -> None:
        """With its versions; it may already be deleted."""
        with suppress(ResourceDoesNotExistError):
            super().delete_function(function_name)

    def delete_function_concurrency(self, function_name: str) -> None:
        """As in Chalice, but a function that was stopped (reserved concurrency 0) stays stopped."""
        if self._reserved(function_name):
            super().delete_function_concurrency(function_name)

    def put_function_concurrency(self, function_name: str, reserved_concurrent_executions: int) -> None:
        """As in Chalice, unless it is already set or the function was stopped."""
        if self._reserved(function_name) not in (0, reserved_concurrent_executions):
            super().put_function_concurrency(function_name, reserved_concurrent_executions)

    def _reserved(self, function_name: str) -> int | None:
        """The reserved concurrency of a function: 0 if it is stopped, None if nothing is reserved."""
        found: dict[str, int] = self._client("lambda").get_function_concurrency(FunctionName=function_name)
        return found.get("ReservedConcurrentExecutions")

    # --- Queues

    def connect_queue(
        self,
        queue_arn: str,
        function_arn: str,
        batch_size: int,
        maximum_batching_window_in_seconds: int,
        maximum_concurrency: int | None,
    ) -> str:
        """Create or update the mapping of a queue to a function; returns its UUID.

        Other mappings of the same function, left by interrupted deployments, are removed.
        """
        own = function_arn.split(":")[6]
        found = [each for each in self._mappings(queue_arn) if each["FunctionArn"].split(":")[6] == own]
        if not found:
            made: Any = self.create_lambda_event_source(  # type: ignore[func-returns-value]  # it returns the UUID
                event_source_arn=queue_arn,
                function_name=function_arn,
                batch_size=batch_size,
                maximum_batching_window_in_seconds=maximum_batching_window_in_seconds,
                maximum_concurrency=maximum_concurrency,
            )
            return str(made)
        found.sort(key=lambda each: each["FunctionArn"] != function_arn)
        kept, *rest = found
        for each in rest:
            self.remove_lambda_event_source(each["UUID"])
        scaling = {"MaximumConcurrency": maximum_concurrency} if maximum_concurrency else {}
        known = (kept["FunctionArn"], kept["BatchSize"], kept.get("MaximumBatchingWindowInSeconds", 0))
        wanted = (function_arn, batch_size, maximum_batching_window_in_seconds)
        if known != wanted or (kept.get("ScalingConfig") or {}) != scaling:
            self._call_client_method_with_retries(
                self._client("lambda").update_event_source_mapping,
                {
                    "UUID": kept["UUID"],
                    "FunctionName": function_arn,
                    "BatchSize": batch_size,
                    "MaximumBatchingWindowInSeconds": maximum_batching_window_in_seconds,
                    "ScalingConfig": scaling,
                },
                max_attempts=10,
                should_retry=self._is_settling_error,
            )
        return str(kept["UUID"])

    def mappings_of(self, function_name: str) -> list[str]:
        """The UUIDs of a function's mappings, for any alias."""
        pages = self._client("lambda").get_paginator("list_event_source_mappings").paginate()
        return [
            each["UUID"]
            for page in pages
            for each in page["EventSourceMappings"]
            if each["FunctionArn"].split(":")[6] == function_name
        ]

    def _mappings(self, queue_arn: str) -> list[dict[str, Any]]:
        """The mappings of a queue, after waiting for deletions in progress."""
        pages = self._client("lambda").get_paginator("list_event_source_mappings")
        for attempt in range(_ATTEMPTS):
            found = [each for page in pages.paginate(EventSourceArn=queue_arn) for each in page["EventSourceMappings"]]
            if all(each.get("State") != "Deleting" for each in found):
                return found
            self._sleep(self.DELAY_TIME * (1 + attempt))
        raise ResourceDoesNotExistError(f"a mapping of {queue_arn} is still being deleted: try again in a minute")

    def remove_lambda_event_source(self, event_uuid: str) -> None:
        """It may already be deleted."""
        with suppress(self._client("lambda").exceptions.ResourceNotFoundException):
            super().remove_lambda_event_source(event_uuid)

    # --- Roles, rules, logs

    def create_role(self, name: str, trust_policy: dict[str, Any], policy: dict[str, Any]) -> str:
        """As in Chalice, with the stage's tags; a role that exists after a lost answer is used."""
        iam = self._client("iam")
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        with suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy), Tags=tags)
        self.put_role_policy(role_name=name, policy_name=name, policy_document=policy)
        return str(self.get_role_arn_for_name(name))

    def tag_role(self, name: str) -> None:
        """Add the stage's tags to a role of an earlier deployment."""
        iam = self._client("iam")
        known = {each["Key"]: each["Value"] for each in iam.get_role(RoleName=name)["Role"].get("Tags", [])}
        if not self.tags.items() <= known.items():
            iam.tag_role(RoleName=name, Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()])

    def delete_role(self, name: str) -> None:
        """It may already be deleted."""
        with suppress(self._client("iam").exceptions.NoSuchEntityException):
            super().delete_role(name)

    def rule_exists(self, name: str) -> bool:
        """Whether there is a rule of this name."""
        events = self._client("events")
        with suppress(events.exceptions.ResourceNotFoundException):
            return bool(events.describe_rule(Name=name))
        return False

    def delete_rule(self, rule_name: str) -> None:
        """It may already be deleted."""
        with suppress(self._client("events").exceptions.ResourceNotFoundException):
            super().delete_rule(rule_name)

    def log_group_exists(self, name: str) -> bool:
        """Whether there is a group with exactly this name; Chalice also accepts longer names."""
        pages = self._client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        return any(group["logGroupName"] == name for page in pages for group in page["logGroups"])

    def create_log_group(self, log_group_name: str) -> None:
        """It may exist: functions create theirs when they first run."""
        with suppress(self._client("logs").exceptions.ResourceAlreadyExistsException):
            super().create_log_group(log_group_name)

    def delete_log_group(self, log_group_name: str) -> None:
        """It may already be deleted."""
        with suppress(self._client("logs").exceptions.ResourceNotFoundException):
            super().delete_log_group(log_group_name)

    # --- APIs

    def find_rest_api(self, name: str) -> str | None:
        """The REST API with this name; of several, the one with a stage, else the oldest."""
        found = sorted(self._rest_apis(name), key=lambda each: (not self._serves(each["id"]), each["createdDate"]))
        return str(found[0]["id"]) if found else None

    def import_rest_api(self, swagger_document: dict[str, Any], endpoint_type: str) -> str:
        """As in Chalice, but without automatic retries: botocore would create a second API after a lost answer."""

        def create() -> str:
            made = self._without_retries("apigateway").import_rest_api(
                body=json.dumps(swagger_document), parameters={"endpointConfigurationTypes": endpoint_type}
            )
            return str(made["id"])

        return self._once(create, lambda: self.find_rest_api(swagger_document["info"]["title"]))

    def deploy_rest_api(  # type: ignore[override]
        self,
        rest_api_id: str,
        api_gateway_stage: str,
        xray: bool,  # noqa: FBT001  # as Chalice calls it
    ) -> str:
        """Deploy the current definition of the API; returns the id. An existing stage serves it with the release."""
        gateway = self._client("apigateway")
        stages = gateway.get_stages(restApiId=rest_api_id)["item"]
        if any(each["stageName"] == api_gateway_stage for each in stages):
            made = gateway.create_deployment(restApiId=rest_api_id)
        else:
            made = gateway.create_deployment(
                restApiId=rest_api_id, stageName=api_gateway_stage, tracingEnabled=bool(xray)
            )
        return str(made["id"])

    def delete_rest_api(self, rest_api_id: str) -> None:
        """It may already be deleted."""
        with suppress(ResourceDoesNotExistError):
            super().delete_rest_api(rest_api_id)

    def delete_spare_apis(self, name: str, kept: str) -> None:
        """Delete REST APIs of this name without a stage, which lost answers have left."""
        for each in self._rest_apis(name):
            if each["id"] != kept and not self._serves(each["id"]):
                self.delete_rest_api(each["id"])

    def _rest_apis(self, name: str) -> Iterator[dict[str, Any]]:
        for page in self._client("apigateway").get_paginator("get_rest_apis").paginate():
            yield from (each for each in page["items"] if each["name"] == name)

    def _serves(self, rest_api_id: str) -> bool:
        return bool(self._client("apigateway").get_stages(restApiId=rest_api_id)["item"])

    def find_websocket_api(self, name: str) -> str | None:
        """The WebSocket API with this name; of several, the oldest."""
        pages = self._client("apigatewayv2").get_paginator("get_apis").paginate()
        found = [each for page in pages for each in page["Items"] if each["Name"] == name]
        return str(min(found, key=lambda each: each["CreatedDate"])["ApiId"]) if found else None

    def bring_websocket_api(self, name: str, known: str | None) -> str:
        """The id of the WebSocket API: the recorded one, one with this name, or a new one."""
        if known and self.websocket_api_exists(known):
            return known

        def create() -> str:
            made = self._without_retries("apigatewayv2").create_api(
                Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
            )
            return str(made["ApiId"])

        def find() -> str | None:
            return self.find_websocket_api(name)

        return find() or self._once(create, find)

    def bring_websocket_routes(self, api_id: str, stage: str, functions: dict[str, str]) -> None:
        """Let the routes of a WebSocket API call exactly these functions. Correct routes are not changed."""
        gateway = self._client("apigatewayv2")
        integrations = {each["IntegrationId"]: each for each in self._all("get_integrations", api_id)}
        routes = {each["RouteKey"]: each for each in self._all("get_routes", api_id)}
        used = set()
        for key, function_arn in functions.items():
            uri = (
                f"arn:{self.partition_name}:apigateway:{self.region_name}:lambda:path/2015-03-31/functions/"
                f"{function_arn}/invocations"
            )
            fitting = [name for name, each in integrations.items() if each.get("IntegrationUri") == uri]
            target = fitting[0] if fitting else self.create_websocket_integration(api_id, uri, key.lstrip("$"))
            used.add(target)
            if key not in routes:
                self.create_websocket_route(api_id, key, target)
            elif routes[key].get("Target") != f"integrations/{target}":
                gateway.update_route(ApiId=api_id, RouteId=routes[key]["RouteId"], Target=f"integrations/{target}")
        self.delete_websocket_routes(api_id, [each["RouteId"] for key, each in routes.items() if key not in functions])
        self.delete_websocket_integrations(api_id, {name: "" for name in integrations if name not in used})
        # Changes are deployed automatically: a separate deployment could be lost after its change.
        stages = {each["StageName"]: each for each in self._all("get_stages", api_id)}
        if stage not in stages:
            gateway.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)
        elif not stages[stage].get("AutoDeploy"):
            gateway.update_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)

    def delete_websocket_api(self, api_id: str) -> None:
        """It may already be deleted."""
        with suppress(ResourceDoesNotExistError):
            super().delete_websocket_api(api_id)

    def _all(self, operation: str, api_id: str) -> list[dict[str, Any]]:
        pages = self._client("apigatewayv2").get_paginator(operation).paginate(ApiId=api_id)
        return [each for page in pages for each in page["Items"]]

    def _without_retries(self, service: str) -> Any:
        return self._session.create_client(service, config=Config(retries={"total_max_attempts": 1}))

    def _once(self, create: Callable[[], str], find: Callable[[], str | None]) -> str:
        """Create a resource whose name is not unique; after an error, look whether it was created."""
        for attempt in range(_ATTEMPTS):
            try:
                return create()
            except (ClientError, HTTPClientError) as error:
                if (found := find()) is not None:
                    return found
                code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
                if code not in _REFUSED or attempt == _ATTEMPTS - 1:
                    raise
                self._sleep(self.DELAY_TIME)
        raise AssertionError("unreachable")


def _same(known: dict[str, Any], zip_contents: bytes, wanted: dict[str, Any]) -> bool:
    """Whether a function is up to date."""
    there = {
        "code": known["CodeSha256"],
        "environment_variables": known.get("Environment", {}).get("Variables", {}),
        "runtime": known["Runtime"],
        "timeout": known["Timeout"],
        "memory_size": known["MemorySize"],
        "role_arn": known["Role"],
        "layers": [each["Arn"] for each in known.get("Layers", [])],
        "architecture": known.get("Architectures", ["x86_64"])[0],
    }
    given = {name: value for name, value in wanted.items() if name in there}
    return there | given | {"code": _sha256(zip_contents)} == there


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
