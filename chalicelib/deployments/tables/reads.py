"""Reads of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.deployments.tables.items import (
    CONFIGURATION,
    ConfigurationItem,
    CounterItem,
    CountsItem,
    DeploymentItem,
    RoomItem,
    RowItem,
    TargetsItem,
    counter_of,
    deployment_pk,
    deployment_state,
    device_history,
    tenant_history,
)
from chalicelib.storage import due, keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from chalicelib.storage.keys import TenantId


def find_deployment(tenant: TenantId, deployment: str, *, recent: bool = False) -> DeploymentItem | None:
    """The deployment (strongly consistent); with ``recent`` eventually consistent, for half the price."""
    try:
        return DeploymentItem.get(deployment_pk(tenant, deployment), "DEPLOYMENT", consistent_read=not recent)
    except DeploymentItem.DoesNotExist:
        return find_deployment(tenant, deployment) if recent else None


def find_deployments(tenant: TenantId, deployments: Iterable[str]) -> dict[str, DeploymentItem]:
    """The deployments that exist, by id."""
    wanted = [(deployment_pk(tenant, each), "DEPLOYMENT") for each in dict.fromkeys(deployments)]
    return {item.deployment_id: item for item in DeploymentItem.batch_get(wanted)}


def find_row(tenant: TenantId, deployment: str, device_id: str) -> RowItem | None:
    """A row (strongly consistent)."""
    return RowItem.find(deployment_pk(tenant, deployment), keys.sort("ROW", device_id))


def read_targets(tenant: TenantId, deployment: str) -> bytes:
    """The fixed targets of a small deployment. They never change, but may have been written a moment ago."""
    item = TargetsItem.get(deployment_pk(tenant, deployment), "TARGETS", consistent_read=True)
    return bytes(item.packed)


def find_targets(tenant: TenantId, deployments: Iterable[str]) -> dict[str, bytes]:
    """As :func:`read_targets` for several deployments: those that have such an item, by id."""
    wanted = [(deployment_pk(tenant, each), "TARGETS") for each in deployments]
    found = TargetsItem.batch_get(wanted, consistent_read=True) if wanted else ()
    return {keys.last_part(item.pk): bytes(item.packed) for item in found}


def find_configuration(tenant: TenantId, deployment: str) -> dict[str, str] | None:
    """The configuration of a deployment; None if the deployment does not exist or brings software."""
    item = ConfigurationItem.find(deployment_pk(tenant, deployment), "CONFIGURATION")
    if item is None:
        return None
    brought: dict[str, str] = item.configuration
    return brought


def read_configurations(deployments: Iterable[DeploymentItem]) -> dict[str, dict[str, str]]:
    """The configurations of the configuration deployments among these, by id; 100 per round trip."""
    wanted = [(each.pk, "CONFIGURATION") for each in deployments if each.kind == CONFIGURATION]
    found = ConfigurationItem.batch_get(wanted, consistent_read=True) if wanted else ()
    return {keys.last_part(item.pk): item.configuration for item in found}


def read_counts(deployments: Iterable[DeploymentItem], *, recent: bool = False) -> dict[str, Counts]:
    """The summed counters of each deployment (strongly consistent); 100 counter items per round trip.

    With ``recent`` eventually consistent, for half the price.
    """
    wanted = [(each.pk, keys.sort("COUNTER", f"{shard:02d}")) for each in deployments for shard in range(each.shards)]
    found: dict[str, list[CounterItem]] = {}
    for item in CounterItem.batch_get(wanted, consistent_read=not recent):
        found.setdefault(keys.last_part(item.pk), []).append(item)
    return {deployment: _sum(items) for deployment, items in found.items()}


def _sum(items: list[CounterItem]) -> Counts:
    """Several counter items as one."""
    return Counts(
        rows=sum(item.rows for item in items),
        by_status={
            status: sum(int(getattr(item, counter_of(status).attr_name)) for item in items) for status in Status
        },
        total_size=sum(item.total_size for item in items),
        phases=tuple(map(sum, zip(*(map(int, item.phases or ()) for item in items), strict=True))),
    )


def read_begun(tenant: TenantId, deployments: Iterable[str]) -> dict[str, int]:
    """How many devices have begun in each of the deployments that limit this number, by id; 100 per round trip."""
    wanted = [(deployment_pk(tenant, each), "ROOM") for each in deployments]
    found = RoomItem.batch_get(wanted) if wanted else ()
    return {keys.last_part(item.pk): item.begun for item in found}


def read_totals(tenant: TenantId) -> tuple[int, int]:
    """The numbers of a tenant's deployments: all, unfinished."""
    item = CountsItem.find(keys.partition(tenant), "COUNTS")
    if item is None:
        return 0, 0
    return item.total, item.open


def rows_of_device(tenant: TenantId, device_id: str) -> Iterable[RowItem]:
    """All rows of a device, newest first."""
    return RowItem.history.query(device_history(tenant, device_id), scan_index_forward=False)


def count_rows_of_device(tenant: TenantId, device_id: str) -> int:
    """The number of a device's rows."""
    return int(RowItem.history.count(device_history(tenant, device_id)))


def list_deployments(
    tenant: TenantId, *, is_open: bool | None, newest_first: bool, limit: int | None = None
) -> Iterable[DeploymentItem]:
    """A tenant's deployments by sequence: all, open, or finished ones."""
    if is_open is None:
        return DeploymentItem.history.query(tenant_history(tenant), scan_index_forward=not newest_first, limit=limit)
    return DeploymentItem.state.query(
        deployment_state(tenant, is_open=is_open), scan_index_forward=not newest_first, limit=limit
    )


def all_rows(tenant: TenantId, deployment: str) -> list[RowItem]:
    """A deployment's rows by status, then device (strongly consistent).

    They are read by device, which never changes, so each row is found once, whatever its status becomes meanwhile. The
    index by status may contain a row that is just changing twice, or not at all.
    """
    rows = RowItem.query(deployment_pk(tenant, deployment), RowItem.sk.startswith("ROW#"), consistent_read=True)
    return sorted(rows, key=lambda row: str(row.state_sk))


def list_rows(tenant: TenantId, deployment: str, status: Status, *, limit: int) -> Iterable[RowItem]:
    """A deployment's first rows with one stored status, by device."""
    prefix = RowItem.state_sk.startswith(f"{RANK[status]:02d}#")
    return RowItem.state.query(deployment_pk(tenant, deployment), prefix, limit=limit)


def due_items(now: datetime, *, limit: int) -> Iterator[DeploymentItem | RowItem]:
    """What is due by ``now``: at most ``limit`` items of each partition of the index."""
    places = list(due.found(DeploymentItem.due, now, limit=limit))
    deployments = [place for place in places if place[1] == "DEPLOYMENT"]
    rows = [place for place in places if place[1] != "DEPLOYMENT"]
    # Read again, because the index may be behind the items.
    for model, wanted in ((DeploymentItem, deployments), (RowItem, rows)):
        items: Iterable[Any] = model.batch_get(wanted, consistent_read=True) if wanted else ()
        yield from (item for item in items if item.due_sk is not None and item.due_sk <= keys.time(now))
