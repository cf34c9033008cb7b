"""The immutable part of deployments, cached: a poll over a hundred open deployments reads none of them.

A plan is immutable, so a cached copy is never wrong. Whether a deployment is still open is never decided from it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from chalicelib.aws import s3
from chalicelib.cache import Store
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.tables import deployments
from chalicelib.fleet.parts import part_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chalicelib.deployments.rules.deployment import Deployment, Plan
    from chalicelib.storage.keys import TenantId

_TARGETS_BYTES = 128 * 1024 * 1024
_WHOLE = 0
"""The part that stands for all targets of a deployment that is not large."""

_plans: Store[tuple[str, str], Plan] = Store()
_targets: Store[tuple[str, str, int], Targets] = Store(_TARGETS_BYTES, weigh=lambda targets: 256 + len(targets.packed))


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
    if deployment.preparing is None and known(tenant, deployment.id) is None:
        _plans.put((tenant, deployment.id), deployment.plan)
    return deployment.plan


# --- targets --------------------------------------------------------------------------------------


def includes(tenant: TenantId, plan: Plan, device_id: str) -> bool:
    """Whether a device is one of the fixed targets: at most one read, of the part that contains the device."""
    if not plan.is_listed:
        return False
    return device_id in _part(tenant, plan, part_of(device_id, plan.parts) if plan.parts else _WHOLE)


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
