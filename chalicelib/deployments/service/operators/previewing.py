"""Previews a deployment: what it would do if it were created now (``docs/rollouts.md#preview``).

Nothing is stored, except that a search of many devices may ask for a new snapshot of them. What a device would get is
decided as for its next deployments (``predicting``), by what it reported to the inventory.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.cost import service as cost
from chalicelib.deployments.rules import estimate, gates, selection, windows
from chalicelib.deployments.rules.rollout import devices
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import ended, zones
from chalicelib.deployments.service.operators import ahead, drafts, predicting
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.shapes.preview import (
    Preview,
    PreviewCost,
    PreviewDowngrades,
    PreviewGroup,
    PreviewPhase,
    PreviewReason,
    PreviewWindow,
)
from chalicelib.fleet import control
from chalicelib.fleet.head import ACCEPTED
from chalicelib.inventory import service as inventory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.estimate import Course
    from chalicelib.deployments.service.operators.drafts import Draft
    from chalicelib.deployments.service.operators.predicting import Expected
    from chalicelib.deployments.shapes.preview import PreviewAssumptions
    from chalicelib.deployments.shapes.rollout import Gate, Rollout
    from chalicelib.storage.keys import TenantId

_ALWAYS_READ: Final = (("identity", "status"), ("system", "check_in_time"), ("system", "created_ts"))
"""What a preview reads of a device besides what it provides."""


def preview(tenant: TenantId, draft: Draft, assumed: PreviewAssumptions) -> Preview:
    """What a deployment would do if it were saved now.

    Raises:
        Conflict: as ``drafts.save``.
        SwitchedOff: as ``drafts.save``.
        Unavailable: so many devices have changed that a search of them is being prepared.
        Unprocessable: as ``drafts.save``.
    """
    draft = drafts.check(tenant, draft)
    now = clock.now()
    plan = draft.plan
    forecast = _Forecast(tenant, plan, silent_since=now - timedelta(days=assumed.silent_days))
    number = _read_devices(forecast, tenant, draft)
    total = min(number, plan.most or number)
    whole = total / max(1, forecast.read)
    fleet = estimate.Fleet(
        polling=round(forecast.polling * whole),
        succeeding=round(forecast.succeeding * whole),
        poll=timedelta(seconds=assumed.poll_interval),
        update=timedelta(seconds=assumed.update_time),
        zones=forecast.zones,
    )
    course = estimate.course(plan.phases, plan.rollout, fleet, now)
    updated, sent = forecast.updated * whole, forecast.bytes * whole
    requests, transfer = cost.of_updates(updated, sent)
    rollout = plan.rollout
    busy = ahead.busy(tenant, forecast.accepted) if len(forecast.accepted) <= limits.PREVIEW_HEADS else None
    return Preview(
        devices=number,
        max_devices=plan.most,
        devices_read=forecast.read,
        complete=forecast.read >= number,
        **forecast.groups(),
        waits_for_others=None if busy is None else PreviewGroup(len(busy), busy[: limits.PREVIEW_EXAMPLES]),
        bytes=round(sent),
        cost=PreviewCost(round(requests, 4), round(transfer, 4)),
        assumptions=assumed,
        phases=_phases(plan, total, course),
        windows=_windows(rollout, now),
        time_zone=rollout.time_zone if rollout is not None else None,
        maximum_per_minute=plan.rate,
        downgrades=forecast.downgrades(),
        approval_expires=None if draft.approval is None else clock.rfc3339(draft.approval.expires),
        done_at=clock.rfc3339(course.done) if course.done is not None and fleet.polling else None,
        warnings=[*_warnings(plan, course, fleet), *_unprotected(plan)],
    )


def _read_devices(forecast: _Forecast, tenant: TenantId, draft: Draft) -> int:
    """Read the devices of a deployment into ``forecast``, up to a limit; returns how many it is for."""
    plan, preparing, most = draft.plan, draft.preparing, limits.PREVIEW_DEVICES
    if plan.dynamic or (preparing is not None and preparing.retried is None):
        terms = msgspec.convert(plan.filter["terms"], tuple[inventory.Term, ...])
        found, number = inventory.values_of_accepted(tenant, terms, forecast.attributes, most)
        forecast.add(found, found)
        return number
    targets: Iterable[str] = draft.targets
    if preparing is not None and preparing.retried is not None:
        parent = require(tenant, preparing.retried.deployment)
        targets = ended.devices(tenant, parent, preparing.retried)
    ids = list(islice(targets, most))
    forecast.add(ids, inventory.values_of(tenant, ids, forecast.attributes))
    return plan.size


class _Group:
    """Some devices: how many, and the first of them."""

    def __init__(self) -> None:
        self.devices = 0
        self.examples: list[str] = []

    def add(self, device_id: str) -> None:
        self.devices += 1
        if self.devices <= limits.PREVIEW_EXAMPLES:
            self.examples.append(device_id)


class _Why(msgspec.Struct, frozen=True):
    """Why a device gets nothing, as ``PreviewReason``."""

    reason: str
    device_type: str | None = None
    dependency: str | None = None


class _Forecast:
    """What the first polls of a deployment would find."""

    def __init__(self, tenant: TenantId, plan: Plan, *, silent_since: datetime) -> None:
        self._tenant = tenant
        self._plan = plan
        self._silent_since = silent_since
        self._policy = control.get(tenant).trust.downgrades
        self._candidates = artifacts.candidates(tenant, plan.artifact_name)
        provided = {"device_type", "artifact_name", *(name for each in self._candidates for name in each.depends)}
        if self._policy != "allow":
            provided |= {name for each in self._candidates for name in artifacts.provides(tenant, each.id)}
        self._provided = sorted(provided)
        zone = plan.rollout.device_time_zone if plan.rollout is not None else None
        self._zone_attributes = () if zone is None else tuple((scope, zone) for scope in zones.SCOPES)
        self.attributes = (*_ALWAYS_READ, *self._zone_attributes, *(("inventory", name) for name in self._provided))
        """The attributes of devices that it needs: scopes and names."""
        self.read = 0
        """The number of devices that were added."""
        self.accepted: list[str] = []
        """The accepted ones of them."""
        self.polling = 0
        """The number of accepted devices that are not silent."""
        self.succeeding = 0
        """The number of those for which an artifact may fit."""
        self.zones: Counter[str] = Counter()
        """The numbers of devices that poll, by the time zone of their windows; empty unless devices have their own."""
        self.bytes = 0
        """The sizes of the artifacts of the devices that would get the update."""
        self._groups: defaultdict[str, _Group] = defaultdict(_Group)
        self._reasons: defaultdict[str, defaultdict[_Why, _Group]] = defaultdict(lambda: defaultdict(_Group))
        self._zones: dict[tuple[str | None, ...], str] = {}
        self._expected: dict[tuple[str | None, ...], tuple[Expected, str, _Why | None]] = {}

    @property
    def updated(self) -> int:
        """The number of devices that would get the update."""
        return self._groups["update"].devices

    def add(self, device_ids: Iterable[str], values: Mapping[str, tuple[Any, ...]]) -> None:
        """Add devices. ``values``: of those that exist, what they have in :attr:`attributes`."""
        for device_id in device_ids:
            self.read += 1
            status, seen, created, *others = values.get(device_id) or (None,) * len(self.attributes)
            if status != ACCEPTED:
                self._groups["not_accepted"].add(device_id)
                continue
            self.accepted.append(device_id)
            # Lists can't be keys, and nothing that is no text is provided.
            texts = tuple(value if isinstance(value, str) else None for value in others)
            own, provided = texts[: len(self._zone_attributes)], texts[len(self._zone_attributes) :]
            expected, group, why = self._expect(provided)
            self._groups[group].add(device_id)
            if why is not None:
                self._reasons[group][why].add(device_id)
            if expected.downgrade is not None:
                self._groups["downgrades"].add(device_id)
            if group == "update" and expected.artifact is not None:
                self.bytes += expected.artifact.size
            last = seen or created
            if last is not None and last < self._silent_since:
                self._groups["silent"].add(device_id)
                continue
            self.polling += 1
            self.succeeding += group != "no_artifact"
            if own:
                self.zones[self._zone(own)] += 1

    def groups(self) -> dict[str, PreviewGroup]:
        """The groups of devices, by their name in ``Preview``."""
        names = ("update", "already_installed", "no_artifact", "unknown", "not_accepted", "silent")
        return {name: self._shown(name) for name in names}

    def downgrades(self) -> PreviewDowngrades | None:
        """The devices whose software would become older; None if the tenant allows that."""
        if self._policy == "allow":
            return None
        found = self._groups["downgrades"]
        return PreviewDowngrades(self._policy, found.devices, found.examples)

    def _shown(self, name: str) -> PreviewGroup:
        found = self._groups[name]
        reasons = [
            PreviewReason(
                reason=why.reason,
                devices=each.devices,
                examples=each.examples,
                device_type=why.device_type,
                dependency=why.dependency,
            )
            for why, each in sorted(self._reasons[name].items(), key=lambda item: -item[1].devices)
        ]
        return PreviewGroup(found.devices, found.examples, reasons[: limits.PREVIEW_REASONS])

    def _zone(self, own: tuple[str | None, ...]) -> str:
        """The time zone of the windows of a device with these values of its attribute."""
        if own not in self._zones:
            rollout = self._plan.rollout
            usual = (rollout.time_zone if rollout is not None else None) or "UTC"
            self._zones[own] = zones.first(own) or usual
        return self._zones[own]

    def _expect(self, texts: tuple[str | None, ...]) -> tuple[Expected, str, _Why | None]:
        """What a device with these values of attributes finds, the name of its group, and why it is in it."""
        found = self._expected.get(texts)
        if found is None:
            provided = {name: text for name, text in zip(self._provided, texts, strict=True) if text is not None}
            found = self._expected[texts] = self._decide(provided)
        return found

    def _decide(self, provided: Mapping[str, str]) -> tuple[Expected, str, _Why | None]:
        expected = predicting.expect(self._tenant, self._plan, provided)
        match expected.status:
            case Status.ALREADY_INSTALLED:
                return expected, "already_installed", None
            case Status.NOARTIFACT if expected.downgrade is not None:
                return expected, "no_artifact", _Why("the trust policy refuses older software")
            case Status.NOARTIFACT:
                return expected, "no_artifact", self._no_artifact(provided["device_type"])
            case None if "device_type" not in provided:
                return expected, "unknown", _Why("the device has not reported its type to the inventory")
            case None:
                unmet = selection.unmet(self._candidates, provided)
                group = "no_artifact" if unmet.is_known else "unknown"
                return expected, group, _Why(unmet.reason, dependency=unmet.dependency)
        return expected, "update", None

    def _no_artifact(self, device_type: str) -> _Why:
        text = selection.none_runs(self._plan.artifact_name, self._candidates, device_type)
        return _Why(text, device_type=device_type)


# --- when -----------------------------------------------------------------------------------------


def _phases(plan: Plan, total: int, course: Course) -> list[PreviewPhase]:
    bounds = [0, *(total if each.upto is None else min(each.upto, total) for each in plan.phases)]
    return [
        PreviewPhase(
            phase=index + 1,
            devices=after - before,
            start_ts=clock.rfc3339(phase.start),
            waits_for=_waits_for(index, clock.rfc3339(phase.start), plan.gate, is_at_once=phase.start <= plan.created),
            opens=None if opens is None else clock.rfc3339(opens),
        )
        for index, (phase, (before, after), opens) in enumerate(
            zip(plan.phases, pairwise(bounds), course.opens, strict=True)
        )
    ]


def _waits_for(index: int, start: str, gate: Gate | None, *, is_at_once: bool) -> str:
    if index == 0 or gate is None:
        return "opens at once" if is_at_once else f"opens at {start}"
    text = (
        f"opens when {gate.success_percent} % of the devices of phase {index}, and at least {gate.minimum_devices}, "
        "have succeeded"
    )
    if gate.soak:
        text += f", and that has been so for {_duration(gate.soak)}"
    return text if is_at_once else f"{text}; not before {start}"


def _duration(time: timedelta) -> str:
    minutes = time.total_seconds() / 60
    return f"{minutes:g} minutes" if minutes < 120 else f"{minutes / 60:g} hours"


def _windows(rollout: Rollout | None, now: datetime) -> list[PreviewWindow]:
    if rollout is None or not rollout.windows:
        return []
    zone = rollout.time_zone or "UTC"
    found = windows.openings(rollout.windows, zone, now)
    return [
        PreviewWindow(*(windows.local(time, zone).isoformat(timespec="seconds") for time in span))
        for span in islice(found, limits.PREVIEW_WINDOWS)
    ]


def _warnings(plan: Plan, course: Course, fleet: estimate.Fleet) -> list[str]:
    if not fleet.polling:
        return ["no device of the deployment polls"]
    if course.unreachable is not None and plan.gate is not None:
        text = (
            f"phase {course.unreachable + 1} does not open by itself: its gate needs the success of "
            f"{devices(plan.gate.minimum_devices)} of the phase before, but an artifact may fit only fewer"
        )
        return [text]
    return [] if course.done is not None else ["the deployment takes more than a year"]


def _unprotected(plan: Plan) -> list[str]:
    """A warning if all devices may fail without stopping the deployment."""
    least = 0 if plan.stop is None else gates.least_failures(plan.stop)
    if not plan.size or least <= plan.size:
        return []
    text = f"even if all fail, that takes {devices(least)}, but it is for {devices(plan.size)}"
    return [f"failures never stop it: {text}"]
