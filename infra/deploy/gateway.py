"""Settings of the stages of both APIs in API Gateway: throttling, access logs, tracing.

They belong to the stages and not to the APIs, so importing a definition does not change them.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from infra.deploy.functions import Stage, Throttle

REST_LINE = json.dumps(
    {
        "request_id": "$context.requestId",
        "at": "$context.requestTimeEpoch",
        "address": "$context.identity.sourceIp",
        "method": "$context.httpMethod",
        "path": "$context.path",
        "status": "$context.status",
        "milliseconds": "$context.responseLatency",
        "bytes": "$context.responseLength",
        "error": "$context.error.responseType",
    }
)
"""A line of the REST API's access log, without headers and query, which may contain tokens and secrets of links."""
WEBSOCKET_LINE = json.dumps(
    {
        "request_id": "$context.requestId",
        "at": "$context.requestTimeEpoch",
        "address": "$context.identity.sourceIp",
        "event": "$context.eventType",
        "connection": "$context.connectionId",
        "status": "$context.status",
        "error": "$context.error.responseType",
    }
)
"""A line of the WebSocket API's log, for each opened or closed connection and each message."""


class NoLogRoleError(Exception):
    """Access logs are enabled, but API Gateway has no role for them in this account; the message says what to do."""


def log_groups(stage: str) -> tuple[str, str]:
    """The names of the access logs of a stage: of the REST API, and of the WebSocket API."""
    return f"/aws/apigateway/lamplighter-{stage}", f"/aws/apigateway/lamplighter-{stage}-websocket"


def refuse_without_role(stage: Stage) -> None:
    """Check that access logs can be written, before anything is changed.

    Raises:
        NoLogRoleError: they are enabled but cannot be written.
    """
    if not stage.access_logs:
        return
    gateway = boto3.client("apigateway")
    try:
        known = gateway.get_account().get("cloudwatchRoleArn")
    finally:
        gateway.close()
    if not known:
        raise NoLogRoleError(
            f"stage {stage.name} has access_logs=True, but API Gateway has no role in this account and region to write "
            "logs with. Create one (docs/install.md, Throttle and access log), or set access_logs=False"
        )


def settle(stage: Stage, *, name: str, rest_api: str, websocket_api: str, account: str) -> list[str]:
    """Apply the table of stages to the stages of both APIs; returns what was changed, as texts."""
    groups = _bring_log_groups(stage, account) if stage.access_logs else None
    return [
        *_settle_rest(stage, name, rest_api, groups[0] if groups else None),
        *_settle_websocket(stage, name, websocket_api, groups[1] if groups else None),
    ]


def _settle_rest(stage: Stage, name: str, api: str, log: str | None) -> list[str]:
    gateway = boto3.client("apigateway")
    known = gateway.get_stage(restApiId=api, stageName=name)
    method = known.get("methodSettings", {}).get("*/*", {})
    access = known.get("accessLogSettings", {})
    wanted: dict[str, tuple[Any, Any]] = {
        "/*/*/throttling/rateLimit": (method.get("throttlingRateLimit"), stage.throttle.rate),
        "/*/*/throttling/burstLimit": (method.get("throttlingBurstLimit"), stage.throttle.burst),
        "/tracingEnabled": (bool(known.get("tracingEnabled")), stage.tracing),
    }
    if log:
        wanted["/accessLogSettings/destinationArn"] = (access.get("destinationArn"), log)
        wanted["/accessLogSettings/format"] = (access.get("format"), REST_LINE)
    changes = [
        {"op": "replace", "path": path, "value": str(new).lower() if isinstance(new, bool) else str(new)}
        for path, (old, new) in wanted.items()
        if old != new
    ]
    if access and not log:
        changes.append({"op": "remove", "path": "/accessLogSettings"})
    if changes:
        gateway.update_stage(restApiId=api, stageName=name, patchOperations=changes)
    gateway.close()
    return [f"REST API: {_throttled(stage.throttle)}"] if changes else []


def _settle_websocket(stage: Stage, name: str, api: str, log: str | None) -> list[str]:
    gateway = boto3.client("apigatewayv2")
    known = gateway.get_stage(ApiId=api, StageName=name)
    limits = {
        "ThrottlingRateLimit": float(stage.websocket_throttle.rate),
        "ThrottlingBurstLimit": stage.websocket_throttle.burst,
    }
    access = {"DestinationArn": log, "Format": WEBSOCKET_LINE} if log else {}
    route = known.get("DefaultRouteSettings", {})
    changes: dict[str, Any] = {}
    if not limits.items() <= route.items():
        changes["DefaultRouteSettings"] = route | limits
    if access and known.get("AccessLogSettings", {}) != access:
        changes["AccessLogSettings"] = access
    if changes:
        gateway.update_stage(ApiId=api, StageName=name, **changes)
    if known.get("AccessLogSettings") and not access:
        gateway.delete_access_log_settings(ApiId=api, StageName=name)
    gateway.close()
    return [f"WebSocket API: {_throttled(stage.websocket_throttle)}"] if changes else []


def _throttled(throttle: Throttle) -> str:
    return f"at most {throttle.rate:,} calls per second, {throttle.burst:,} at once"


def _bring_log_groups(stage: Stage, account: str) -> tuple[str, str]:
    """Create missing log groups for access logs; returns their ARNs in API Gateway's format."""
    logs = boto3.client("logs")
    partition = boto3.Session().get_partition_for_region(logs.meta.region_name)
    arns = []
    for name in log_groups(stage.name):
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=stage.log_days)
        arns.append(f"arn:{partition}:logs:{logs.meta.region_name}:{account}:log-group:{name}")
    logs.close()
    rest, websocket = arns
    return rest, websocket
