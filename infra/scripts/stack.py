"""Chalice's template, changed so that CloudFormation accepts it, with the names of a deployed stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.deploy.functions import ALIAS, FUNCTIONS, deployed_name, logs, snap_start, stage_of
from infra.deploy.gateway import REST_LINE, WEBSOCKET_LINE, log_groups
from infra.deploy.policies import Binding
from infra.local.compression import MINIMUM_COMPRESSION_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.deploy.functions import Stage, Throttle

BUCKET = "LAMPLIGHTER_BUCKET"
BUCKET_OWNER = "LAMPLIGHTER_BUCKET_OWNER"
LOG_LEVEL = "LAMPLIGHTER_LOG_LEVEL"
ACCESS_LOGS = ("RestAccessLogGroup", "WebsocketAccessLogGroup")
"""Logical ids of the log groups for access logs."""


def as_deployed(template: dict[str, Any], stage: str) -> dict[str, Any]:
    """The template of a stage with the same names, aliases, permissions, bucket and limits as ``make deploy``."""
    known = stage_of(stage)
    completed = _Completed(known)
    for logical_id, resource in template["Resources"].items():
        completed(resource["Type"], logical_id, resource["Properties"])
    if known.access_logs:
        template["Resources"] |= dict(_access_log_groups(known))
    return template


class _Completed:
    """Completes the properties of each kind of resource in place."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._functions = {each.name.replace("_", ""): each for each in FUNCTIONS}
        own = stage.own_bucket or f"lamplighter-{stage.name}-${{AWS::AccountId}}-${{AWS::Region}}"
        self._bucket = _filled(own)
        self._binding = Binding(
            "${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", (stage.bucket, own), "${WebsocketAPI}"
        )
        self._kinds: dict[str, Callable[[str, dict[str, Any]], None]] = {
            "AWS::ApiGatewayV2::Integration": self._integration,
            "AWS::ApiGatewayV2::Stage": self._websocket_stage,
            "AWS::IAM::Role": self._role,
            "AWS::Lambda::Permission": self._permission,
            "AWS::Logs::LogGroup": self._log_group,
            "AWS::Serverless::Api": self._rest_api,
            "AWS::Serverless::Function": self._function,
        }

    def __call__(self, kind: str, logical_id: str, about: dict[str, Any]) -> None:
        if complete := self._kinds.get(kind):
            complete(logical_id, about)

    def _function(self, logical_id: str, about: dict[str, Any]) -> None:
        variables = about["Environment"]["Variables"]
        function = self._functions[logical_id.lower()]
        about["FunctionName"] = deployed_name(function, self._stage.name)
        about["AutoPublishAlias"] = ALIAS
        about["RecursiveLoop"] = "Terminate"
        about["SnapStart"] = snap_start(function.name, self._stage)
        about["LoggingConfig"] = logs(variables.get(LOG_LEVEL, ""))
        variables |= {BUCKET: self._bucket, BUCKET_OWNER: {"Ref": "AWS::AccountId"}}

    def _log_group(self, logical_id: str, about: dict[str, Any]) -> None:
        # Created before the function, which would otherwise create one without expiry when it first runs.
        function = self._functions[logical_id.removesuffix("LogGroup").lower()]
        about["LogGroupName"] = f"/aws/lambda/{deployed_name(function, self._stage.name)}"

    def _role(self, _: str, about: dict[str, Any]) -> None:
        for policy in about["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                statement["Resource"] = [_filled(self._binding.bind(arn)) for arn in statement["Resource"]]

    def _permission(self, _: str, about: dict[str, Any]) -> None:
        about["FunctionName"] = {"Ref": _alias(about["FunctionName"]["Ref"])}

    def _integration(self, _: str, about: dict[str, Any]) -> None:
        _, parts = about["IntegrationUri"]["Fn::Sub"]
        about["IntegrationUri"] = {"Fn::Sub": _uri(parts["WebsocketHandler"]["Ref"])}

    def _websocket_stage(self, _: str, about: dict[str, Any]) -> None:
        about["DefaultRouteSettings"] = _limits(self._stage.websocket_throttle)
        if self._stage.access_logs:
            about["AccessLogSettings"] = _access_log(ACCESS_LOGS[1], WEBSOCKET_LINE)

    def _rest_api(self, _: str, about: dict[str, Any]) -> None:
        about["Name"] = about["DefinitionBody"]["info"]["title"]
        about["MinimumCompressionSize"] = MINIMUM_COMPRESSION_SIZE
        text = json.dumps(about["DefinitionBody"])
        about["DefinitionBody"] = json.loads(text.replace("${APIHandler.Arn}", f"${{{_alias('APIHandler')}}}"))
        about["MethodSettings"] = [{"ResourcePath": "/*", "HttpMethod": "*", **_limits(self._stage.throttle)}]
        if self._stage.access_logs:
            about["AccessLogSetting"] = _access_log(ACCESS_LOGS[0], REST_LINE)


def _alias(function: str) -> str:
    """SAM's logical id of a function's alias."""
    return f"{function}Alias{ALIAS}"


def _uri(function: str) -> str:
    return (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{_alias(function)}}}/invocations"
    )


def _filled(text: str) -> str | dict[str, str]:
    """A ``Fn::Sub`` of the text, if it contains variables."""
    return {"Fn::Sub": text} if "${" in text else text


def _limits(throttle: Throttle) -> dict[str, int]:
    return {"ThrottlingRateLimit": throttle.rate, "ThrottlingBurstLimit": throttle.burst}


def _access_log(group: str, line: str) -> dict[str, Any]:
    return {"DestinationArn": {"Fn::GetAtt": [group, "Arn"]}, "Format": line}


def _access_log_groups(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    return [
        (
            logical_id,
            {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, "RetentionInDays": stage.log_days}},
        )
        for logical_id, name in zip(ACCESS_LOGS, log_groups(stage.name), strict=True)
    ]
