"""Chalice's plan for a stage, changed so that a deployment can be interrupted anywhere and started again.

It differs from Chalice in three points. Existing resources are found by name, whether recorded or not. All calls use
the alias ``live`` of a function (``infra/deploy/releases.py`` moves it). Each resource is recorded as soon as it is
created.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from chalice.deploy import models
from chalice.deploy.executor import Executor
from chalice.deploy.planner import PlanStage, RemoteState, StringFormat, Variable
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.deploy.sweeper import ResourceSweeper

from infra.deploy.definition import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from infra.deploy.client import Client
    from infra.deploy.policies import Binding
    from infra.deploy.record import Resource

Instructions = list[Any]


class Swagger(TemplatedSwaggerGenerator):
    """Chalice's definition of the REST API, with its name and the bodies of its errors."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def generate_swagger(self, app: Any, rest_api: Any = None) -> dict[str, Any]:
        """The document for a single import, so that one deployment of the API contains everything."""
        return complete(super().generate_swagger(app, rest_api), self._name)


class Found(RemoteState):
    """Existing resources: by the record, or else by name."""

    def __init__(self, client: Client, deployed: Any, api_name: str) -> None:
        super().__init__(client, deployed)
        self._client: Client = client
        self._api_name = api_name

    def adopt(self, resources: Iterable[models.Model]) -> list[Resource]:
        """Existing resources without a record, in Chalice's format of records."""
        return [
            found
            for each in resources
            if isinstance(each, models.ManagedModel)
            and each.resource_name not in self._deployed_resources.resource_names()
            and (found := self._values(each)) is not None
        ]

    def _values(self, resource: models.ManagedModel) -> Resource | None:
        """The record of a resource if it exists; None for kinds that can be created again without harm."""
        look = getattr(self, f"_look_for_{type(resource).__name__.lower()}", lambda _: None)
        found: dict[str, str] | None = look(resource)
        return None if found is None else {"name": resource.resource_name, "resource_type": _kind(resource)} | found

    def _look_for_lambdafunction(self, resource: models.LambdaFunction) -> dict[str, str] | None:
        if not self.resource_exists(resource):
            return None
        return {"lambda_arn": self._client.get_function_configuration(resource.function_name)["FunctionArn"]}

    def _look_for_managediamrole(self, resource: models.ManagedIAMRole) -> dict[str, str] | None:
        if not self.resource_exists(resource):
            return None
        arn = self._client.get_role_arn_for_name(resource.role_name)
        return {"role_name": resource.role_name, "role_arn": arn}

    def _look_for_loggroup(self, resource: models.LogGroup) -> dict[str, str] | None:
        return {"log_group_name": resource.log_group_name} if self.resource_exists(resource) else None

    def _look_for_lambdalayer(self, resource: models.LambdaLayer) -> dict[str, str] | None:
        versions = self._client.layer_versions(resource.layer_name)
        return {"layer_version_arn": versions[0]} if versions else None

    def _look_for_scheduledevent(self, resource: models.ScheduledEvent) -> dict[str, str] | None:
        return {"rule_name": resource.rule_name} if self._client.rule_exists(resource.rule_name) else None

    def _look_for_restapi(self, _: models.RestAPI) -> dict[str, str] | None:
        api = self._client.find_rest_api(self._api_name)
        return {"rest_api_id": api} if api else None

    def _look_for_websocketapi(self, resource: models.WebsocketAPI) -> dict[str, str] | None:
        api = self._client.find_websocket_api(resource.name)
        return {"websocket_api_id": api} if api else None

    def _look_for_sqseventsource(self, resource: models.SQSEventSource) -> dict[str, str] | None:
        uuids = self._client.mappings_of(resource.lambda_function.function_name)
        return {"event_uuid": uuids[0], "queue": _queue_name(resource)} if uuids else None


def _kind(resource: models.ManagedModel) -> str:
    """The type in Chalice's records; schedules are recorded as ``cloudwatch_event``."""
    return "cloudwatch_event" if isinstance(resource, models.CloudWatchEventBase) else resource.resource_type


def _queue_name(resource: models.SQSEventSource) -> str:
    return resource.queue.queue_name if isinstance(resource.queue, models.QueueARN) else resource.queue


class Plan(PlanStage):
    """The steps for each resource. ``binding`` has the values for the roles' policies."""

    def __init__(self, remote_state: Found, osutils: Any, api_name: str, binding: Binding) -> None:
        super().__init__(remote_state, osutils)
        self._api_name = api_name
        self._binding = binding

    def _plan_lambdalayer(self, resource: models.LambdaLayer) -> Instructions:
        filename = str(resource.deployment_package.filename)
        bring = models.APICall(
            method_name="bring_layer",
            params={
                "layer_name": resource.layer_name,
                "zip_contents": self._osutils.get_file_contents(filename, binary=True),
                "runtime": resource.runtime,
                "architecture": resource.architecture,
            },
            output_var="layer_version_arn",
        )
        return [
            (bring, f"Layer: {resource.layer_name}\n"),
            models.RecordResourceVariable(
                "lambda_layer", resource.resource_name, "layer_version_arn", "layer_version_arn"
            ),
        ]

    def _plan_managediamrole(self, resource: models.ManagedIAMRole) -> Instructions:
        resource.policy.document = self._binding.bind(resource.policy.document)
        plan = list(super()._plan_managediamrole(resource))
        if self._remote_state.resource_exists(resource):
            plan.append(models.APICall("tag_role", {"name": resource.role_name}))
        return plan

    def _plan_sqseventsource(self, resource: models.SQSEventSource) -> Instructions:
        function_arn = Variable(f"{resource.lambda_function.resource_name}_lambda_arn")
        queue = _queue_name(resource)
        queue_arn, uuid = f"{resource.resource_name}_queue_arn", f"{resource.resource_name}_uuid"
        connect = models.APICall(
            method_name="connect_queue",
            params={
                "queue_arn": Variable(queue_arn),
                "function_arn": function_arn,
                "batch_size": resource.batch_size,
                "maximum_batching_window_in_seconds": resource.maximum_batching_window_in_seconds,
                "maximum_concurrency": resource.maximum_concurrency,
            },
            output_var=uuid,
        )
        recorded = {
            "queue_arn": Variable(queue_arn),
            "event_uuid": Variable(uuid),
            "queue": queue,
            "lambda_arn": function_arn,
        }
        return [
            *self._arn_parse_instructions(function_arn),
            models.StoreValue(
                queue_arn,
                StringFormat(
                    f"arn:{{partition}}:sqs:{{region_name}}:{{account_id}}:{queue}",
                    ["partition", "region_name", "account_id"],
                ),
            ),
            (connect, f"Queue: {queue}\n"),
            *self._batch_record_resource("sqs_event", resource.resource_name, recorded),
        ]

    def _plan_websocketapi(self, resource: models.WebsocketAPI) -> Instructions:
        by_route = {
            "$connect": resource.connect_function,
            "$default": resource.message_function,
            "$disconnect": resource.disconnect_function,
        }
        functions = {
            route: Variable(f"{function.resource_name}_lambda_arn")
            for route, function in by_route.items()
            if function is not None
        }
        routes = models.APICall(
            "bring_websocket_routes",
            {
                "api_id": Variable("websocket_api_id"),
                "stage": resource.api_gateway_stage,
                "functions": functions,
            },
        )
        url = StringFormat(
            f"wss://{{websocket_api_id}}.execute-api.{{region_name}}.{{dns_suffix}}/{resource.api_gateway_stage}/",
            ["websocket_api_id", "region_name", "dns_suffix"],
        )
        return [
            *self._arn_parse_instructions(next(iter(functions.values()))),
            models.JPSearch("dns_suffix", input_var="parsed_lambda_arn", output_var="dns_suffix"),
            # It already exists, since the roles contain its id (see the deployer).
            models.StoreValue("websocket_api_id", self._binding.websocket_api),
            models.StoreValue("websocket_api_url", url),
            *self._batch_record_resource(
                "websocket_api",
                resource.resource_name,
                {"websocket_api_url": Variable("websocket_api_url"), "websocket_api_id": Variable("websocket_api_id")},
            ),
            *(
                models.APICall(
                    "add_permission_for_apigateway_v2",
                    {
                        "function_name": function,
                        "region_name": Variable("region_name"),
                        "account_id": Variable("account_id"),
                        "api_id": Variable("websocket_api_id"),
                    },
                )
                for function in functions.values()
            ),
            (routes, f"WebSocket API: {resource.name}\n"),
        ]

    def _plan_restapi(self, resource: models.RestAPI) -> Instructions:
        alias = Variable(f"{resource.lambda_function.resource_name}_lambda_arn")
        plan: Instructions = []
        for step in super()._plan_restapi(resource):
            match step:
                case models.APICall(method_name="add_permission_for_apigateway"):
                    plan.append(models.APICall(step.method_name, step.params | {"function_name": alias}))
                case models.APICall(method_name="deploy_rest_api"):
                    plan.append(models.APICall(step.method_name, step.params, output_var="rest_api_deployment"))
                case _:
                    plan.append(step)
        spare = {"name": self._api_name, "kept": Variable("rest_api_id")}
        return [
            *plan,
            *self._batch_record_resource(
                "rest_api", resource.resource_name, {"deployment_id": Variable("rest_api_deployment")}
            ),
            models.APICall("delete_spare_apis", spare),
        ]


class Recording(Executor):
    """Executes the plan. ``note`` gets all recorded resources after each change."""

    def __init__(self, client: Client, ui: Any, note: Callable[[list[Resource]], None]) -> None:
        super().__init__(client, ui)
        self._live = client.live
        self._note = note
        self._unnoted = False

    def execute(self, plan: models.Plan) -> None:
        """Execute everything; all resources are recorded at the end."""
        super().execute(plan)
        self._catch_up()

    def _do_apicall(self, instruction: models.APICall) -> None:
        self._catch_up()
        super()._do_apicall(instruction)

    def _catch_up(self) -> None:
        """Record the changes since the last call, before anything else is created.

        Not after each single value: later deployments cannot use an incomplete record.
        """
        if self._unnoted:
            self._unnoted = False
            self._note(copy.deepcopy(self.resource_values))

    def _do_recordresourcevariable(self, instruction: models.RecordResourceVariable) -> None:
        super()._do_recordresourcevariable(instruction)
        if (instruction.resource_type, instruction.name) == ("lambda_function", "lambda_arn"):
            # The function is recorded with its own ARN, and called by its alias from here on.
            self._catch_up()
            self.variables[instruction.variable_name] = self._live(self.variables[instruction.variable_name])

    def _add_to_deployed_values(self, payload: dict[str, Any]) -> None:
        super()._add_to_deployed_values(payload)
        self._unnoted = True


class Sweeper(ResourceSweeper):
    """Removes resources that are recorded but no longer planned, including logs, which Chalice would keep forever."""

    specific_resources = (*ResourceSweeper.specific_resources, "log_group")  # type: ignore[assignment]

    def _determine_log_group(self, name: str, resource_values: dict[str, Any]) -> str | None:
        """The name of the log that Chalice plans for the REST function and that is never used."""
        planned = {each.value for each in self.marked[name] if each.name == "log_group_name"}
        return name if resource_values["log_group_name"] not in planned else None

    def _delete_log_group(self, resource_values: dict[str, Any]) -> dict[str, Any]:
        name = resource_values["log_group_name"]
        return {
            "instructions": (models.APICall("delete_log_group", {"log_group_name": name}),),
            "message": f"Deleting log group: {name}\n",
        }
