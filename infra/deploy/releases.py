"""Releases of a stage: one published version of each function, called together by the alias ``live``.

A published version is an immutable copy of a function's code, layer and settings, so the called versions always fit
together, even in the middle of an update. Moving the alias puts a release into service, in steps if the stage has some,
and rolls back to an earlier one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import WaiterError

from infra.deploy.functions import ALIAS
from infra.deploy.record import KEPT, Installation, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from infra.deploy.functions import Step

SNAPSHOT = 900
"""Seconds that Lambda may take to make a snapshot. Together with a stage's steps it is less than the lock's life."""
_UNREADY = frozenset({"Failed", "Pending"})
_CHECK = 2
"""Seconds between two looks at whether it is made."""
LOOK = 15.0
"""Seconds between two checks of the alarms."""


class TurnedBackError(Exception):
    """An alarm went off while a release was put into service; the previous release is live again."""


class NoWayBackError(Exception):
    """There is no such release, or its code cannot read the stored data; the message says which."""


class NotReadyError(Exception):
    """A new version did not become ready; the message says why. The previous release is live."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of a stage, by their names on AWS."""

    names: tuple[str, ...]
    client: Any
    """The boto3 client of Lambda."""

    def publish(self) -> dict[str, str]:
        """Publish the current state of each function; unchanged functions keep their version.

        With SnapStart a new version cannot be called until Lambda has its snapshot, which takes some minutes.

        Raises:
            NotReadyError: a snapshot failed or took too long.
        """
        published = {name: self.client.publish_version(FunctionName=name) for name in self.names}
        for name, about in published.items():
            # An unchanged version may have lost its snapshot (Inactive), which Lambda makes anew when it is called.
            if about.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions" and about["State"] in _UNREADY:
                self._await_snapshot(name, about["Version"])
        return {name: about["Version"] for name, about in published.items()}

    def _await_snapshot(self, name: str, version: str) -> None:
        try:
            self.client.get_waiter("published_version_active").wait(
                FunctionName=name,
                Qualifier=version,
                WaiterConfig={"Delay": _CHECK, "MaxAttempts": SNAPSHOT // _CHECK},
            )
        except WaiterError as error:
            about = self.client.get_function_configuration(FunctionName=name, Qualifier=version)
            raise NotReadyError(
                f"version {version} of {name} has no snapshot ({about['State']}: {about.get('StateReason')}), so the "
                f"previous release stays live. The function's log says more. Delete the version (aws lambda "
                f"delete-function --function-name {name} --qualifier {version}) and deploy again, or set "
                "snap_start=False"
            ) from error

    def live(self) -> dict[str, str]:
        """The live version of each function; during a stepwise release, the one with most calls."""
        return {name: self._alias(name)["FunctionVersion"] for name in self.names}

    def settle(self, versions: Mapping[str, str]) -> None:
        """Send all calls to these versions."""
        for name, version in versions.items():
            known = self._alias(name)
            if known["FunctionVersion"] != version or known.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
                self._point(name, version, {})

    def share(self, versions: Mapping[str, str], percent: int) -> None:
        """Send a share of the calls to these versions."""
        for name, version in versions.items():
            self._point(name, self._alias(name)["FunctionVersion"], {version: percent / 100})

    def prune(self, releases: Sequence[Release]) -> None:
        """Delete versions that are in none of these releases and not live."""
        for name in self.names:
            kept = {release.versions.get(name) for release in releases} | {self._alias(name)["FunctionVersion"]}
            pages = self.client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
            found = [each["Version"] for page in pages for each in page["Versions"]]
            for version in found:
                if version not in kept | {"$LATEST"}:
                    self.client.delete_function(FunctionName=name, Qualifier=version)

    def _alias(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_alias(FunctionName=name, Name=ALIAS)
        return found

    def _point(self, name: str, version: str, weights: dict[str, float]) -> None:
        self.client.update_alias(
            FunctionName=name,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
        )


@dataclass(frozen=True, slots=True)
class Alarms:
    """Signs of a bad release: the stage's alarms, and errors of the new versions.

    The alarms are those of ``infra/templates/alarms.yaml``, if that stack is deployed; errors are always counted.
    """

    stage: str
    client: Any
    """The boto3 client of CloudWatch."""

    def ringing(self) -> set[str]:
        """The names of the stage's alarms that have gone off."""
        prefix = f"lamplighter-{self.stage}"
        pages = self.client.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, StateValue="ALARM")
        names = {each["AlarmName"] for page in pages for each in page.get("MetricAlarms", [])}
        return {name for name in names if name.removeprefix(prefix)[:1] in {" ", "-"}}

    def errors(self, versions: Mapping[str, str], since: datetime) -> dict[str, int]:
        """The number of errors of each of these versions since a time, without those that had none."""
        names = sorted(versions)
        queries = [
            {
                "Id": f"f{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/Lambda",
                        "MetricName": "Errors",
                        "Dimensions": [
                            {"Name": "FunctionName", "Value": name},
                            {"Name": "Resource", "Value": f"{name}:{ALIAS}"},
                            {"Name": "ExecutedVersion", "Value": versions[name]},
                        ],
                    },
                    "Period": 60,
                    "Stat": "Sum",
                },
            }
            for number, name in enumerate(names)
        ]
        if not queries:
            return {}
        found = self.client.get_metric_data(
            MetricDataQueries=queries, StartTime=since, EndTime=datetime.now(UTC) + timedelta(minutes=1)
        )
        counts = {names[int(each["Id"][1:])]: int(sum(each["Values"])) for each in found["MetricDataResults"]}
        return {name: count for name, count in counts.items() if count}


def put_into_service(
    functions: Functions,
    release: Release,
    *,
    steps: Sequence[Step],
    alarms: Alarms,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Put a release into service step by step; at once if there are no steps or nothing changed.

    Raises:
        TurnedBackError: a new alarm went off, or a new version had errors; the previous release is live again.
    """
    before = functions.live()
    changed = {name: version for name, version in release.versions.items() if before.get(name) != version}
    if changed and steps:
        old = {name: before[name] for name in changed}
        try:
            _shift(functions, changed, steps, alarms, say, pause)
        except BaseException:  # also on Ctrl-C
            functions.settle(old)
            raise
    functions.settle(release.versions)


def _shift(
    functions: Functions,
    changed: Mapping[str, str],
    steps: Sequence[Step],
    alarms: Alarms,
    say: Callable[[str], None],
    pause: Callable[[float], None],
) -> None:
    known, began = alarms.ringing(), datetime.now(UTC)
    for step in steps:
        say(f"  {step.percent} % of all calls go to the new release, for {step.seconds} s")
        functions.share(changed, step.percent)
        for seconds in _pieces(step.seconds):
            pause(seconds)
            if new := alarms.ringing() - known:
                raise TurnedBackError(f"rolled back, because an alarm went off: {', '.join(sorted(new))}")
            if broken := alarms.errors(changed, began):
                counted = ", ".join(f"{name} ({count})" for name, count in sorted(broken.items()))
                raise TurnedBackError(f"rolled back, because new versions had errors: {counted}; their logs say why")


def _pieces(seconds: float) -> Iterator[float]:
    while seconds > 0:
        yield min(LOOK, seconds)
        seconds -= LOOK


def noted(installation: Installation, release: Release) -> Installation:
    """The record with a new release, which is live."""
    kept = [*installation.releases, release][-KEPT:]
    installation.releases, installation.live = kept, release.number
    return installation


def to_go_back_to(installation: Installation, number: int, data_version: int) -> Release:
    """The release to roll back to: the one with this number, or for 0 the one before the live one.

    Raises:
        NoWayBackError: there is none, or its code cannot read the stored data.
    """
    if number:
        found = installation.release(number)
    else:
        before = [each for each in installation.releases if each.number < installation.live]
        found = before[-1] if before else None
    if found is None:
        known = ", ".join(str(each.number) for each in installation.releases) or "none"
        raise NoWayBackError(f"there is no release {number or 'before the live one'}; recorded are: {known}")
    if data_version > found.data_version:
        raise NoWayBackError(
            f"release {found.number} cannot read the stored data: its code knows version {found.data_version} of the "
            f"data, which was migrated to {data_version}. Restore a backup from before that (docs/operations.md)"
        )
    return found


def gateway_deployment(client: Any, api: str, stage: str) -> str:
    """The deployment of the REST API that a stage serves; empty if there is none."""
    stages = client.get_stages(restApiId=api)["item"]
    return next((str(each["deploymentId"]) for each in stages if each["stageName"] == stage), "")


def serve_deployment(client: Any, api: str, stage: str, deployment: str) -> None:
    """Let a stage of the REST API serve one of its deployments."""
    if deployment and gateway_deployment(client, api, stage) != deployment:
        client.update_stage(
            restApiId=api,
            stageName=stage,
            patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deployment}],
        )


def prune_deployments(client: Any, api: str, releases: Sequence[Release]) -> None:
    """Delete deployments of the REST API that are in none of these releases."""
    kept = {release.gateway for release in releases}
    pages = client.get_paginator("get_deployments").paginate(restApiId=api)
    for deployment in [each["id"] for page in pages for each in page["items"]]:
        if deployment not in kept:
            client.delete_deployment(restApiId=api, deploymentId=deployment)


def clients() -> tuple[Any, Any, Any]:
    """boto3's clients of Lambda, CloudWatch and API Gateway."""
    return boto3.client("lambda"), boto3.client("cloudwatch"), boto3.client("apigateway")
