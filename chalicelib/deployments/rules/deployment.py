"""Deployments as they are stored: what never changes is a :class:`Plan`, which processes cache."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from chalicelib.deployments.rules import phases, polling
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.rollout import NEW, Progress
from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.shapes import NewPhase, UniformPhases
from chalicelib.deployments.shapes.rollout import Gate, Rollout, Stop

SOFTWARE, CONFIGURATION = "software", "configuration"
"""Kinds of deployments."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a deployment that never changes once polls can see it.

    Each field is the attribute of the same name in ``tables.items.DeploymentItem``, or made of others there.
    """

    id: str
    name: str
    artifact_name: str
    kind: str = SOFTWARE
    sequence: int = 0
    created: datetime
    approved: datetime | None = None
    """When a second person approved it; None: it needed no approval, or has none yet."""
    size: int
    """The number of devices; of a dynamic deployment its maximum, 0 for no limit."""
    dynamic: bool = False
    """Whether it is for the devices that match its filter when they poll, instead of fixed targets."""
    initial: int | None = None
    """The number of devices that matched the filter of a dynamic deployment at its creation."""
    packed: bytes | None = None
    """The fixed targets of a deployment to a few devices, so that its first poll needs no further read."""
    in_bucket: bool = False
    """Whether the targets are an S3 object."""
    targets_object: str | None = None
    """The last part of that object's key; None: it is the deployment's id."""
    on_heads: bool = False
    """Whether it waits on its targets' heads instead of in the control item."""
    shards: int = 1
    """The number of counter items."""
    parts: int = 0
    """The number of parts into which a large deployment is divided, each with one counter item; 0: it is not."""
    part_sizes: list[int] | None = None
    """The number of targets in each part of a large deployment with fixed targets."""
    force: bool = False
    retries: int = 0
    phases: tuple[Phase, ...] = ()
    artifacts: list[str] = []
    """Ids of the release's artifacts at creation."""
    filter: Mapping[str, Any]
    """How the targets were chosen, in the wire format."""
    groups: list[str] | None = None
    has_map: bool = False
    """Whether it has an update control map. The map itself may change."""
    parent: str | None = None
    """The deployment whose failed devices this one is for."""
    rollout: Rollout | None = None
    """What protects the fleet; None: nothing but phases."""
    lock: str
    """Hash of the parameters that no two unfinished deployments may share."""

    @property
    def visible(self) -> datetime:
        """Since when polls see it: its creation, or its approval. Large deployments are prepared after that."""
        return self.approved or self.created

    @property
    def configures(self) -> bool:
        """Whether it is a configuration deployment, which has no stored artifact."""
        return self.kind == CONFIGURATION

    @property
    def decides(self) -> int | None:
        """As :attr:`Current.decides`."""
        return polling.decides(self.sequence, configures=self.configures)

    @property
    def most(self) -> int | None:
        """The maximum number of devices of a dynamic deployment; None: no limit."""
        return self.size or None if self.dynamic else None

    @property
    def is_bounded(self) -> bool:
        """Whether the number of devices that may begin is limited at some time."""
        return len(self.phases) > 1 or self.most is not None

    @property
    def gate(self) -> Gate | None:
        """The success by which phases after the first one open; None: they open by time alone."""
        return None if self.rollout is None else self.rollout.gate

    @property
    def stop(self) -> Stop | None:
        """The failures that stop it; None: none do."""
        return None if self.rollout is None else self.rollout.stop

    @property
    def rate(self) -> int | None:
        """The number of devices that may begin in a minute; None: any number."""
        return None if self.rollout is None else self.rollout.maximum_per_minute

    @property
    def counts_results(self) -> bool:
        """Whether it counts the results of each phase."""
        return self.rollout is not None and bool(self.phases)

    @property
    def is_listed(self) -> bool:
        """Whether its fixed targets are known: those of a large deployment are not while it is prepared."""
        return not self.parts or self.dynamic or self.part_sizes is not None

    def capacity(self, phase: int | None) -> int | None:
        """The number of devices that may have begun, if ``phase`` is the last open one; None: no limit.

        ``phase`` is None for rows that begin outside of phases.
        """
        upto = None if phase is None else self.phases[phase].upto
        return min((bound for bound in (upto, self.most) if bound is not None), default=None)

    def share(self, part: int, upto: int) -> int:
        """How many of ``upto`` devices may begin in one part of a large deployment.

        ``upto`` is the :meth:`capacity` of a phase. Without fixed targets, parts are taken to be equal, since ids are
        random.
        """
        earlier = {bound for phase in range(len(self.phases)) if (bound := self.capacity(phase)) and bound < upto}
        return phases.share(sorted({*earlier, upto}), part, self.part_sizes or [1] * self.parts)


class Retried(msgspec.Struct, frozen=True):
    """The devices of an earlier deployment that another one is for."""

    deployment: str
    statuses: list[Status]
    """The statuses with which they ended."""
    groups: list[str] | None = None
    """The groups in which they have to be; None: they may be anywhere."""


class Preparing(msgspec.Struct, frozen=True, kw_only=True):
    """The work on a large deployment whose targets are still being listed; no poll sees it yet."""

    group: str | None
    """The group whose devices it is for; None: it is for all devices."""
    expected: int
    """The number of devices when it was created."""
    found: int = 0
    """The number of devices that have been listed."""
    phases: list[NewPhase] | None
    """The phases of the request, which are divided again among the listed devices."""
    uniform_phases: UniformPhases | None
    retried: Retried | None = None
    """The devices that it is for, instead of a group's or all. Then the group is ``NO_GROUP``."""


NO_GROUP = ""
"""A group without devices. A worker of the previous version, which may still run during an upgrade and does not know
retries, lists no devices for it, and so ends the deployment instead of bringing it to all devices."""


class Person(msgspec.Struct, frozen=True):
    """A user who asked for something, or decided about it."""

    id: str
    email: str = ""
    """The address at that time."""


class Approval(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The approval that a deployment needs: no poll sees it before."""

    state: Literal["waiting", "approved", "rejected", "expired"] = "waiting"
    requested_by: Person
    """The user who created the deployment."""
    expires: datetime
    """When it is aborted if nobody has decided."""
    relative: int = 0
    """The number of its first phases whose start counts from the approval instead of the creation."""
    decided_by: Person | None = None
    decided_at: datetime | None = None
    comment: str = ""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment as it was read."""

    plan: Plan
    finished: datetime | None = None
    aborted: bool = False
    opened: int = 0
    """The number of phases that the schedule has recorded as open; polls do not depend on it."""
    control_map: dict[str, Any] | None = None
    """Its update control map with the deployment's id; set at creation or never."""
    preparing: Preparing | None = None
    approval: Approval | None = None
    """Absent if it needs none."""
    sums: Counts | None = None
    """The sums of the counter items of a large deployment, kept after its end."""
    retried_by: tuple[str, ...] = ()
    """The deployments to its failed devices, oldest first."""
    corrections: int = 0
    """The number of changes to rows of a large deployment that already had a final status."""
    progress: Progress = NEW
    """How far its rollout is."""
    due: str | None = None
    """When the schedule has to check it, as a sort key of the index ``due``; None: never."""

    @property
    def id(self) -> str:
        """The deployment's id."""
        return self.plan.id

    @property
    def is_open(self) -> bool:
        """Whether it is unfinished."""
        return self.finished is None

    @property
    def waits(self) -> bool:
        """Whether it waits for approval."""
        return self.is_open and self.approval is not None and self.approval.state == "waiting"

    @property
    def is_hidden(self) -> bool:
        """Whether polls do not see it yet: it waits for approval, or its targets are being listed.

        Until then its plan may change.
        """
        return self.waits or (self.is_open and self.preparing is not None)

    @property
    def is_settled(self) -> bool:
        """Whether its counter items change by corrections only: it has ended, and an abort has closed all parts."""
        return not self.is_open and self.due is None
