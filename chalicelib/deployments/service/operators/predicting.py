"""What the next poll of a device will find, without changing anything.

It decides as a poll does (``rules.decision``). Only what a device provides is taken from the inventory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from chalicelib.artifacts import service as artifacts
from chalicelib.artifacts.service import Candidate
from chalicelib.deployments.rules import decision, selection
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import downgrades, plans, zones
from chalicelib.deployments.service.filter_matches import FilterMatches
from chalicelib.deployments.tables import counters, deployments, pacing
from chalicelib.errors import NotFound
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.inventory import service as inventory
from chalicelib.storage.parallel import in_parallel

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.deployments.rules.polling import Waiting
    from chalicelib.deployments.rules.rollout import State
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


class Prediction:
    """The facts of a poll's decision about some deployments (``rules.decision.Facts``)."""

    def __init__(self, tenant: TenantId, head: Head, wanted: Iterable[str], now: datetime) -> None:
        """Reads the deployments ``wanted``, by id; those that have ended are left out."""
        self._tenant = tenant
        self._head = head
        self._now = now
        self._matches = FilterMatches(tenant, head)
        self.device_id = head.device_id
        self.stored: dict[str, Deployment] = {
            each.id: each for each in deployments.find_many(tenant, wanted).values() if each.is_open
        }
        self._zones: dict[str, str | None] = {}
        self._in_minute: dict[str, tuple[int, int]] | None = None
        self._begun = counters.read_begun(tenant, (each.plan for each in self.stored.values()))

    def read_targets(self) -> None:
        """Read the targets that are in the bucket, several at a time."""
        in_parallel(self.is_target, [each.plan for each in self.stored.values() if each.plan.in_bucket])

    def plan(self, waiting: Waiting) -> Plan | None:
        """See ``Facts``."""
        found = self.stored.get(waiting.deployment)
        return found.plan if found is not None else None

    def may_configure(self, waiting: Waiting) -> bool:  # noqa: ARG002
        """See ``Facts``; all deployments are wanted."""
        return True

    def is_target(self, plan: Plan) -> bool:
        """See ``Facts``."""
        if plan.dynamic:
            return self._matches.take(plan, [each.plan for each in self.stored.values() if each.plan.dynamic])
        return plans.includes(self._tenant, plan, self.device_id)

    def is_full(self, plan: Plan, upto: int | None) -> bool:
        """See ``Facts``."""
        return upto is not None and self._begun.get(plan.id, 0) >= upto

    def has_limit_reached(self, plan: Plan) -> bool:
        """See ``Facts``."""
        return self.is_full(plan, plan.most)

    def state(self, plan: Plan) -> State:
        """See ``Facts``."""
        return self.stored[plan.id].progress.state

    def zone(self, attribute: str) -> str | None:
        """See ``Facts``."""
        if attribute not in self._zones:
            self._zones[attribute] = zones.read(self._tenant, self.device_id, attribute)
        return self._zones[attribute]

    def is_rate_reached(self, plan: Plan) -> bool:
        """See ``Facts``."""
        if self._in_minute is None:
            wanted = [each.plan for each in self.stored.values()]
            self._in_minute = pacing.begun_in_minute(self._tenant, wanted, self.device_id, self._now)
        begun, most = self._in_minute[plan.id]
        return begun >= most


def provides(tenant: TenantId, device_id: str) -> dict[str, str]:
    """What the device has reported to the inventory, which is a part of what it provides in polls."""
    try:
        reported = inventory.get(tenant, device_id).scope("inventory")
    except NotFound:
        return {}
    return {name: stored[0] for name, stored in reported.items() if stored and isinstance(stored[0], str)}


class Expected(msgspec.Struct, frozen=True):
    """What the first poll of a deployment finds for a device, as far as its inventory shows."""

    status: Status | None
    """The status in which it begins; None: its inventory does not show it."""
    artifact: Candidate | None = None
    downgrade: str | None = None
    """What the artifact would make older, unless the tenant allows that."""


def expect(tenant: TenantId, plan: Plan, provided: Mapping[str, str]) -> Expected:
    """What the first poll of a software deployment finds for a device. ``provided`` is from its inventory."""
    if "device_type" not in provided:
        return Expected(None)
    candidates = artifacts.candidates(tenant, plan.artifact_name)
    runs = any(selection.runs(each, provided) for each in candidates)
    status = decision.first_status(plan, provided, has_artifact=runs)
    if status.final:
        return Expected(status)
    known = control.get(tenant)
    artifact = selection.choose(candidates, provided, by_dependencies=known.includes(Feature.DEPENDENCIES))
    if artifact is None:
        return Expected(None)  # it may depend on what the device provides in polls, which the inventory does not have
    downgrade = downgrades.find(tenant, known.trust, plan, artifact.id, provided)
    is_refused = downgrade is not None and known.trust.downgrades == "refuse"
    return Expected(Status.NOARTIFACT if is_refused else status, artifact, downgrade)


def first_status(tenant: TenantId, plan: Plan, provided: Mapping[str, str]) -> Status | None:
    """The status in which a device begins a deployment; None: its inventory does not show it."""
    if plan.configures:
        return decision.first_status(plan, provided, has_artifact=True)
    return expect(tenant, plan, provided).status


def refused_downgrade(tenant: TenantId, plan: Plan, provided: Mapping[str, str]) -> str | None:
    """The downgrade because of which a device does not get its artifact (``downgrades.find``); None: there is none."""
    expected = expect(tenant, plan, provided)
    return expected.downgrade if expected.status is Status.NOARTIFACT else None
