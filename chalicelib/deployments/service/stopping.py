"""Stops deployments whose devices fail (``docs/rollouts.md#stop``).

The counter items show how many have failed. A report of a failure looks at all of them after it was counted, so of
simultaneous reports the last one sees all failures. No further item is written for it. If the process dies between, the
next failure or the schedule stops the deployment.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib import actor, clock, limits
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import queues
from chalicelib.cache import Store
from chalicelib.deployments.rules import gates
from chalicelib.deployments.rules.rollout import Pause, paused
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.service import closing, events, mailing, rollouts
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.tables import counters, deployments, rows
from chalicelib.fleet import control
from chalicelib.observability import Metric, count
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.deployments.rules.gates import Trip
    from chalicelib.deployments.rules.statistics import Counts
    from chalicelib.storage.keys import TenantId

_LARGE: Final = 1.0
"""Seconds between two looks of a process at all parts of a large deployment, which are 256 items."""
_looked: Store[tuple[str, str], float] = Store()


def check(tenant: TenantId, plan: Plan, now: datetime) -> None:
    """Stop a deployment if enough of its devices have failed. A device has just failed, which was counted."""
    if plan.parts:
        looked, moment = _looked.get((tenant, plan.id)), clock.now().timestamp()
        if looked is not None and 0 <= moment - looked < _LARGE:
            return  # the schedule looks every minute
        _looked.put((tenant, plan.id), moment)
    judge(tenant, plan, counters.of(tenant, plan), now)


@retried
def judge(tenant: TenantId, plan: Plan, counts: Counts, now: datetime) -> bool:
    """Stop a deployment if these counters say so; returns whether it was stopped."""
    stop = plan.stop
    if stop is None or gates.tripped(stop, counts, {}) is None:
        return False
    stored = deployments.find(tenant, plan.id)
    if stored is None or not stored.is_open or stored.progress.state.p:
        return False
    trip = gates.tripped(stop, counts, stored.progress.accepted)
    if trip is None:
        return False
    with actor.Acting(actor.SYSTEM):
        _stop(tenant, stored, trip, now, aborts=stop.action == "abort")
    return True


@retried
def corrected(tenant: TenantId, plan: Plan, now: datetime) -> None:
    """Accept fewer failures after a device has corrected its own.

    Failures that a user has accepted by resuming the deployment are kept as a number. If it stayed as it is, it would
    also cover the next failure of another device.
    """
    stop, stored = plan.stop, deployments.find(tenant, plan.id)
    if stop is None or stored is None or not stored.is_open or stored.progress.state.p:
        return  # results are accepted anew when the deployment is resumed
    before = stored.progress.accepted
    if not any(each.failures for each in before.values()):
        return
    after = gates.still_accepted(stop, counters.of(tenant, plan), before)
    if after != before:
        tx = Transaction()
        progress = rollouts.change(tx, tenant, stored, replace(stored.progress, accepted=after), now)
        tx.commit()
        rollouts.changed(tenant, stored, progress, now)


def _stop(tenant: TenantId, stored: Deployment, trip: Trip, now: datetime, *, aborts: bool) -> None:
    plan, tx = stored.plan, Transaction()
    why = Pause(
        at=now,
        reason=trip.reason,
        by="failures",
        failures=trip.results.failures,
        reports=trip.results.reports,
        phase=trip.phase,
        devices=_failed(tenant, plan),
    )
    after = paused(stored.progress, why)
    if aborts:
        after = replace(after, revision=after.revision + 1)
        closing.close(tx, tenant, plan, now, deployments.Ending(aborted=True, stopped=after))
    else:
        after = rollouts.change(tx, tenant, stored, after, now)
    events.stopped(tx, tenant, plan, why, aborted=aborts)
    action = auditlogs.Action.ABORT if aborts else auditlogs.Action.UPDATE
    what = audited(plan)
    text = f"{'Aborted' if aborts else 'Paused'} by the server: {trip.reason}"
    auditlogs.record(tx, tenant, action, what, change=text)
    tx.then(partial(count, Metric.DEPLOYMENTS_STOPPED))
    tx.then(partial(mailing.order, queues.StopNotice(tenant, plan.id)))
    tx.commit()
    if not aborts:
        rollouts.changed(tenant, stored, after, now)
        return
    control.forget(tenant)
    if plan.parts:
        closing.close_parts(tenant, plan)


def _failed(tenant: TenantId, plan: Plan) -> list[str]:
    """Some of the devices that have failed (eventually consistent)."""
    parts = [part for part, each in counters.by_part(tenant, plan).items() if each.by_status.get(Status.FAILURE)]
    found: list[str] = []
    for part in parts[: limits.STOP_DEVICES]:
        left = limits.STOP_DEVICES - len(found)
        if left:
            failed = rows.with_status(tenant, plan, part, Status.FAILURE, limit=left)
            found += [row.device_id for row in islice(failed, left)]
    return found
