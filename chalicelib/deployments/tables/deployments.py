"""Deployments, and the items of which each has at most one."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib.deployments.rules.deployment import CONFIGURATION, Approval, Deployment, Plan, Preparing
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.rollout import NEW, Progress
from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.shapes.rollout import Rollout
from chalicelib.deployments.tables import approvals, progress, records
from chalicelib.deployments.tables.items import (
    ActiveItem,
    ConfigurationItem,
    CountsItem,
    DeploymentItem,
    TargetsItem,
    WithdrawnItem,
    active_ref,
    configuration_ref,
    counts_ref,
    deployment_of,
    deployment_pk,
    deployment_ref,
    deployment_state,
    place,
    table,
    targets_ref,
    tenant_history,
)
from chalicelib.storage import due, keys
from chalicelib.storage.records import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.cursors import Cursor
    from chalicelib.deployments.tables.records import DeploymentRecord
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_COMPUTED = {"id", "approved", "phases", "has_map", "rollout"}
"""The fields of a plan that are not just the attribute of the same name."""
_PLAIN = [field for field in Plan.__struct_fields__ if field not in _COMPUTED]
_plain_of = attrgetter(*_PLAIN)


# --- reads ----------------------------------------------------------------------------------------


def of_item(item: DeploymentItem | DeploymentRecord) -> Deployment:
    """An item as a record."""
    stored = {name: value for name, value in zip(_PLAIN, _plain_of(item), strict=True) if value is not None}
    phases = msgspec.convert(item.phases or [], tuple[Phase, ...])
    has_map = item.control_map is not None
    rollout = None if item.rollout is None else msgspec.convert(item.rollout, Rollout)
    approval = None if item.approval is None else msgspec.convert(item.approval, Approval)
    approved = approval.decided_at if approval is not None and approval.state == "approved" else None
    identity = deployment_of(item.pk)
    return Deployment(
        plan=Plan(id=identity, approved=approved, phases=phases, has_map=has_map, rollout=rollout, **stored),
        finished=item.finished,
        aborted=bool(item.aborted),
        opened=item.opened,
        control_map=item.control_map,
        preparing=None if item.preparing is None else msgspec.convert(item.preparing, Preparing),
        approval=approval,
        sums=None if item.sums is None else msgspec.convert(item.sums, Counts),
        retried_by=tuple(item.retried_by or ()),
        corrections=item.corrections or 0,
        progress=NEW if item.progress is None else msgspec.convert(item.progress, Progress, str_keys=True),
        due=item.due_sk,
    )


def find(tenant: TenantId, deployment: str, *, recent: bool = False) -> Deployment | None:
    """The deployment (strongly consistent); with ``recent`` eventually consistent, for half the price."""
    try:
        item = DeploymentItem.get(deployment_pk(tenant, deployment), "DEPLOYMENT", consistent_read=not recent)
    except DeploymentItem.DoesNotExist:
        return find(tenant, deployment) if recent else None
    return of_item(item)


def find_many(tenant: TenantId, deployments: Iterable[str]) -> dict[str, Deployment]:
    """The deployments that exist, by id (eventually consistent); 100 per round trip."""
    wanted = [(deployment_pk(tenant, each), "DEPLOYMENT") for each in dict.fromkeys(deployments)]
    found = map(of_item, records.deployments.find_many(table(), wanted, recent=True))
    return {each.id: each for each in found}


def of_tenant(
    tenant: TenantId, *, is_open: bool | None, newest_first: bool, limit: int | None = None
) -> Iterator[Deployment]:
    """A tenant's deployments by sequence: all, open, or finished ones."""
    return _by_sequence(tenant, None, is_open=is_open, forward=not newest_first, limit=limit)


def beside(
    tenant: TenantId, cursor: Cursor, *, is_open: bool | None, newest_first: bool, limit: int
) -> list[Deployment]:
    """The ``limit`` deployments of the list that follow the place of a cursor, or precede it, in the list's order."""
    # What precedes a place is read backwards from there.
    forward = newest_first == cursor.before
    beyond = Range(">" if forward else "<", cursor.key)
    found = list(_by_sequence(tenant, beyond, is_open=is_open, forward=forward, limit=limit))
    return found[::-1] if cursor.before else found


def after(tenant: TenantId, last: str | None) -> list[Deployment]:
    """A tenant's deployments after this place (None: all), oldest first."""
    beyond = None if last is None else Range(">", last)
    return list(_by_sequence(tenant, beyond, is_open=None, forward=True, limit=None))


def _by_sequence(
    tenant: TenantId, within: Range | None, *, is_open: bool | None, forward: bool, limit: int | None
) -> Iterator[Deployment]:
    partition = tenant_history(tenant) if is_open is None else deployment_state(tenant, is_open=is_open)
    index = "history" if is_open is None else "state"
    found = records.deployments.query(table(), partition, within, index=index, forward=forward, limit=limit)
    return map(of_item, found)


def read_targets(tenant: TenantId, deployment: str) -> bytes:
    """The fixed targets of a small deployment. They never change, but may have been written a moment ago."""
    item = TargetsItem.get(deployment_pk(tenant, deployment), "TARGETS", consistent_read=True)
    return bytes(item.packed)


def find_targets(tenant: TenantId, deployments: Iterable[str]) -> dict[str, bytes]:
    """As :func:`read_targets` for several deployments: those that have such an item, by id."""
    wanted = [(deployment_pk(tenant, each), "TARGETS") for each in deployments]
    found = TargetsItem.batch_get(wanted, consistent_read=True) if wanted else ()
    return {deployment_of(item.pk): bytes(item.packed) for item in found}


def find_configuration(tenant: TenantId, deployment: str) -> dict[str, str] | None:
    """The configuration of a deployment; None if the deployment does not exist or brings software."""
    item = configuration_ref(tenant, deployment).fetch()
    if item is None:
        return None
    brought: dict[str, str] = item.configuration
    return brought


def read_configurations(tenant: TenantId, deployments: Iterable[Deployment]) -> dict[str, dict[str, str]]:
    """The configurations of the configuration deployments among these, by id; 100 per round trip."""
    wanted = [
        (deployment_pk(tenant, each.id), "CONFIGURATION") for each in deployments if each.plan.kind == CONFIGURATION
    ]
    found = ConfigurationItem.batch_get(wanted, consistent_read=True) if wanted else ()
    return {deployment_of(item.pk): item.configuration for item in found}


def read_totals(tenant: TenantId) -> tuple[int, int]:
    """The numbers of a tenant's deployments: all, unfinished."""
    item = counts_ref(tenant).fetch()
    if item is None:
        return 0, 0
    return item.total, item.open


def is_reserved(tenant: TenantId, lock: str) -> bool:
    """Whether an unfinished deployment has these parameters (strongly consistent)."""
    return active_ref(tenant, lock).fetch() is not None


# --- writes ---------------------------------------------------------------------------------------


def create(tx: Transaction, tenant: TenantId, new: Deployment, *, complete: int, due_at: datetime | None) -> None:
    """Add a new deployment; fails with label ``lock`` if an unfinished one has the same parameters.

    Args:
        tx: the transaction of its creation.
        tenant: its tenant.
        new: the deployment.
        complete: the number of its counter items that have no device to count.
        due_at: when the schedule has to check it; None: never.
    """
    plan = new.plan
    item = deployment_ref(tenant, plan.id)
    for name in _PLAIN:
        setattr(item, name, getattr(plan, name))
    item.phases, item.rollout = plan.phases or None, plan.rollout
    item.opened, item.control_map, item.complete = new.opened, new.control_map, complete
    item.preparing = new.preparing
    item.approval, item.waits = new.approval, True if new.approval is not None else None
    if due_at is not None:
        item.due_pk, item.due_sk = due.key(plan.id, due_at)
    item.history_pk = tenant_history(tenant)
    item.history_sk = item.state_sk = place(plan)
    item.state_pk = deployment_state(tenant, is_open=True)
    tx.put(item, DeploymentItem.pk.does_not_exist(), label="deployment")
    tx.update(counts_ref(tenant), [CountsItem.total.add(1), CountsItem.open.add(1)], label="counts")
    reserved = active_ref(tenant, plan.lock)
    reserved.deployment = plan.id
    tx.put(reserved, ActiveItem.pk.does_not_exist(), label="lock")


def put_targets(tx: Transaction, tenant: TenantId, deployment: str, packed: bytes) -> None:
    """Add the fixed targets of a new deployment in an item of their own."""
    item = targets_ref(tenant, deployment)
    item.packed = packed
    tx.put(item, label="targets")


def put_configuration(tx: Transaction, tenant: TenantId, deployment: str, configuration: Mapping[str, str]) -> None:
    """Add the configuration of a new configuration deployment."""
    item = configuration_ref(tenant, deployment)
    item.configuration = dict(configuration)
    tx.put(item, label="configuration")


def record_found(tenant: TenantId, deployment: str, preparing: Preparing) -> bool:
    """Record how many devices have been listed; False if the deployment is not being prepared any more."""
    actions = [DeploymentItem.preparing.set(preparing)]
    return deployment_ref(tenant, deployment).update_if(actions, _is_preparing())


def open_prepared(
    tx: Transaction, tenant: TenantId, plan: Plan, *, opened: int, complete: int, due_at: datetime | None
) -> None:
    """Store what the preparation of a deployment has found, and end it.

    Fails with label ``deployment`` if it is not being prepared any more.

    Args:
        tx: the transaction in which polls begin to see the deployment.
        tenant: its tenant.
        plan: the deployment, with its targets.
        opened: the number of its phases that are open.
        complete: the number of its counter items that have no device to count.
        due_at: when the schedule has to check it; None: never.
    """
    actions: list[Action] = [
        *approvals.shown(plan, opened, due_at),
        DeploymentItem.size.set(plan.size),
        DeploymentItem.part_sizes.set(plan.part_sizes),
        DeploymentItem.targets_object.set(str(plan.targets_object)),
        DeploymentItem.complete.set(complete),
        DeploymentItem.preparing.remove(),
    ]
    if plan.rollout is not None:
        actions.append(DeploymentItem.rollout.set(plan.rollout))
    tx.update(deployment_ref(tenant, plan.id), actions, _is_preparing(), label="deployment")


def _is_preparing() -> Condition:
    is_preparing: Condition = DeploymentItem.preparing.exists() & DeploymentItem.finished.does_not_exist()
    return is_preparing


def withdraw(tenant: TenantId, deployment: str, device_id: str, status: Status) -> None:
    """Record that a device must get a final status once the targets of a deployment are listed, if it is one."""
    item = WithdrawnItem(deployment_pk(tenant, deployment), keys.sort("WITHDRAWN", device_id))
    item.status = str(status)
    item.save()


def withdrawn(tenant: TenantId, deployment: str) -> list[tuple[str, Status]]:
    """The devices recorded by :func:`withdraw` with their statuses (strongly consistent)."""
    prefix = WithdrawnItem.sk.startswith("WITHDRAWN#")
    found = WithdrawnItem.query(deployment_pk(tenant, deployment), prefix, consistent_read=True)
    return [(keys.last_part(item.sk), Status(item.status)) for item in found]


def complete_counter(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Count a counter item whose devices all have a final status, unless it is the last one.

    Fails with label ``deployment``.
    """
    tx.update(
        deployment_ref(tenant, plan.id),
        [DeploymentItem.complete.add(1)],
        DeploymentItem.finished.does_not_exist() & (DeploymentItem.complete < plan.shards - 1),
        label="deployment",
    )


def reopen_counter(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Count a counter item that is not complete any more; fails with label ``deployment`` after the end."""
    is_open = DeploymentItem.finished.does_not_exist()
    tx.update(deployment_ref(tenant, plan.id), [DeploymentItem.complete.add(-1)], is_open, label="deployment")


def is_almost_complete(plan: Plan, stored: Mapping[str, Any]) -> bool:
    """Whether all counter items but one are complete in a stored deployment that failed a condition."""
    return bool(int(stored["complete"]["N"]) >= plan.shards - 1)


class Ending(msgspec.Struct, frozen=True):
    """How a deployment ends."""

    last_counter: bool = False
    """Whether its last counter item becomes complete in the same transaction."""
    aborted: bool = False
    """The counters of a large deployment must then be closed by ``counters.close_parts``; if the caller does not do
    it, the schedule does."""
    stopped: Progress | None = None
    """Its progress, which says why, if its failures aborted it."""
    refused: Approval | None = None
    """The decision that it is not approved."""


FINISHED: Final = Ending()
ABORTED: Final = Ending(aborted=True)


def close(tx: Transaction, tenant: TenantId, plan: Plan, now: datetime, ending: Ending) -> None:
    """End a deployment.

    It fails with label ``deployment`` if the deployment has ended or does not exist, or waits for no approval that
    could be refused.
    """
    condition = DeploymentItem.finished.does_not_exist() & DeploymentItem.pk.exists()
    closes_parts = ending.aborted and plan.parts
    actions: list[Action] = [
        DeploymentItem.finished.set(now),
        DeploymentItem.state_pk.set(deployment_state(tenant, is_open=False)),
        *(due.at(plan.id, now) if closes_parts else due.never()),
    ]
    if ending.last_counter:
        condition &= DeploymentItem.complete == plan.shards - 1
        actions.append(DeploymentItem.complete.add(1))
    if ending.aborted:
        actions.append(DeploymentItem.aborted.set(True))
    if ending.stopped is not None:
        actions += progress.written(ending.stopped)
    if ending.refused is not None:
        condition &= approvals.waits()
        actions += approvals.decided(ending.refused)
    tx.update(deployment_ref(tenant, plan.id), actions, condition, label="deployment")
    tx.update(counts_ref(tenant), [CountsItem.open.add(-1)], label="counts")
    tx.delete(active_ref(tenant, plan.lock), label="lock")


def correct(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Drop the kept sums of a large deployment, since a row with a final status changes."""
    actions = [DeploymentItem.sums.remove(), DeploymentItem.corrections.add(1)]
    tx.update(deployment_ref(tenant, plan.id), actions, DeploymentItem.pk.exists(), label="correction")


def keep_sums(tenant: TenantId, seen: Deployment, sums: Counts) -> None:
    """Keep the sums of the counter items that were read after ``seen``, unless a row was corrected meanwhile."""
    unchanged = DeploymentItem.corrections == seen.corrections
    if not seen.corrections:
        unchanged |= DeploymentItem.corrections.does_not_exist()
    actions = [DeploymentItem.sums.set(sums)]
    deployment_ref(tenant, seen.id).update_if(actions, DeploymentItem.finished.exists() & unchanged)


def link_retry(tx: Transaction, tenant: TenantId, plan: Plan) -> None:
    """Add a new deployment to those that retry its parent."""
    parent = deployment_ref(tenant, str(plan.parent))
    actions = [DeploymentItem.retried_by.set((DeploymentItem.retried_by | []).append([plan.id]))]
    tx.update(parent, actions, DeploymentItem.pk.exists(), label="parent")


def change_map(tx: Transaction, tenant: TenantId, deployment: str, control_map: dict[str, Any]) -> None:
    """Replace the update control map."""
    actions = [DeploymentItem.control_map.set(control_map)]
    tx.update(deployment_ref(tenant, deployment), actions, DeploymentItem.pk.exists(), label="deployment")


def checked(tenant: TenantId, deployment: str) -> None:
    """Record that the schedule does not have to check an aborted deployment."""
    deployment_ref(tenant, deployment).update_if(due.never(), DeploymentItem.aborted.exists())
