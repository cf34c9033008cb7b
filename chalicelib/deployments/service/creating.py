"""Creating and ending deployments: a fixed number of writes for any number of devices (behaviour notes D3, D6)."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import clock, limits
from chalicelib.artifacts import service as artifacts
from chalicelib.artifacts.service import Candidate
from chalicelib.aws import s3
from chalicelib.deployments import tables
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import changes, heads, plans
from chalicelib.deployments.tables import ActiveItem, CounterItem, CountsItem, DeploymentItem
from chalicelib.errors import BadRequest, Conflict, Unavailable, Unprocessable
from chalicelib.fleet import control, membership
from chalicelib.fleet import heads as fleet_heads
from chalicelib.storage import keys
from chalicelib.storage.transactions import ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.deployments.shapes import NewDeployment
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId

_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class _Draft:
    """A deployment that is about to be written."""

    id: str
    name: str
    artifact_name: str
    force: bool
    retries: int
    targets: Targets
    filter: dict[str, Any]
    groups: list[str] | None
    lock: str
    candidates: tuple[Candidate, ...] = field(repr=False)


def create(tenant: TenantId, wanted: NewDeployment) -> str:
    """Deploy to listed devices, or to all that are accepted now. Returns the deployment's id.

    Raises:
        BadRequest: not exactly one way of choosing devices, or nobody chosen.
        Conflict: an unfinished deployment has the same parameters.
        Unprocessable: there is no such artifact, or too many deployments are unfinished.
    """
    if wanted.all_devices == bool(wanted.devices):
        raise BadRequest(
            "Validating request body: Invalid deployments definition: provide either devices or all_devices"
        )
    if wanted.all_devices:
        terms = [_term("identity", "status", "$eq", "accepted")]
        return _create(tenant, wanted, list(membership.accepted_devices(tenant)), terms, None)
    devices = list(dict.fromkeys(wanted.devices or ()))
    return _create(tenant, wanted, devices, [_term("identity", "id", "$in", devices)], None)


def create_for_group(tenant: TenantId, group: str, wanted: NewDeployment) -> str:
    """Deploy to the devices that are in the group and accepted now. Returns the deployment's id.

    Raises:
        BadRequest: the body chooses devices too, or the group has no accepted device.
        Conflict: as :func:`create`.
        Unprocessable: as :func:`create`.
    """
    if wanted.all_devices or wanted.devices is not None:
        raise BadRequest("Validating request body: Invalid deployments definition: the group chooses the devices")
    members = list(membership.group_members(tenant, group, status=membership.ACCEPTED))
    return _create(tenant, wanted, members, [_term("system", "group", "$eq", group)], [group])


def _term(scope: str, attribute: str, kind: str, value: object) -> dict[str, Any]:
    return {"scope": scope, "attribute": attribute, "type": kind, "value": value}


def _create(
    tenant: TenantId,
    wanted: NewDeployment,
    devices: list[str],
    terms: list[dict[str, Any]],
    groups: list[str] | None,
) -> str:
    if not devices:
        raise BadRequest("No devices for the deployment")
    candidates = artifacts.candidates(tenant, wanted.artifact_name)
    if not candidates:
        raise Unprocessable("No artifact for the deployment")
    if len(devices) > limits.FILTER_TARGETS:
        # The list is in the targets; the deployment's own item stays small.
        terms = [term if term["type"] != "$in" else {**term, "value": []} for term in terms]
    draft = _Draft(
        id=str(uuid.uuid4()),
        name=wanted.name,
        artifact_name=wanted.artifact_name,
        force=wanted.force_installation,
        retries=wanted.retries,
        targets=Targets.of(devices),
        filter={"id": "", "name": "", "terms": terms},
        groups=groups,
        lock=_parameters_hash(wanted, groups),
        candidates=candidates,
    )
    in_bucket = len(draft.targets) > limits.INLINE_TARGETS
    if in_bucket:
        s3.put(plans.targets_key(tenant, draft.id), draft.targets.to_bytes())
    on_heads = len(draft.targets) <= limits.HEAD_DEPLOYMENT_TARGETS
    for left in reversed(range(_ATTEMPTS)):
        # Heads that others keep changing are left alone at last: the control item takes any number of writers.
        waiters = _waiters(tenant, draft.targets) if on_heads and left else None
        try:
            _write(tenant, draft, waiters, in_bucket=in_bucket)
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
    raise Unavailable("service unavailable")


def _parameters_hash(wanted: NewDeployment, groups: list[str] | None) -> str:
    """Two unfinished deployments may not agree on all of this; the order of devices counts, as in Mender."""
    parameters = [
        wanted.name,
        wanted.artifact_name,
        wanted.devices or [],
        wanted.all_devices,
        wanted.force_installation,
        groups or [],
    ]
    return hashlib.sha256(msgspec.json.encode(parameters)).hexdigest()


def _waiters(tenant: TenantId, targets: Targets) -> list[DeviceHead] | None:
    """The heads on which a small deployment waits; None if one of them is full.

    Ids that are no device's have no head and need none: ids are made by the server, never by a device.
    """
    found = list(fleet_heads.find_many(tenant, targets).values())
    full = any(len(heads.queue_of(head)) >= limits.HEAD_QUEUE for head in found)
    return None if full else found


def _write(tenant: TenantId, draft: _Draft, waiters: list[DeviceHead] | None, *, in_bucket: bool) -> None:
    sequence = control.next_sequence(tenant)
    size = len(draft.targets)
    shards = min(limits.COUNTER_SHARDS, -(-size // limits.COUNTER_SHARD_DEVICES))
    tx = Transaction()
    item = tables.deployment_ref(tenant, draft.id)
    item.name, item.artifact_name = draft.name, draft.artifact_name
    item.sequence, item.created = sequence, clock.now()
    item.targets, item.in_bucket, item.on_heads, item.shards = size, in_bucket, waiters is not None, shards
    item.force, item.retries = draft.force, draft.retries
    item.artifacts = [candidate.id for candidate in draft.candidates]
    item.filter, item.groups, item.lock = draft.filter, draft.groups, draft.lock
    item.history_pk = tables.tenant_history(tenant)
    item.history_sk = item.state_sk = keys.sort(keys.number(sequence), draft.id)
    item.state_pk = tables.deployment_state(tenant, is_open=True)
    # A counter item without devices is complete from the start.
    counted = _count_shards(draft.targets, shards)
    item.complete = counted.count(0)
    if size <= limits.HEAD_DEPLOYMENT_TARGETS:
        item.packed = draft.targets.to_bytes()
    elif not in_bucket:
        packed = tables.targets_ref(tenant, draft.id)
        packed.packed = draft.targets.to_bytes()
        tx.put(packed, label="targets")
    tx.put(item, DeploymentItem.pk.does_not_exist(), label="deployment")
    for shard, devices in enumerate(counted):
        counter: CounterItem = tables.counter_ref(tenant, draft.id, shard)
        counter.last = devices - 1
        tx.put(counter, label="counter")
    tx.update(tables.counts_ref(tenant), [CountsItem.total.add(1), CountsItem.open.add(1)], label="counts")
    place = tables.active_ref(tenant, draft.lock)
    place.deployment = draft.id
    tx.put(place, ActiveItem.pk.does_not_exist(), label="lock")
    artifacts.hold(tx, tenant, draft.artifact_name)
    if waiters is None:
        control.open_deployment(tx, tenant, draft.id, sequence)
    for head in waiters or ():
        queue = [*heads.queue_of(head), (sequence, draft.id)]
        change = heads.write(head, current=heads.current_of(head), queue=queue)
        tx.update(change.head, change.actions, change.condition, label="head")
    tx.commit()


def _count_shards(targets: Targets, shards: int) -> list[int]:
    counted = [0] * shards
    if shards == 1:
        return [len(targets)]
    for device_id in targets:
        counted[tables.shard_of(device_id, shards)] += 1
    return counted


def abort(tenant: TenantId, deployment: str) -> None:
    """End a deployment now. No row is touched, whatever its size: closed counters refuse every later report.

    Raises:
        Unprocessable: it is finished, or there is none.
    """
    for _ in range(_ATTEMPTS):
        item = tables.find_deployment(tenant, deployment)
        if item is None or not item.is_open:
            raise Unprocessable("Deployment already finished")
        plan = plans.of(tenant, item)
        tx = Transaction()
        changes.close(tx, tenant, plan, clock.now(), aborted=True)
        for shard in range(plan.shards):
            counter = tables.counter_ref(tenant, deployment, shard)
            tx.update(counter, [CounterItem.closed.set(True)], CounterItem.pk.exists(), label="counter")
        try:
            tx.commit()
        except ConditionFailed:
            continue
        if not plan.on_heads:
            control.forget(tenant)
        return
    raise Unavailable("service unavailable")
