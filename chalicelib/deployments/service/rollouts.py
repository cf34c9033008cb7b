"""Changes how far a rollout is: paused or running, and which phases are open.

The deployment has the whole progress. Its entry among the tenant's open deployments has what polls need of it, and
while it is paused, its counter items let no device begin; so a poll that has an outdated copy cannot begin either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib.deployments.rules import gates, rollout
from chalicelib.deployments.service import opening
from chalicelib.deployments.tables import pacing
from chalicelib.deployments.tables import progress as stored_progress
from chalicelib.fleet import control, control_items
from chalicelib.storage.transactions import Transaction

VERSION: Final = 5
"""The version of the stored data from which all code that may run knows rollouts and pauses."""

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.rules.rollout import Progress
    from chalicelib.storage.keys import TenantId


def change(tx: Transaction, tenant: TenantId, stored: Deployment, after: Progress, now: datetime) -> Progress:
    """Add a change of the progress to a transaction; returns it as it is stored.

    The transaction fails with label ``progress`` if it has changed meanwhile, or the deployment has ended. Callers end
    with :func:`changed`.
    """
    plan, before = stored.plan, stored.progress
    is_turned = before.state.p != after.state.p
    settling = bool(plan.parts) and (is_turned or after.settling)
    after = replace(after, revision=before.revision + 1, settling=settling)
    opened = gates.number_open(plan, after, now)
    stored_progress.change(tx, tenant, stored, after, opened, opening.next_check(plan, now, after))
    for number in range(stored.opened, opened):
        opening.phase_opened(tx, tenant, plan.id, number)
    if before.state != after.state and not plan.on_heads:
        control_items.set_state(tx, tenant, plan.id, rollout.encode(after.state))
    if is_turned and not plan.parts:
        pacing.hold(tx, tenant, plan, held=after.state.p)
    return after


def changed(tenant: TenantId, stored: Deployment, after: Progress, now: datetime) -> None:
    """Finish a committed change. If the process dies before, the schedule does it."""
    control.forget(tenant)
    if after.settling:
        settle(tenant, replace(stored, progress=after), now)


def settle(tenant: TenantId, stored: Deployment, now: datetime) -> None:
    """Let all parts of a large deployment know whether it is paused. Can be run again."""
    before = stored.progress
    pacing.hold_parts(tenant, stored.plan, before.revision, held=before.state.p)
    tx = Transaction()
    settled = replace(before, settling=False, revision=before.revision + 1)
    due_at = opening.next_check(stored.plan, now, settled)
    stored_progress.change(tx, tenant, stored, settled, gates.number_open(stored.plan, settled, now), due_at)
    tx.try_commit()  # otherwise it has changed again, and that change is settled
