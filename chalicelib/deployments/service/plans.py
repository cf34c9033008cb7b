"""The immutable part of deployments, cached: a poll over a hundred open deployments reads none of them.

A plan is immutable, so a cached copy is never wrong. Whether a deployment is still open is never decided from it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from chalicelib.aws import s3
from chalicelib.cache import Store
from chalicelib.deployments import tables
from chalicelib.deployments.rules import polling
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.rules.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.deployments.tables import DeploymentItem
    from chalicelib.inventory.service import Term  # noqa: TC004  # nobody evaluates it
    from chalicelib.storage.keys import TenantId

_CACHE_BYTES = 128 * 1024 * 1024
_PLAN_BYTES = 2048
"""The assumed size of a plan without its targets, as Python objects."""


class Plan(msgspec.Struct, frozen=True):
    """The immutable part of a deployment."""

    id: str
    sequence: int
    created: datetime
    name: str
    artifact_name: str
    lock: str
    force: bool
    retries: int
    shards: int
    on_heads: bool
    targets: Targets
    phases: tuple[Phase, ...]
    kind: str
    terms: tuple[Term, ...] | None
    """The filter of a dynamic deployment; None: it has ``targets``."""
    most: int | None
    """The maximum number of devices of a dynamic deployment; None: no limit."""
    has_map: bool
    """Whether it has an update control map. The map itself may change."""

    @property
    def configures(self) -> bool:
        """Whether it is a configuration deployment, which has no stored artifact."""
        return self.kind == tables.CONFIGURATION

    @property
    def decides(self) -> int | None:
        """As :attr:`Current.decides`."""
        return polling.decides(self.sequence, configures=self.configures)

    def room(self, phase: int | None) -> int | None:
        """The number of devices that may have begun, if ``phase`` is the last open one; None: no limit.

        ``phase`` is None for rows that begin outside of phases.
        """
        upto = None if phase is None else self.phases[phase].upto
        return min((bound for bound in (upto, self.most) if bound is not None), default=None)


_plans: Store[tuple[str, str], Plan] = Store(_CACHE_BYTES, weigh=lambda plan: _PLAN_BYTES + len(plan.targets.packed))


def get(tenant: TenantId, deployment: str) -> Plan | None:
    """The plan of a deployment; None if there is no such deployment."""
    plan = known(tenant, deployment)
    if plan is not None:
        return plan
    item = tables.find_deployment(tenant, deployment)
    return None if item is None else of(tenant, item)


def load(tenant: TenantId, deployments: Iterable[str]) -> None:
    """Load the plans of these deployments into the cache, a hundred per read.

    Not those with targets in the bucket: each takes a read of its own, and the device may be served before its turn.
    """
    missing = [each for each in deployments if known(tenant, each) is None]
    if len(missing) < 2:
        return
    found = {each: item for each, item in tables.find_deployments(tenant, missing).items() if not item.in_bucket}
    targets = tables.find_targets(tenant, (each for each, item in found.items() if not _has_all(item)))
    for each, item in found.items():
        of(tenant, item, targets.get(each))


def known(tenant: TenantId, deployment: str) -> Plan | None:
    """The cached plan of a deployment, if there is one."""
    return _plans.get((tenant, deployment))


def of(tenant: TenantId, item: DeploymentItem, targets: bytes | None = None) -> Plan:
    """The plan of a deployment that was just read, possibly with its targets."""
    plan = known(tenant, item.deployment_id)
    if plan is None:
        plan = _build(tenant, item, targets)
        _plans.put((tenant, plan.id), plan)
    return plan


def targets_key(tenant: TenantId, deployment: str) -> str:
    """The key of a large deployment's targets in the bucket."""
    return s3.key(tenant, "targets", deployment)


def _has_all(item: DeploymentItem) -> bool:
    """Whether the item alone is enough: small deployments have their targets in another item."""
    return bool(item.dynamic or item.packed)


def _build(tenant: TenantId, item: DeploymentItem, read: bytes | None) -> Plan:
    deployment = item.deployment_id
    dynamic = bool(item.dynamic)
    if dynamic:
        targets = Targets.of(())
    elif item.in_bucket:
        targets = Targets.from_bytes(s3.get(targets_key(tenant, deployment)))
    else:
        targets = Targets.from_bytes(item.packed or read or tables.read_targets(tenant, deployment))
    return Plan(
        id=deployment,
        sequence=item.sequence,
        created=item.created,
        name=item.name,
        artifact_name=item.artifact_name,
        lock=item.lock,
        force=bool(item.force),
        retries=item.retries,
        shards=item.shards,
        on_heads=bool(item.on_heads),
        targets=targets,
        phases=phases_of(item),
        kind=item.kind,
        terms=_terms(item) if dynamic else None,
        most=item.targets or None if dynamic else None,
        has_map=item.control_map is not None,
    )


def _terms(item: DeploymentItem) -> tuple[Term, ...]:
    # Imported here because polls without open dynamic deployments do not need the inventory.
    from chalicelib.inventory.service import Term  # nobody evaluates it

    return msgspec.convert(item.filter["terms"], tuple[Term, ...])


def phases_of(item: DeploymentItem) -> tuple[Phase, ...]:
    """A deployment's phases; empty if it has none."""
    return msgspec.convert(item.phases or [], tuple[Phase, ...])
