"""Brings a stage's storage up to date: ``infra/templates/storage.yaml``, before the functions that use it."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from infra.local.provision import STORAGE, provision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class StackError(Exception):
    """CloudFormation did not do it; the message says why, as far as it tells."""


def ensure(stage: str, parameters: Mapping[str, str]) -> str:
    """Make or update everything that stores; what was done.

    Raises:
        StackError: CloudFormation refused or failed.
    """
    if os.environ.get("AWS_ENDPOINT_URL"):
        made = provision(stage)
        return f"{len(made.tables)} tables, {len(made.buckets)} bucket, {len(made.queues)} queues"
    return update_stack(f"lamplighter-{stage}-storage", STORAGE, {"Stage": stage, **parameters})


def update_stack(name: str, template: Path, parameters: Mapping[str, str]) -> str:
    """Create or update a stack, as ``aws cloudformation deploy`` does; what was done.

    A parameter that is not given keeps the value that it had.

    Raises:
        StackError: CloudFormation refused or failed.
    """
    cloudformation = boto3.client("cloudformation")
    old = _described(cloudformation, name)
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    known = {each["ParameterKey"] for each in (old or {}).get("Parameters", [])}
    kept = sorted(known - parameters.keys())
    kind = "UPDATE" if old else "CREATE"
    change_set = f"lamplighter-{uuid.uuid4().hex}"  # one that was left behind must not be in the way
    try:
        cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType=kind,
            TemplateBody=template.read_text(),
            Parameters=given + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept],
            Capabilities=["CAPABILITY_IAM"],
        )
        change = _settled(cloudformation, name, change_set)
        if change["Status"] == "FAILED":
            cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set)
            why = change.get("StatusReason", "")
            if "didn't contain changes" in why or "No updates" in why:
                return f"stack {name} is up to date"
            raise StackError(f"{name}: {why}")
        cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
        cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=name)
    except ClientError as error:
        raise StackError(f"{name}: {error}") from error
    return f"stack {name}: {kind.lower()}d"


def _described(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """The stack, unless there is none, or only one whose creation was prepared and never done."""
    try:
        [found] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    stack: dict[str, Any] = found
    return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack


def _settled(cloudformation: Any, name: str, change_set: str) -> dict[str, Any]:
    from botocore.exceptions import WaiterError

    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=name, ChangeSetName=change_set, WaiterConfig={"Delay": 2}
        )
    except WaiterError as error:
        if "Status" not in error.last_response:
            raise StackError(f"{name}: {error}") from error
    found: dict[str, Any] = cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
    return found
