"""The immutable part of deployments, cached: a poll over a thousand open deployments reads none of them.

A plan is immutable, so a cached copy is never wrong. Whether a deployment is still open is never decided from it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from chalicelib.aws import s3
from chalicelib.cache import Store
from chalicelib.deployments.rules.target_index import TargetIndex
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.tables import deployments
from chalicelib.fleet.parts import part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.deployments.service.filter_matches import FilterMatches
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId

_TARGETS_BYTES = 128 * 1024 * 1024
_INDEX_BYTES = 128 * 1024 * 1024
"""The largest index, of as many deployments as can be open, takes 35 MB."""
_WHOLE = 0
"""The part that stands for all targets of a deployment that is not large."""

_plans: Store[tuple[str, str], Plan] = Store()
_targets: Store[tuple[str, str, int], Targets] = Store(_TARGETS_BYTES, weigh=lambda targets: 256 + len(targets.packed))
_indexes: Store[TenantId, TargetIndex] = Store(_INDEX_BYTES, weigh=lambda index: index.weight)


def get(tenant: TenantId, deployment: str) -> Plan | None:
    """The plan of a deployment; None if there is no such deployment."""
    plan = known(tenant, deployment)
    if plan is not None:
        return plan
    found = deployments.find(tenant, deployment)
    return None if found is None else keep(tenant, found)


def load(tenant: TenantId, wanted: Iterable[str]) -> None:
    """Load the plans of these deployments into the cache, a hundred per read.

    Not the targets that are in the bucket: each takes a read of its own, and the device may be served before its turn.
    """
    missing = [each for each in wanted if known(tenant, each) is None]
    if len(missing) < 2:
        return
    found = [keep(tenant, each) for each in deployments.find_many(tenant, missing).values()]
    in_items = [plan.id for plan in found if not (plan.dynamic or plan.packed or plan.in_bucket)]
    for deployment, packed in deployments.find_targets(tenant, in_items).items():
        _targets.put((tenant, deployment, _WHOLE), Targets.from_bytes(packed))


def known(tenant: TenantId, deployment: str) -> Plan | None:
    """The cached plan of a deployment, if there is one."""
    return _plans.get((tenant, deployment))


def keep(tenant: TenantId, deployment: Deployment) -> Plan:
    """The plan of a deployment that was just read, which is cached unless it still changes."""
    if not deployment.is_hidden and known(tenant, deployment.id) is None:
        _plans.put((tenant, deployment.id), deployment.plan)
    return deployment.plan


# --- targets --------------------------------------------------------------------------------------


def includes(tenant: TenantId, plan: Plan, device_id: str) -> bool:
    """Whether a device is one of the fixed targets: at most one read, of the part that contains the device."""
    if not plan.is_listed:
        return False
    part = part_of(device_id, plan.parts) if plan.parts else _WHOLE
    found = _part(tenant, plan, part)
    index = _indexes.get(tenant)
    if index is not None:
        with index.lock:
            index.learn(plan.id, found, part, plan.parts or 1)
    return device_id in found


def targets(tenant: TenantId, plan: Plan) -> Iterator[str]:
    """All fixed targets, in the order of their ids; none while they are being listed."""
    if not plan.is_listed:
        return iter(())
    if plan.part_sizes is not None:
        return iter(Targets.plain(s3.get(targets_key(tenant, plan))))
    return iter(_part(tenant, plan, _WHOLE))


def targets_key(tenant: TenantId, plan: Plan) -> str:
    """The key of a deployment's targets in the bucket."""
    parts = [plan.id] if plan.targets_object is None else [plan.id, plan.targets_object]
    return s3.key(tenant, "targets", *parts)


def _part(tenant: TenantId, plan: Plan, part: int) -> Targets:
    found = _targets.get((tenant, plan.id, part))
    if found is None:
        found = _read(tenant, plan, part)
        _targets.put((tenant, plan.id, part), found)
    return found


def _read(tenant: TenantId, plan: Plan, part: int) -> Targets:
    if plan.dynamic:
        return Targets.of(())
    if plan.part_sizes is not None:
        ends = [0, *accumulate(plan.part_sizes)]
        start, end = (number * Targets.WIDTH for number in ends[part : part + 2])
        if start == end:
            return Targets.of(())
        return Targets.plain(s3.get(targets_key(tenant, plan), span=(start, end)))
    if plan.in_bucket:
        return Targets.from_bytes(s3.get(targets_key(tenant, plan)))
    return Targets.from_bytes(plan.packed or deployments.read_targets(tenant, plan.id))


# --- open deployments by their targets ------------------------------------------------------------


def possible_for(
    tenant: TenantId, head: Head, opened: Mapping[str, int], matches: FilterMatches
) -> list[tuple[int, str]]:
    """The deployments among ``opened`` that may be for a device and are newer than what it has finished.

    They are found without a visit to each open deployment. A process reads a deployment once, when it finds it open.
    """
    if not opened:
        return []
    index = _indexes.get(tenant)
    if index is None:
        index = TargetIndex()
        _indexes.put(tenant, index)
    with index.lock:
        if index.opened is not opened:
            _update(tenant, index, opened)
            _indexes.put(tenant, index)  # for its new weight
        return index.possible(head.device_id, head.decided, matches.upto, matches.matching)


def _update(tenant: TenantId, index: TargetIndex, opened: Mapping[str, int]) -> None:
    new = [deployment for deployment in opened if deployment not in index.opened]
    load(tenant, new)
    found = [plan for deployment in new if (plan := get(tenant, deployment)) is not None]
    index.update(opened, [(plan, _targets_at_hand(tenant, plan)) for plan in found])


def _targets_at_hand(tenant: TenantId, plan: Plan) -> Targets | None:
    """The fixed targets of a deployment, if that takes no read."""
    if plan.packed is not None:
        return Targets.from_bytes(plan.packed)
    return None if plan.parts else _targets.get((tenant, plan.id, _WHOLE))
