"""Updates a stage's storage (``infra/templates/storage.yaml``) before the functions that use it."""

from __future__ import annotations

import copy
import json
import os
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from infra.local.provision import STORAGE, provision
from infra.local.template import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
TABLE = "AWS::DynamoDB::Table"
NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""States in which a stack cannot be updated: its creation or removal failed."""
ORIGINS = "BrowserOrigins"
"""The parameter of the template for the bucket's CORS."""
QUEUE_PAUSE = 60.0
"""Seconds for which SQS refuses to create a queue with the name of a deleted one."""
_WAIT = {"Delay": 3, "MaxAttempts": 1200}
"""How to wait for a stack, at most an hour. botocore would check only every 30 s."""


class StackError(Exception):
    """CloudFormation refused or failed; the message says why, as far as it is known."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The updated storage."""

    bucket: str
    """The name of the bucket."""
    done: str
    """What was done, as text for the terminal."""


def ensure(stage: str, bucket: str, parameters: Mapping[str, str]) -> Stored:
    """Create or update all storage. ``bucket`` is the stage's name for it, or empty for the default.

    Raises:
        StackError: CloudFormation refused or failed.
    """
    if os.environ.get("AWS_ENDPOINT_URL"):
        made = provision(stage)
        done = f"{len(made.tables)} tables, {len(made.buckets)} bucket, {len(made.queues)} queues"
        return Stored(made.buckets[0], done)
    stack = Stack(f"lamplighter-{stage}-storage")
    named = {"Bucket": bucket} if bucket else {}
    done = stack.update(STORAGE.read_text(), {"Stage": stage, **named, **parameters})
    wait_for_indexes(stage)
    return Stored(stack.output("Bucket"), done)


def origins_parameter(origins: Iterable[str]) -> dict[str, str]:
    """The CORS parameter that lets pages of these origins use the bucket; without origins it is unchanged."""
    value = ",".join(origins)
    return {ORIGINS: value} if value else {}


def allow_origins(stage: str, origins: Iterable[str]) -> str:
    """Let only pages of these origins use the bucket in browsers; returns what was done, as text.

    Raises:
        StackError: CloudFormation refused or failed.
    """
    if os.environ.get("AWS_ENDPOINT_URL"):
        return "the engine's bucket accepts requests from any page"
    return Stack(f"lamplighter-{stage}-storage").update(STORAGE.read_text(), origins_parameter(origins))


def wait_for_indexes(stage: str) -> None:
    """Wait until all indexes of the stage's tables can be queried, since new code queries new ones at once."""
    dynamodb = boto3.client("dynamodb")
    prefix = f"lamplighter-{stage}-"
    names = [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    for name in names:
        while name.startswith(prefix) and _building(dynamodb, name):
            time.sleep(10)
    dynamodb.close()


def _building(dynamodb: Any, table: str) -> bool:
    indexes = dynamodb.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])
    return any(index["IndexStatus"] != "ACTIVE" for index in indexes)


class Stack:
    """One CloudFormation stack."""

    def __init__(
        self, name: str, say: Callable[[str], None] = print, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._name = name
        self._say = say
        self._pause = pause
        self._client = boto3.client("cloudformation")

    def update(self, template: str, parameters: Mapping[str, str]) -> str:
        """Create or update the stack; returns what was done, as text. Parameters that are not given keep their values.

        Leftovers of a failed creation are removed first; existing resources with the template's names are imported.

        Raises:
            StackError: CloudFormation refused or failed.
        """
        try:
            old = self._ready()
            kind = "UPDATE" if old else "CREATE"
            steps = [template]
            if old:
                body = self._client.get_template(StackName=self._name)["TemplateBody"]
                steps = list(in_steps(body if isinstance(body, str) else json.dumps(body), template))
            known = {each["ParameterKey"] for each in (old or {}).get("Parameters", [])}
            changed = [self._change(kind, step, parameters, known) for step in steps]
        except (ClientError, WaiterError) as error:
            raise StackError(f"{self._name}: {error}{self._reasons()}") from error
        return f"stack {self._name}: {kind.lower()}d" if any(changed) else f"stack {self._name} is up to date"

    def output(self, name: str) -> str:
        """One of the stack's outputs.

        Raises:
            StackError: there is none with this name.
        """
        stack = self._described() or {}
        for each in stack.get("Outputs", []):
            if each["OutputKey"] == name:
                return str(each["OutputValue"])
        raise StackError(f"stack {self._name} has no output {name}")

    def _change(self, kind: str, template: str, parameters: Mapping[str, str], known: set[str]) -> bool:
        """Update the stack to the template; False if it is up to date."""
        change_set = f"lamplighter-{uuid.uuid4().hex}"  # delete a leftover change set
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        declared = parse(template).get("Parameters", {})
        kept = [
            {"ParameterKey": key, "UsePreviousValue": True}
            for key in sorted(known & declared.keys() - parameters.keys())
        ]
        self._client.create_change_set(
            StackName=self._name,
            ChangeSetName=change_set,
            ChangeSetType=kind,
            TemplateBody=template,
            Parameters=given + kept,
            Capabilities=["CAPABILITY_IAM"],
            ImportExistingResources=kind == "CREATE",
        )
        change = self._settled(change_set)
        if change["Status"] == "FAILED":
            self._client.delete_change_set(StackName=self._name, ChangeSetName=change_set)
            why = change.get("StatusReason", "")
            if "didn't contain changes" in why or "No updates" in why:
                return False
            raise StackError(f"{self._name}: {why}")
        self._client.execute_change_set(StackName=self._name, ChangeSetName=change_set)
        self._wait(f"stack_{kind.lower()}_complete")
        return True

    def _wait(self, condition: str) -> None:
        self._client.get_waiter(condition).wait(StackName=self._name, WaiterConfig=_WAIT)

    def _settled(self, change_set: str) -> dict[str, Any]:
        try:
            self._client.get_waiter("change_set_create_complete").wait(
                StackName=self._name, ChangeSetName=change_set, WaiterConfig={"Delay": 2}
            )
        except WaiterError as error:
            if "Status" not in error.last_response:
                raise
        found: dict[str, Any] = self._client.describe_change_set(StackName=self._name, ChangeSetName=change_set)
        return found

    def _described(self) -> dict[str, Any] | None:
        try:
            [found] = self._client.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        stack: dict[str, Any] = found
        return stack

    def _ready(self) -> dict[str, Any] | None:
        """The stack, in a state from which it can be updated; None if it has to be created."""
        stack = self._described()
        status = stack["StackStatus"] if stack else ""
        if status == "REVIEW_IN_PROGRESS":  # a creation that was prepared but never executed
            return None
        if status in NEVER_MADE:
            self._say(f"  stack {self._name} is {status}: removing what it left{self._reasons()}")
            self._clear()
            return None
        if status == "UPDATE_ROLLBACK_FAILED":
            self._say(f"  stack {self._name} is {status}: continuing{self._reasons()}")
            self._client.continue_update_rollback(StackName=self._name)
            self._wait("stack_rollback_complete")
            return self._described()
        if status.endswith("_IN_PROGRESS"):
            raise StackError(
                f"stack {self._name} is {status}: another deployment is changing it. Wait until that has finished"
            )
        return stack

    def _clear(self) -> None:
        """Remove a stack whose creation failed. Resources that cannot be deleted (protected tables) are kept."""
        self._client.delete_stack(StackName=self._name)
        try:
            self._wait("stack_delete_complete")
        except WaiterError:
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=self._name)
            stuck = [
                each["LogicalResourceId"]
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceStatus"] == "DELETE_FAILED"
            ]
            self._client.delete_stack(StackName=self._name, RetainResources=stuck)
            self._wait("stack_delete_complete")
        self._say(f"  waiting {QUEUE_PAUSE:.0f} s: SQS does not allow the name of a queue that was just deleted")
        self._pause(QUEUE_PAUSE)

    def _reasons(self) -> str:
        """Why resources failed, from the stack's newest events; empty if there are none."""
        try:
            events = self._client.describe_stack_events(StackName=self._name)["StackEvents"]
        except ClientError:
            return ""
        failed = [
            f"\n    {each['LogicalResourceId']}: {each['ResourceStatusReason']}"
            for each in events
            if each["ResourceStatus"].endswith("_FAILED") and each.get("ResourceStatusReason")
        ]
        return "".join(failed[:5])


def in_steps(old: str, new: str) -> Iterator[str]:
    """The templates for a stepwise update from the old to the new one, which is the last.

    DynamoDB adds or removes one index of a table in one update, and CloudFormation refuses a template that asks for
    more. Tables with several new or removed indexes are updated one index at a time.
    """
    before, after = parse(old), parse(new)
    while (between := _nearer(before, after)) != after:
        if between == before:
            break
        yield json.dumps(_as_json(between))
        before = between
    yield new


def _nearer(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The new template, with at most one changed index for each table."""
    result = copy.deepcopy(after)
    for name, resource in result["Resources"].items():
        known = before["Resources"].get(name)
        if resource.get("Type") != TABLE or known is None:
            continue
        table = resource["Properties"]
        there = {each["IndexName"]: each for each in known["Properties"].get("GlobalSecondaryIndexes", [])}
        wanted = {each["IndexName"]: each for each in table.get("GlobalSecondaryIndexes", [])}
        gone = sorted(there.keys() - wanted.keys())
        added = [index for index in wanted if index not in there]
        if len(gone) + len(added) < 2:
            continue
        step = {index for index in there if index not in gone[:1]} | set([] if gone else added[:1])
        both = there | wanted
        table["GlobalSecondaryIndexes"] = [both[index] for index in both if index in step]
        _define(table, known["Properties"])
    return result


def _define(table: dict[str, Any], known: dict[str, Any]) -> None:
    """Define exactly the attributes of a table's keys: DynamoDB refuses unused ones."""
    keys = [table, *table["GlobalSecondaryIndexes"], *table.get("LocalSecondaryIndexes", [])]
    used = {part["AttributeName"] for each in keys for part in each["KeySchema"]}
    both = [*table["AttributeDefinitions"], *known["AttributeDefinitions"]]
    defined = {each["AttributeName"]: each for each in both}
    table["AttributeDefinitions"] = [each for name, each in defined.items() if name in used]


def _as_json(document: Any) -> Any:
    """A template in JSON form: only YAML allows ``Fn::GetAtt`` as one string."""
    if isinstance(document, list):
        return [_as_json(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {
        key: value.split(".", 1) if key == "Fn::GetAtt" and isinstance(value, str) else _as_json(value)
        for key, value in document.items()
    }
