"""Stores a new deployment of any kind, with a fixed number of writes for any number of devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from chalicelib import limits
from chalicelib.artifacts import service as artifacts
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import s3
from chalicelib.clock import rfc3339
from chalicelib.deployments.rules.deployment import SOFTWARE, Approval, Deployment, Plan, Preparing
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import approvals, events, opening, plans, preparing
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.service.changes import ATTEMPTS
from chalicelib.deployments.tables import counters, deployments, heads
from chalicelib.deployments.tables.items import NEVER, shard_of
from chalicelib.errors import Conflict, Unavailable, Unprocessable
from chalicelib.fleet import control, control_items, switches
from chalicelib.fleet import heads as fleet_heads
from chalicelib.fleet.parts import part_of
from chalicelib.fleet.switches import Switch
from chalicelib.observability import Metric, count
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId


class Draft(msgspec.Struct, frozen=True):
    """A deployment that is not stored yet. How it will be stored is decided here, and added to ``plan``."""

    plan: Plan
    targets: Targets
    """Empty for a dynamic deployment."""
    control_map: dict[str, Any] | None = None
    configuration: Mapping[str, str] | None = None
    """The configuration that it brings instead of an artifact."""
    preparing: Preparing | None = None
    """How a worker lists the targets of a large deployment, which are then none here."""
    relative: int = 0
    """As in ``Approval``."""
    approval: Approval | None = None
    """The approval that it needs."""

    @property
    def fits_heads(self) -> bool:
        """Whether it can wait on its targets' heads: for a few devices that may have it at once.

        A deployment that begins later, has a rollout, or needs approval, stays in the control item, whose cached copy
        answers polls until then.
        """
        planned = self.plan.phases
        at_once = not planned or (len(planned) == 1 and planned[0].start <= self.plan.created)
        at_once &= self.plan.rollout is None and self.approval is None
        fixed = not self.plan.dynamic and self.preparing is None
        return at_once and fixed and len(self.targets) <= limits.HEAD_DEPLOYMENT_TARGETS


def save(tenant: TenantId, draft: Draft) -> str:
    """Store the deployment; returns its id.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        SwitchedOff: an admin has switched new deployments off.
        Unprocessable: the artifact no longer exists, or too many deployments are unfinished.
    """
    draft = _permitted(tenant, draft)
    if draft.preparing is None:
        draft = replace(draft, plan=_divided(tenant, draft))
    if len(draft.targets) > limits.INLINE_TARGETS:
        draft = replace(draft, plan=replace(draft.plan, in_bucket=True))
        stored = draft.targets.packed if draft.plan.parts else draft.targets.to_bytes()
        s3.put(plans.targets_key(tenant, draft.plan), stored)
    for left in reversed(range(ATTEMPTS)):
        # If the heads keep changing, the control item is used instead, which takes any number of writers.
        waiters = find_waiters(tenant, draft.targets) if draft.fits_heads and left else None
        try:
            write(Transaction(), tenant, draft, waiters)
        except ConditionFailed as failure:
            if "lock" in failure.failed:
                raise Conflict(_SAME) from failure
            if "release" in failure.failed:
                raise Unprocessable(_NO_ARTIFACT) from failure
            continue  # a head has changed since it was read
        if waiters is None:
            control.forget(tenant)
        return draft.plan.id
    raise Unavailable


def _permitted(tenant: TenantId, draft: Draft) -> Draft:
    """The draft with the approval that it needs; raises an error if an admin has switched deployments off."""
    switches.require(Switch.DEPLOYMENTS)
    asked = approvals.demanded(tenant, draft.plan, draft.targets, draft.preparing, relative=draft.relative)
    return replace(draft, approval=asked)


def check(tenant: TenantId, draft: Draft) -> Draft:
    """Check that :func:`save` would store the deployment now, without a write. Returns it with its approval.

    Raises:
        Conflict: as :func:`save`.
        SwitchedOff: as :func:`save`.
        Unprocessable: as :func:`save`.
    """
    draft = _permitted(tenant, draft)
    is_opened = draft.preparing is None and draft.approval is None
    if is_opened and not (draft.fits_heads and find_waiters(tenant, draft.targets) is not None):
        control_items.require_room(tenant)
    if deployments.is_reserved(tenant, draft.plan.lock):
        raise Conflict(_SAME)
    if not artifacts.candidates(tenant, draft.plan.artifact_name, fresh=True):
        raise Unprocessable(_NO_ARTIFACT)
    return draft


_SAME: Final = "Invalid deployment definition: there is already an active deployment with the same parameters"
_NO_ARTIFACT: Final = "No artifact for the deployment"


def find_waiters(tenant: TenantId, targets: Targets) -> list[Head] | None:
    """The heads on which a small deployment waits; None if one of them is full.

    Unknown ids have no head and need none: the server creates ids, never a device.
    """
    found = list(fleet_heads.find_many(tenant, targets).values())
    full = any(len(heads.queue_of(head)) >= limits.HEAD_QUEUE for head in found)
    return None if full else found


def write(tx: Transaction, tenant: TenantId, draft: Draft, waiters: list[Head] | None) -> None:
    """Add the deployment to ``tx``, and commit that. Targets that belong in the bucket are there already.

    Args:
        tx: may contain other writes that belong to the creation.
        tenant: the deployment's tenant.
        draft: the deployment.
        waiters: the heads on which it waits, as they were read; None: it waits in the control item.

    Raises:
        ConditionFailed: with label ``lock``, ``release`` or ``head``, or one of the caller's own.
        Unprocessable: too many deployments are unfinished.
    """
    last = _last_of_counters(draft)
    few = draft.preparing is None and len(draft.targets) <= limits.HEAD_DEPLOYMENT_TARGETS
    plan = replace(
        draft.plan,
        sequence=control_items.next_sequence(tenant),
        on_heads=waiters is not None,
        packed=draft.targets.to_bytes() if few else None,
        shards=len(last),
        has_map=draft.control_map is not None,
    )
    events.created(tx, tenant, plan)
    new = Deployment(plan=plan, control_map=draft.control_map, preparing=draft.preparing, approval=draft.approval)
    if draft.approval is not None:
        complete = last.count(-1) if draft.preparing is None else 0
        deployments.create(tx, tenant, new, complete=complete, due_at=draft.approval.expires)
        approvals.requested(tx, tenant, plan, draft.approval)
    elif draft.preparing is not None:
        deployments.create(tx, tenant, new, complete=0, due_at=plan.created + preparing.AGAIN)
        tx.then(partial(preparing.send, tenant, plan.id))
    else:
        opened, due_at = opening.begin(tx, tenant, plan, plan.created)
        # A counter item without devices is complete from the beginning.
        deployments.create(tx, tenant, replace(new, opened=opened), complete=last.count(-1), due_at=due_at)
        if waiters is None:
            control_items.open_deployment(tx, tenant, plan.id, plan.sequence)
    if not few and not plan.in_bucket:
        deployments.put_targets(tx, tenant, plan.id, draft.targets.to_bytes())
    if not plan.parts:
        counters.create(tx, tenant, plan, last)
    if plan.parent is not None:
        deployments.link_retry(tx, tenant, plan)
    tx.then(partial(count, Metric.DEPLOYMENTS_CREATED))
    if draft.configuration is None:
        artifacts.hold(tx, tenant, plan.artifact_name)
    else:
        deployments.put_configuration(tx, tenant, plan.id, draft.configuration)
    for head in waiters or ():
        queue = [*heads.queue_of(head), (plan.sequence, plan.id)]
        heads.change(tx, heads.changed(head, current=heads.current_of(head), queue=queue))
    if plan.kind == SOFTWARE:
        # A configuration deployment is a part of a change that deviceconfig records.
        auditlogs.record(tx, tenant, auditlogs.Action.CREATE, audited(plan), change=_described(draft))
    tx.commit()


def _described(draft: Draft) -> str | None:
    """What the audit entry says besides the creation."""
    texts = [f"Retry of deployment {draft.plan.parent}"] if draft.plan.parent is not None else []
    if draft.approval is not None:
        texts.append(f"Waits for approval until {rfc3339(draft.approval.expires)}")
    return "; ".join(texts) or None


def _divided(tenant: TenantId, draft: Draft) -> Plan:
    """The plan, divided into parts if the deployment is large."""
    plan, parts = draft.plan, limits.DEPLOYMENT_PARTS
    if not _is_large(draft) or not _is_large_tenant(tenant):
        return plan
    if plan.dynamic:
        return replace(plan, parts=parts)
    counted = Counter(part_of(device_id, parts) for device_id in draft.targets)
    return replace(plan, parts=parts, part_sizes=[counted[part] for part in range(parts)])


def _is_large(draft: Draft) -> bool:
    plan = draft.plan
    if not plan.dynamic:
        return len(draft.targets) > limits.UNDIVIDED_DEVICES and not draft.targets.odd
    matching = plan.initial or 0
    # Of many devices that match, the first ones to poll begin within seconds, even if their number is limited.
    return (
        max(matching, plan.size) > limits.UNDIVIDED_DEVICES and (plan.most or matching) > limits.COUNTER_SHARD_DEVICES
    )


def _is_large_tenant(tenant: TenantId) -> bool:
    """Whether the tenant's data may be divided, which earlier versions of this code could not read."""
    return control.get(tenant).parts > 1


def _last_of_counters(draft: Draft) -> list[int]:
    """``last`` of each counter item, as many items as the devices need."""
    plan = draft.plan
    if plan.parts:
        return [counters.last_of_part(plan, part) for part in range(plan.parts)]
    if plan.most is not None:
        # The devices are not known in advance, so only a single item can recognise the last one.
        return [plan.most - 1]
    if plan.dynamic:
        return [NEVER] * _shards(plan.initial or 0)
    shards = _shards(len(draft.targets))
    counted = Counter(shard_of(device_id, shards) for device_id in draft.targets)
    return [counted[shard] - 1 for shard in range(shards)]


def _shards(devices: int) -> int:
    return max(1, min(limits.COUNTER_SHARDS, -(-devices // limits.COUNTER_SHARD_DEVICES)))
