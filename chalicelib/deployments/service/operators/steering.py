"""Users pause and resume deployments, and open phases by hand (``docs/rollouts.md#by-hand``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.deployments.rules import gates, rollout
from chalicelib.deployments.rules.rollout import Pause
from chalicelib.deployments.service import events, rollouts
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.tables import counters
from chalicelib.errors import BadRequest, Conflict
from chalicelib.fleet import schema
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.shapes.rollout import RolloutAction
    from chalicelib.storage.keys import TenantId


def steer(tenant: TenantId, deployment: str, wanted: RolloutAction) -> None:
    """Pause a deployment, resume it, or open its next phase.

    Raises:
        BadRequest: no phase is named.
        NotFound: there is no such deployment.
        Conflict: it has ended, or is not open to devices yet; or the phase cannot be opened.
    """
    match wanted.action:
        case "pause":
            _pause(tenant, deployment, wanted.reason)
        case "resume":
            _resume(tenant, deployment)
        case "open_phase":
            if wanted.phase is None:
                raise BadRequest("phase: give the number of the phase to open, so that a repeated call opens no other")
            _open_phase(tenant, deployment, wanted.phase)


@retried
def _pause(tenant: TenantId, deployment: str, reason: str) -> None:
    schema.require(rollouts.VERSION)
    stored = _require(tenant, deployment)
    if stored.progress.state.p:
        return
    tx, now = Transaction(), clock.now()
    after = rollouts.change(tx, tenant, stored, rollout.paused(stored.progress, Pause(at=now, reason=reason)), now)
    events.paused(tx, tenant, stored.plan, reason)
    _record(tx, tenant, stored, f"Paused: {reason}" if reason else "Paused")
    tx.commit()
    rollouts.changed(tenant, stored, after, now)


@retried
def _resume(tenant: TenantId, deployment: str) -> None:
    stored = _require(tenant, deployment)
    if not stored.progress.state.p:
        return
    tx, now, plan = Transaction(), clock.now(), stored.plan
    accepted = dict(stored.progress.accepted)
    if plan.stop is not None:
        accepted = gates.results(plan.stop, counters.of(tenant, plan))
    after = rollouts.change(tx, tenant, stored, rollout.resumed(stored.progress, accepted, now), now)
    events.resumed(tx, tenant, plan)
    _record(tx, tenant, stored, "Resumed")
    tx.commit()
    rollouts.changed(tenant, stored, after, now)


@retried
def _open_phase(tenant: TenantId, deployment: str, number: int) -> None:
    schema.require(rollouts.VERSION)
    stored = _require(tenant, deployment)
    plan, now = stored.plan, clock.now()
    if stored.progress.state.p:
        raise Conflict("the deployment is paused; resume it before you open its next phase")
    following = gates.next_phase(plan, stored.progress, now)
    opened = len(plan.phases) if following is None else following
    if number <= opened:
        return
    if not plan.phases:
        raise Conflict("the deployment has no phases")
    if following is None:
        raise Conflict(f"the deployment has {len(plan.phases)} phases, all of which are open")
    if number > opened + 1:
        raise Conflict(f"phases open one after the other, and the next one of this deployment is {opened + 1}")
    tx = Transaction()
    after = rollouts.change(tx, tenant, stored, rollout.opened(stored.progress, number, now), now)
    _record(tx, tenant, stored, f"Phase {number} opened by hand")
    tx.commit()
    rollouts.changed(tenant, stored, after, now)


def _require(tenant: TenantId, deployment: str) -> Deployment:
    stored = require(tenant, deployment)
    if not stored.is_open:
        raise Conflict("the deployment has ended; create another one, or retry its failed devices")
    if stored.waits:
        raise Conflict("no device gets the deployment yet: it waits for approval, so another user has to approve it")
    if stored.preparing is not None:
        raise Conflict("the targets of the deployment are still being listed; try again when it is prepared")
    return stored


def _record(tx: Transaction, tenant: TenantId, stored: Deployment, change: str) -> None:
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, audited(stored.plan), change=change)
