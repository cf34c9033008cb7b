"""The table ``deployments``. Key forms are stored: changing one is a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#P#<deployment>`` | ``DEPLOYMENT`` | the deployment |
| ``T#t#P#<deployment>`` | ``TARGETS`` | its frozen targets; a handful are in the deployment, many in the bucket |
| ``T#t#P#<deployment>`` | ``COUNTER#<n>`` | counters of the devices whose id's hash falls on n |
| ``T#t#P#<deployment>`` | ``ROW#<device>`` | a device's row, from its first poll on |
| ``T#t#X#<hash>`` | ``ACTIVE`` | an unfinished deployment with these parameters |
| ``T#t`` | ``COUNTS`` | how many deployments there are, and how many unfinished |

Index ``history``: a tenant's deployments, and a device's rows, by sequence. Index ``state``: a tenant's open and
finished deployments by sequence, and a deployment's rows by status.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.deployments.rules.statistics import Counts
from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, Item, TimeAttribute, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.keys import TenantId


class HistoryIndex(GlobalSecondaryIndex[Any]):
    """Deployments of a tenant, rows of a device, by sequence."""

    class Meta:
        """The index."""

        index_name = "history"
        projection = AllProjection()

    history_pk = UnicodeAttribute(hash_key=True)
    history_sk = UnicodeAttribute(range_key=True)


class StateIndex(GlobalSecondaryIndex[Any]):
    """Deployments by open or finished, rows by status."""

    class Meta:
        """The index."""

        index_name = "state"
        projection = AllProjection()

    state_pk = UnicodeAttribute(hash_key=True)
    state_sk = UnicodeAttribute(range_key=True)


class DeploymentsItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = table("deployments")


class Indexed(DeploymentsItem):
    """Base of the items that are listed."""

    history_pk = UnicodeAttribute()
    history_sk = UnicodeAttribute()
    state_pk = UnicodeAttribute()
    state_sk = UnicodeAttribute()


class DeploymentItem(Indexed):
    """A deployment. All but ``finished``, ``aborted``, ``complete`` and the index keys never changes."""

    history = HistoryIndex()
    state = StateIndex()

    name = UnicodeAttribute()
    artifact_name = UnicodeAttribute()
    sequence = NumberAttribute()
    created = TimeAttribute()
    finished = TimeAttribute(null=True)
    aborted = BooleanAttribute(null=True)
    kind = UnicodeAttribute(default="software")
    targets = NumberAttribute()
    """How many devices it is for."""
    packed = BinaryAttribute(legacy_encoding=False, null=True)
    """The frozen targets of a deployment for a handful of devices: its first poll needs no further read."""
    in_bucket = BooleanAttribute(default=False)
    """Whether the targets are an S3 object."""
    on_heads = BooleanAttribute(default=False)
    """Whether it waits on its targets' heads instead of in the control item."""
    shards = NumberAttribute()
    """How many counter items it has."""
    complete = NumberAttribute(default=0)
    """How many of them have no device left that is not done."""
    force = BooleanAttribute(default=False)
    retries = NumberAttribute(default=0)
    artifacts = BlobAttribute()
    """Ids of the artifacts of that name at creation."""
    filter = BlobAttribute()
    """How the targets were chosen, as the API shows it."""
    groups = BlobAttribute(null=True)
    lock = UnicodeAttribute()
    """Hash of the parameters, of which only one unfinished deployment may exist."""

    @property
    def deployment_id(self) -> str:
        """The deployment's id."""
        return str(self.pk).rsplit("#", 1)[-1]

    @property
    def is_open(self) -> bool:
        """Whether devices may still get it."""
        return getattr(self, "finished", None) is None


class TargetsItem(DeploymentsItem):
    """The frozen targets of a small deployment."""

    packed = BinaryAttribute(legacy_encoding=False)


class CounterItem(DeploymentsItem):
    """Counters. ``n_<status>`` count the rows in each status."""

    last = NumberAttribute()
    """Devices that this item counts, less one: ``done`` has this value before the last report."""
    rows = NumberAttribute(default=0)
    done = NumberAttribute(default=0)
    """Rows in a final status."""
    total_size = NumberAttribute(default=0)
    closed = BooleanAttribute(null=True)
    """Set by an abort: no row changes any more."""
    complete = BooleanAttribute(null=True)
    """Set by the report that made ``done`` reach ``targets`` for the first time."""
    n_aborted = NumberAttribute(default=0)
    n_already_installed = NumberAttribute(default=0)
    n_decommissioned = NumberAttribute(default=0)
    n_downloading = NumberAttribute(default=0)
    n_failure = NumberAttribute(default=0)
    n_installing = NumberAttribute(default=0)
    n_noartifact = NumberAttribute(default=0)
    n_pause_before_committing = NumberAttribute(default=0)
    n_pause_before_installing = NumberAttribute(default=0)
    n_pause_before_rebooting = NumberAttribute(default=0)
    n_pending = NumberAttribute(default=0)
    n_rebooting = NumberAttribute(default=0)
    n_success = NumberAttribute(default=0)


class RowItem(Indexed):
    """A device in a deployment."""

    history = HistoryIndex()
    state = StateIndex()

    status = UnicodeAttribute()
    sequence = NumberAttribute()
    created = TimeAttribute()
    started = TimeAttribute(null=True)
    finished = TimeAttribute(null=True)
    deleted = TimeAttribute(null=True)
    substate = UnicodeAttribute(null=True)
    log = BooleanAttribute(default=False)
    artifact = UnicodeAttribute(null=True)
    attempts = NumberAttribute(default=1)

    @property
    def deployment_id(self) -> str:
        """The deployment's id."""
        return str(self.pk).rsplit("#", 1)[-1]

    @property
    def device_id(self) -> str:
        """The device's id."""
        return keys.last_part(self.sk)

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted from the device's history."""
        return getattr(self, "deleted", None) is not None


class ActiveItem(DeploymentsItem):
    """Holds the place of an unfinished deployment."""

    deployment = UnicodeAttribute()


class CountsItem(DeploymentsItem):
    """Totals of a tenant."""

    total = NumberAttribute(default=0)
    open = NumberAttribute(default=0)


def counter_of(status: Status) -> Any:
    """The counter attribute of a status."""
    return getattr(CounterItem, "n_" + status.replace("-", "_"))


def shard_of(device_id: str, shards: int) -> int:
    """The counter item of a device. Stored: it may not change."""
    return int.from_bytes(hashlib.sha256(device_id.encode()).digest()[1:3], "big") % shards


def deployment_pk(tenant: TenantId, deployment: str) -> str:
    """The partition of a deployment."""
    return keys.partition(tenant, "P", deployment)


def deployment_ref(tenant: TenantId, deployment: str) -> DeploymentItem:
    """A deployment to address updates with."""
    return DeploymentItem(deployment_pk(tenant, deployment), "DEPLOYMENT")


def counter_ref(tenant: TenantId, deployment: str, shard: int) -> CounterItem:
    """A counter to address updates with."""
    return CounterItem(deployment_pk(tenant, deployment), keys.sort("COUNTER", f"{shard:02d}"))


def row_ref(tenant: TenantId, deployment: str, device_id: str) -> RowItem:
    """A row to address updates with."""
    return RowItem(deployment_pk(tenant, deployment), keys.sort("ROW", device_id))


def targets_ref(tenant: TenantId, deployment: str) -> TargetsItem:
    """The item of frozen targets."""
    return TargetsItem(deployment_pk(tenant, deployment), "TARGETS")


def active_ref(tenant: TenantId, lock: str) -> ActiveItem:
    """The place that an unfinished deployment with these parameters holds."""
    return ActiveItem(keys.partition(tenant, "X", lock), "ACTIVE")


def counts_ref(tenant: TenantId) -> CountsItem:
    """The tenant's totals, to address updates with."""
    return CountsItem(keys.partition(tenant), "COUNTS")


def tenant_history(tenant: TenantId) -> str:
    """Key of a tenant's deployments in ``history``."""
    return keys.partition(tenant, "DEPLOYMENTS")


def device_history(tenant: TenantId, device_id: str) -> str:
    """Key of a device's rows in ``history``."""
    return keys.partition(tenant, "D", device_id)


def deployment_state(tenant: TenantId, *, is_open: bool) -> str:
    """Key of a tenant's open, or finished, deployments in ``state``."""
    return keys.partition(tenant, "OPEN" if is_open else "FINISHED")


def row_state(status: Status, device_id: str) -> str:
    """Key of a row in ``state``, within its deployment."""
    return keys.sort(f"{RANK[status]:02d}", device_id)


def find_deployment(tenant: TenantId, deployment: str, *, recent: bool = False) -> DeploymentItem | None:
    """The deployment as it is now; with ``recent`` as it was a moment ago, for half the price."""
    try:
        return DeploymentItem.get(deployment_pk(tenant, deployment), "DEPLOYMENT", consistent_read=not recent)
    except DeploymentItem.DoesNotExist:
        return find_deployment(tenant, deployment) if recent else None


def find_deployments(tenant: TenantId, deployments: Iterable[str]) -> dict[str, DeploymentItem]:
    """The deployments that exist, by id."""
    wanted = [(deployment_pk(tenant, each), "DEPLOYMENT") for each in dict.fromkeys(deployments)]
    return {item.deployment_id: item for item in DeploymentItem.batch_get(wanted)}


def find_row(tenant: TenantId, deployment: str, device_id: str) -> RowItem | None:
    """A row as it is now."""
    try:
        return RowItem.get(deployment_pk(tenant, deployment), keys.sort("ROW", device_id), consistent_read=True)
    except RowItem.DoesNotExist:
        return None


def read_targets(tenant: TenantId, deployment: str) -> bytes:
    """The frozen targets of a small deployment. They never change, but may have been written a moment ago."""
    item = TargetsItem.get(deployment_pk(tenant, deployment), "TARGETS", consistent_read=True)
    return bytes(item.packed)


def read_counts(deployments: Iterable[DeploymentItem], *, recent: bool = False) -> dict[str, Counts]:
    """Counters of each deployment, summed, as they are now; 100 counter items a round trip.

    With ``recent`` as they were a moment ago, for half the price.
    """
    wanted = [
        (each.pk, keys.sort("COUNTER", f"{shard:02d}")) for each in deployments for shard in range(int(each.shards))
    ]
    found: dict[str, list[CounterItem]] = {}
    for item in CounterItem.batch_get(wanted, consistent_read=not recent):
        found.setdefault(str(item.pk).rsplit("#", 1)[-1], []).append(item)
    return {deployment: sum_counters(items) for deployment, items in found.items()}


def sum_counters(items: list[CounterItem]) -> Counts:
    """Several counter items as one."""
    return Counts(
        rows=sum(int(item.rows) for item in items),
        by_status={
            status: sum(int(getattr(item, "n_" + status.replace("-", "_"))) for item in items) for status in Status
        },
        total_size=sum(int(item.total_size) for item in items),
    )


def read_totals(tenant: TenantId) -> tuple[int, int]:
    """How many deployments a tenant has: all, unfinished."""
    try:
        item = CountsItem.get(keys.partition(tenant), "COUNTS", consistent_read=True)
    except CountsItem.DoesNotExist:
        return 0, 0
    return int(item.total), int(item.open)


def rows_of_device(tenant: TenantId, device_id: str) -> Iterable[RowItem]:
    """All rows of a device, newest first."""
    return RowItem.history.query(device_history(tenant, device_id), scan_index_forward=False)


def count_rows_of_device(tenant: TenantId, device_id: str) -> int:
    """How many rows a device has."""
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


def list_rows(
    tenant: TenantId, deployment: str, status: Status | None = None, *, limit: int | None = None
) -> Iterable[RowItem]:
    """A deployment's rows by status, then device; all or those of one stored status."""
    prefix = RowItem.state_sk.startswith(f"{RANK[status]:02d}#") if status is not None else None
    return RowItem.state.query(deployment_pk(tenant, deployment), prefix, limit=limit)
