"""Stores a new deployment of any kind, with a fixed number of writes for any number of devices."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import s3
from chalicelib.deployments import tables
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import events, heads, plans, schedule
from chalicelib.deployments.service.changes import ATTEMPTS
from chalicelib.deployments.tables import ActiveItem, CounterItem, CountsItem, DeploymentItem
from chalicelib.errors import Conflict, Unavailable, Unprocessable
from chalicelib.fleet import control, switches
from chalicelib.fleet import heads as fleet_heads
from chalicelib.fleet.switches import Switch
from chalicelib.observability import Metric, count
from chalicelib.storage import keys
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId


class Dynamic(msgspec.Struct, frozen=True):
    """A deployment to a filter: ``initial`` matching devices at creation, ``most`` in all (0: no limit)."""

    initial: int
    most: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that is not stored yet."""

    name: str
    artifact_name: str
    targets: Targets
    filter: dict[str, Any]
    """How the targets were chosen, in the wire format."""
    lock: str
    """Hash of the parameters that no two unfinished deployments may share."""
    id: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))
    kind: str = tables.SOFTWARE
    force: bool = False
    retries: int = 0
    groups: list[str] | None = None
    artifacts: list[str] = []
    """Ids of the release's artifacts at creation."""
    created: datetime = msgspec.field(default_factory=lambda: clock.now())  # noqa: PLW0108  # looked up when it is called
    phases: tuple[Phase, ...] = ()
    control_map: dict[str, Any] | None = None
    configuration: Mapping[str, str] | None = None
    """The configuration that it brings instead of an artifact."""
    dynamic: Dynamic | None = None
    """Only for a deployment without fixed targets."""

    @property
    def size(self) -> int:
        """The number of devices; of a dynamic deployment its maximum, 0 for no limit."""
        return len(self.targets) if self.dynamic is None else self.dynamic.most

    @property
    def bounded(self) -> bool:
        """Whether the number of devices that may begin is limited at some time."""
        return len(self.phases) > 1 or (self.dynamic is not None and self.dynamic.most > 0)

    @property
    def fits_heads(self) -> bool:
        """Whether it can wait on its targets' heads: for a few devices that may have it at once.

        A deployment that begins later stays in the control item, whose cached copy answers polls until then.
        """
        at_once = not self.phases or (len(self.phases) == 1 and self.phases[0].start <= self.created)
        return at_once and self.dynamic is None and len(self.targets) <= limits.HEAD_DEPLOYMENT_TARGETS


def save(tenant: TenantId, draft: Draft) -> str:
    """Store the deployment; returns its id.

    Raises:
        Conflict: an unfinished deployment has the same parameters.
        SwitchedOff: an admin has switched new deployments off.
        Unprocessable: the artifact no longer exists, or too many deployments are unfinished.
    """
    switches.require(Switch.DEPLOYMENTS)
    in_bucket = len(draft.targets) > limits.INLINE_TARGETS
    if in_bucket:
        s3.put(plans.targets_key(tenant, draft.id), draft.targets.to_bytes())
    for left in reversed(range(ATTEMPTS)):
        # If the heads keep changing, the control item is used instead, which takes any number of writers.
        waiters = find_waiters(tenant, draft.targets) if draft.fits_heads and left else None
        try:
            write(Transaction(), tenant, draft, waiters, in_bucket=in_bucket)
        except ConditionFailed as failure:
            if "lock" in failure.failed:
                raise Conflict(
                    "Invalid deployment definition: there is already an active deployment with the same parameters"
                ) from failure
            if "release" in failure.failed:
                raise Unprocessable("No artifact for the deployment") from failure
            continue  # a head has changed since it was read
        if waiters is None:
            control.forget(tenant)
        return draft.id
    raise Unavailable


def find_waiters(tenant: TenantId, targets: Targets) -> list[DeviceHead] | None:
    """The heads on which a small deployment waits; None if one of them is full.

    Unknown ids have no head and need none: the server creates ids, never a device.
    """
    found = list(fleet_heads.find_many(tenant, targets).values())
    full = any(len(heads.queue_of(head)) >= limits.HEAD_QUEUE for head in found)
    return None if full else found


def write(
    tx: Transaction, tenant: TenantId, draft: Draft, waiters: list[DeviceHead] | None, *, in_bucket: bool = False
) -> None:
    """Add the deployment to ``tx``, and commit that.

    Args:
        tx: may contain other writes that belong to the creation.
        tenant: the deployment's tenant.
        draft: the deployment.
        waiters: the heads on which it waits, as they were read; None: it waits in the control item.
        in_bucket: whether its targets are in the bucket already.

    Raises:
        ConditionFailed: with label ``lock``, ``release`` or ``head``, or one of the caller's own.
        Unprocessable: too many deployments are unfinished.
    """
    sequence = control.next_sequence(tenant)
    last = _last_of_counters(draft)
    events.created(tx, tenant, draft)
    item = tables.deployment_ref(tenant, draft.id)
    item.name, item.artifact_name = draft.name, draft.artifact_name
    item.sequence, item.created = sequence, draft.created
    item.targets, item.in_bucket, item.on_heads, item.shards = draft.size, in_bucket, waiters is not None, len(last)
    item.kind, item.force, item.retries = draft.kind, draft.force, draft.retries
    item.artifacts = draft.artifacts
    item.control_map = draft.control_map
    if draft.dynamic is not None:
        item.dynamic, item.initial = True, draft.dynamic.initial
    if draft.phases:
        item.phases = draft.phases
        schedule.begin(tx, tenant, item, draft.phases)
    item.filter, item.groups, item.lock = draft.filter, draft.groups, draft.lock
    item.history_pk = tables.tenant_history(tenant)
    item.history_sk = item.state_sk = keys.sort(keys.number(sequence), draft.id)
    item.state_pk = tables.deployment_state(tenant, is_open=True)
    # A counter item without devices is complete from the beginning.
    item.complete = last.count(-1)
    if len(draft.targets) <= limits.HEAD_DEPLOYMENT_TARGETS:
        item.packed = draft.targets.to_bytes()
    elif not in_bucket:
        packed = tables.targets_ref(tenant, draft.id)
        packed.packed = draft.targets.to_bytes()
        tx.put(packed, label="targets")
    tx.put(item, DeploymentItem.pk.does_not_exist(), label="deployment")
    for shard, number in enumerate(last):
        counter: CounterItem = tables.counter_ref(tenant, draft.id, shard)
        counter.last = number
        counter.phases = [0] * len(draft.phases) or None
        tx.put(counter, label="counter")
    if draft.bounded:
        tx.put(tables.room_ref(tenant, draft.id), label="room")
    tx.update(tables.counts_ref(tenant), [CountsItem.total.add(1), CountsItem.open.add(1)], label="counts")
    tx.then(partial(count, Metric.DEPLOYMENTS_CREATED))
    place = tables.active_ref(tenant, draft.lock)
    place.deployment = draft.id
    tx.put(place, ActiveItem.pk.does_not_exist(), label="lock")
    _keep_what_it_brings(tx, tenant, draft)
    if waiters is None:
        control.open_deployment(tx, tenant, draft.id, sequence)
    for head in waiters or ():
        queue = [*heads.queue_of(head), (sequence, draft.id)]
        change = heads.write(head, current=heads.current_of(head), queue=queue)
        tx.update(change.head, change.actions, change.condition, label="head")
    if draft.kind == tables.SOFTWARE:
        # A configuration deployment is a part of a change that deviceconfig records.
        auditlogs.record(tx, tenant, auditlogs.Action.CREATE, audited(draft.id, draft))
    tx.commit()


def audited(deployment: str, said: Draft | DeploymentItem) -> auditlogs.Object:
    """A deployment as an audit entry names it."""
    about = {"name": said.name, "artifact_name": said.artifact_name}
    return auditlogs.Object(auditlogs.ObjectType.DEPLOYMENT, deployment, about)


def _keep_what_it_brings(tx: Transaction, tenant: TenantId, draft: Draft) -> None:
    if draft.configuration is None:
        artifacts.hold(tx, tenant, draft.artifact_name)
    else:
        brought = tables.configuration_ref(tenant, draft.id)
        brought.configuration = dict(draft.configuration)
        tx.put(brought, label="configuration")


def _last_of_counters(draft: Draft) -> list[int]:
    """``last`` of each counter item, as many items as the devices need."""
    if draft.dynamic is None:
        shards = _shards(len(draft.targets))
        counted = [0] * shards
        for device_id in draft.targets:
            counted[tables.shard_of(device_id, shards)] += 1
        return [devices - 1 for devices in counted]
    if draft.dynamic.most:
        # The devices are not known in advance, so only a single item can recognise the last one.
        return [draft.dynamic.most - 1]
    return [tables.NEVER] * _shards(draft.dynamic.initial)


def _shards(devices: int) -> int:
    return max(1, min(limits.COUNTER_SHARDS, -(-devices // limits.COUNTER_SHARD_DEVICES)))
