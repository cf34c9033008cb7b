"""Lists the targets of a large deployment, after which polls see it.

A call of the API has half a minute, which is not enough to list a million devices. The targets are written to the
bucket in the order of their ids, as they are read, so the worker's memory does not grow with their number. It may run
twice, simultaneously, or be interrupted: each run writes an object of its own, and the transaction that ends the
preparation names that object.
"""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from chalicelib import clock
from chalicelib.aws import s3
from chalicelib.deployments.rules import phases
from chalicelib.deployments.service import beginning, closing, ended, opening, plans
from chalicelib.deployments.service.changes import Lost, Withdrawn
from chalicelib.deployments.tables import deployments
from chalicelib.errors import BadRequest
from chalicelib.fleet import control, control_items, membership
from chalicelib.fleet.head import ACCEPTED
from chalicelib.fleet.parts import part_of
from chalicelib.observability import logger
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.aws.s3 import ObjectRef
    from chalicelib.deployments.rules.deployment import Approval, Plan, Preparing
    from chalicelib.storage.keys import TenantId

_AT_ONCE: Final = 10_000
"""The number of devices after which progress is recorded."""
_PAGE: Final = 2_000
"""Rows that are read at a time from each partition of the roster, to bound the memory."""


def prepare(tenant: TenantId, deployment: str) -> None:
    """List the targets of a deployment, and let polls see it. Nothing happens if it is not being prepared any more."""
    stored = deployments.find(tenant, deployment)
    if stored is None or not stored.is_open or stored.waits:
        return
    if stored.preparing is not None:
        _prepare(tenant, stored.plan, stored.preparing, stored.approval)
    # Also if another run, which may have died since, has ended the preparation.
    _withdraw(tenant, deployment)


def _prepare(tenant: TenantId, unlisted: Plan, preparing: Preparing, approval: Approval | None) -> None:
    plan = replace(unlisted, targets_object=str(uuid.uuid4()))
    listed = _list(tenant, plan, preparing)
    if listed is None:
        return
    sizes, written = listed
    planned = _phases(plan, preparing, sum(sizes))
    if approval is not None and approval.decided_at is not None:
        planned = phases.later(planned, approval.relative, approval.decided_at - plan.created)
    plan = replace(plan, size=sum(sizes), part_sizes=sizes, phases=planned)
    if not _open(tenant, plan):
        s3.delete(written.key, written.version)


def _list(tenant: TenantId, plan: Plan, preparing: Preparing) -> tuple[list[int], ObjectRef] | None:
    """Write the targets to the bucket; returns their number in each part, or None if the deployment was aborted."""
    writer = s3.MultipartWriter(plans.targets_key(tenant, plan))
    devices = _devices(tenant, preparing)
    counted: Counter[int] = Counter()
    while batch := list(islice(devices, _AT_ONCE)):
        writer.write(b"".join(uuid.UUID(device_id).bytes for device_id in batch))
        counted.update(part_of(device_id, plan.parts) for device_id in batch)
        if not deployments.record_found(tenant, plan.id, replace(preparing, found=counted.total())):
            writer.abort()
            return None
    return [counted[part] for part in range(plan.parts)], writer.finish()


def _devices(tenant: TenantId, preparing: Preparing) -> Iterator[str]:
    """The ids of the devices, sorted."""
    if preparing.retried is not None:
        parent = deployments.find(tenant, preparing.retried.deployment)
        return iter(()) if parent is None else ended.devices(tenant, parent, preparing.retried)
    if preparing.group is None:
        return membership.accepted_devices(tenant, at_once=_PAGE)
    return membership.group_members(tenant, preparing.group, status=ACCEPTED)


def _phases(plan: Plan, preparing: Preparing, targeted: int) -> tuple[phases.Phase, ...]:
    try:
        return phases.of_request(
            preparing.phases, preparing.uniform_phases, targeted, plan.created, has_gate=plan.gate is not None
        )
    except BadRequest:
        # So many devices have left that a phase would be empty. Those of the expected number still work.
        return plan.phases


@retried
def _open(tenant: TenantId, plan: Plan) -> bool:
    """Let polls see the deployment; False if it is not being prepared any more. Without devices it is aborted."""
    stored = deployments.find(tenant, plan.id)
    if stored is None or not stored.is_open or stored.preparing is None:
        return False
    tx, now = Transaction(), clock.now()
    if not plan.size:
        logger.info("aborted, because no device is left", extra={"tenant": tenant, "deployment": plan.id})
        closing.close(tx, tenant, plan, now, deployments.ABORTED)
        tx.commit()
        return False
    # Its number in the order of deployments is given now: a device that has finished a newer one would never get it.
    plan = replace(plan, sequence=control_items.next_sequence(tenant))
    opened, due_at = opening.begin(tx, tenant, plan, now)
    complete = (plan.part_sizes or []).count(0)
    deployments.open_prepared(tx, tenant, plan, opened=opened, complete=complete, due_at=due_at)
    control_items.open_deployment(tx, tenant, plan.id, plan.sequence)
    tx.commit()
    control.forget(tenant)
    return True


def _withdraw(tenant: TenantId, deployment: str) -> None:
    """Give devices that were withdrawn during the preparation their final status, or the deployment would never end."""
    plan, now = plans.get(tenant, deployment), clock.now()
    if plan is None or not plan.is_listed:
        return
    for device_id, status in deployments.withdrawn(tenant, deployment):
        if not plans.includes(tenant, plan, device_id):
            continue
        with suppress(Lost, Withdrawn):  # it has a row already, or the deployment was aborted
            beginning.withdraw(tenant, plan, device_id, status, now)
