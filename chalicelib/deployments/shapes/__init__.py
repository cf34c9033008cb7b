"""The wire format of deployments (API reference, "Deployments"; ``docs/behaviour.md#deployments``).

Request structs forbid unknown members. On an unknown member the decoder tries again leniently: it matches names in any
letter case and drops the rest (``http.content``).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from chalicelib import limits
from chalicelib.deployments.shapes.approval import Approval
from chalicelib.deployments.shapes.rollout import Count, Percent, Rollout, RolloutStatus

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.DEPLOYMENT_NAME)]
ArtifactName = Annotated[str, msgspec.Meta(min_length=1, max_length=limits.ARTIFACT_NAME)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]
Retries = Annotated[int, msgspec.Meta(ge=0, le=limits.RETRIES_MAX)]
RetriedStatus = Literal["failure", "aborted", "noartifact"]


class NewPhase(msgspec.Struct, forbid_unknown_fields=True):
    """A phase of a new deployment: its share or number of devices, and when it opens."""

    batch_size: Percent | None = None
    batch_size_devices: Count | None = None
    start_ts: Time | None = None


class UniformPhases(msgspec.Struct, forbid_unknown_fields=True):
    """Equal phases of a new deployment. ``time_interval`` is an ISO 8601 duration: ``PT1H``, ``P1D``."""

    time_interval: timedelta
    batch_size: Percent | None = None
    batch_size_devices: Count | None = None
    start_ts: Time | None = None


class NewSoftwareDeployment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The common members of new software deployments. Rules check the map: none of its members may be ignored."""

    name: Name
    artifact_name: ArtifactName
    force_installation: bool = False
    retries: Retries = 0
    phases: list[NewPhase] | None = None
    uniform_phases: UniformPhases | None = None
    update_control_map: dict[str, Any] | None = None
    rollout: Rollout | None = None


class NewDeployment(NewSoftwareDeployment, forbid_unknown_fields=True, kw_only=True):
    """Body of ``POST /deployments`` and ``/deployments/group/{name}``."""

    devices: list[Identifier] | None = None
    all_devices: bool = False


class NewDynamicDeployment(NewSoftwareDeployment, forbid_unknown_fields=True, kw_only=True):
    """Body of v2 ``POST /deployments``. ``max_devices`` 0 or absent: no limit."""

    filter_id: Identifier
    max_devices: Annotated[int, msgspec.Meta(ge=0, le=limits.MAX_DEVICES)] | None = None


class ControlMapChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``PATCH /deployments/{id}``."""

    update_control_map: dict[str, Any]


class SetStatus(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``PUT /deployments/{id}/status``."""

    status: str


class NewRetry(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /deployments/{id}/retry``. What is absent is as in the deployment that is retried.

    ``statuses`` are those of the devices to update again. Without phases there are none, and no gate.
    """

    name: Name | None = None
    artifact_name: ArtifactName | None = None
    statuses: Annotated[list[RetriedStatus], msgspec.Meta(min_length=1, max_length=3)] = msgspec.field(
        default_factory=lambda: ["failure"]
    )
    force_installation: bool | None = None
    retries: Retries | None = None
    phases: list[NewPhase] | None = None
    uniform_phases: UniformPhases | None = None
    rollout: Rollout | None = None


class DeploymentIds(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /deployments/statistics/list``; the reference also shows the bare list."""

    deployment_ids: list[str]


class DeploymentStatistics(msgspec.Struct):
    """A deployment's statistics in the answer for several: the number of devices by status."""

    id: str
    stats: dict[str, int]


class Statistics(msgspec.Struct):
    """Statistics inside a deployment."""

    status: dict[str, int]
    total_size: int


class Phase(msgspec.Struct, omit_defaults=True):
    """A phase. ``device_count`` devices began while it was the last open one."""

    id: str
    start_ts: str
    device_count: int
    batch_size: int | None = None
    batch_size_devices: int | None = None


class FailureReason(msgspec.Struct, omit_defaults=True):
    """A reason, and the number of examined devices that failed for it.

    ``id`` is short, and the same for the same failure in any deployment. ``reason`` leaves out what differs by device;
    ``example`` is what the first of ``devices`` sent.
    """

    id: str
    reason: str
    count: int
    devices: list[str]
    """Some of the devices, the first by id."""
    state: str | None = None
    """The substate in which they failed."""
    example: str | None = None
    artifacts: list[str] | None = None
    """Ids of the artifacts that they got, the most frequent first."""


class Outcomes(msgspec.Struct):
    """The results of a deployment's devices that were updated or failed."""

    failed: int
    """The number of devices that failed; ``reasons`` and ``failed_at`` are of ``failed_read`` of them."""
    failed_read: int
    reasons: list[FailureReason]
    """The most frequent first."""
    failed_at: list[str]
    """When they ended, the earliest first."""
    updated: int
    """The number of devices that were updated, or had it already; ``updated_at`` has the times of some of them."""
    updated_at: list[str]


class FinishedAfter(msgspec.Struct, omit_defaults=True):
    """Seconds until 50, 90 and 99 % of the devices had a final status; absent before that."""

    p50: int | None = None
    p90: int | None = None
    p99: int | None = None


class ReportPoint(msgspec.Struct):
    """How many devices had begun up to a time, by their first report, and how many of these had ended in which way."""

    time: str
    begun: int
    succeeded: int
    failed: int
    other: int
    """Without an artifact that fits, aborted or decommissioned."""


class ReportPart(msgspec.Struct):
    """The devices of a phase, with an artifact or of a device type."""

    key: str
    """The number of the phase, from 1, the id of the artifact, or the device type."""
    begun: int
    succeeded: int
    failed: int
    other: int
    finished_after: FinishedAfter
    """Of the devices that have begun; from the start of the phase, or of the deployment."""


class Report(msgspec.Struct, omit_defaults=True):
    """The course and the results of a deployment.

    ``statistics`` are exact. The other numbers are of ``devices_read`` devices; if that is not ``complete``, they are a
    random sample of ``devices``, those that have polled.
    """

    id: str
    name: str
    artifact_name: str
    status: str
    created: str
    start: str
    """When its first devices could begin."""
    targets: int
    devices: int
    devices_read: int
    complete: bool
    statistics: dict[str, int]
    finished_after: FinishedAfter
    """Of the targets; of a dynamic deployment, of the devices that have polled. From ``start``."""
    step_seconds: int
    """The time between two points."""
    progress: list[ReportPoint]
    phases: list[ReportPart]
    artifacts: list[ReportPart]
    device_types: list[ReportPart]
    failures: list[FailureReason]
    """The most frequent reasons of ``failures_read`` devices."""
    failures_read: int
    finished: str | None = None


class ExportedDevice(msgspec.Struct):
    """A device in an export of a deployment."""

    id: str
    status: str
    started: str | None
    """When it first reported."""
    finished: str | None
    phase: int | None
    """The number of the phase in which it began, from 1."""
    attempts: int
    device_type: str | None
    artifact: str | None
    """The id of the artifact that it got."""
    substate: str | None
    error: str | None
    """The first error of its log."""
    reason: str | None
    """Why it failed, as its deployment's outcomes say."""
    reason_id: str | None
    log: bool
    downgrade: str | None
    """As in ``DeploymentDevice``."""


class Preparation(msgspec.Struct):
    """The progress of listing the targets of a large deployment: ``found`` of about ``expected`` devices."""

    found: int
    expected: int


class Deployment(msgspec.Struct, omit_defaults=True):
    """A deployment. ``max_devices`` is its size, ``device_count`` the number of devices that have polled.

    A dynamic one is for the devices that match its filter when they poll, up to ``max_devices`` unless that is 0.
    """

    id: str
    name: str
    artifact_name: str
    created: str
    status: str
    device_count: int
    max_devices: int
    artifacts: list[str]
    statistics: Statistics
    type: str
    filter: dict[str, Any]
    finished: str | None = None
    groups: list[str] | None = None
    force_installation: bool = False
    retries: int = 0
    phases: list[Phase] | None = None
    configuration: str | None = None
    update_control_map: dict[str, Any] | None = None
    dynamic: bool = False
    initial_device_count: int | None = None
    preparing: Preparation | None = None
    """Only while its targets are being listed. No device gets it until they are."""
    approval: Approval | None = None
    """Only if a second person has to approve it."""
    parent: str | None = None
    """The deployment whose failed devices it is for."""
    retried_by: list[str] | None = None
    """The deployments to its failed devices, oldest first."""
    rollout: RolloutStatus | None = None
    """Only if it was created with ``rollout``, or has been paused."""
    outcomes: Outcomes | None = None
    """Only if it was requested."""


class DeploymentDevice(msgspec.Struct, omit_defaults=True):
    """A device's row in a deployment; it exists from its first poll on. ``image`` is its artifact.

    ``state`` repeats ``status`` under the name in the API reference.
    """

    id: str
    status: str
    state: str
    created: str
    log: bool
    started: str | None = None
    finished: str | None = None
    deleted: str | None = None
    substate: str | None = None
    image: Any = None
    attempts: int = 0
    phase_id: str | None = None
    device_type: str | None = None
    reason: str | None = None
    """Why it failed; for devices that failed only."""
    downgrade: str | None = None
    """What is older than the software that the device had, such as ``rootfs-image.version 2.0 -> 1.9``; if the tenant's
    trust policy asks for it."""


class DeviceHistory(msgspec.Struct):
    """A row of a device's history."""

    id: str
    deployment: Deployment
    device: DeploymentDevice


When = Literal["active", "next", "phase", "waits", "later"]
Outcome = Literal["update", "already-installed", "noartifact", "unknown"]


class Upcoming(msgspec.Struct, omit_defaults=True):
    """An unfinished deployment that reaches a device."""

    id: str
    name: str
    artifact_name: str
    type: str
    created: str
    when: When
    """``active``: in progress; ``next``: the device's next poll begins it; ``phase``: it waits for a phase, which
    opens at ``opens``; ``waits``: it waits for something else, which its explanation names; ``later``: it comes after
    an earlier one in this list."""
    outcome: Outcome
    """The expected result of the poll that begins it: ``update``, ``already-installed``, ``noartifact``; ``unknown``
    if the inventory does not show it."""
    opens: str | None = None
