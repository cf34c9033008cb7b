"""The items of the table, and how each is addressed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, ListAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.deployments.rules.deployment import SOFTWARE
from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.fleet.parts import part_of
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute
from chalicelib.storage.due import DueIndex

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan
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

        table_name = TableName("deployments")


class Indexed(DeploymentsItem):
    """Base of the items that are listed."""

    history_pk = UnicodeAttribute()
    history_sk = UnicodeAttribute()
    state_pk = UnicodeAttribute()
    state_sk = UnicodeAttribute()
    due_pk = UnicodeAttribute(null=True)
    due_sk = UnicodeAttribute(null=True)
    """When the schedule has to check it; absent: never."""


class DeploymentItem(Indexed):
    """A deployment; ``rules.deployment.Plan`` describes the attributes that never change."""

    history = HistoryIndex()
    state = StateIndex()
    due = DueIndex()

    name = UnicodeAttribute()
    artifact_name = UnicodeAttribute()
    sequence = IntegerAttribute()
    created = TimeAttribute()
    finished = TimeAttribute(null=True)
    aborted = BooleanAttribute(null=True)
    kind = UnicodeAttribute(default=SOFTWARE)
    size = IntegerAttribute(attr_name="targets")
    dynamic = BooleanAttribute(default=False)
    initial = IntegerAttribute(null=True)
    packed = BinaryAttribute(legacy_encoding=False, null=True)
    in_bucket = BooleanAttribute(default=False)
    targets_object = UnicodeAttribute(null=True)
    on_heads = BooleanAttribute(default=False)
    shards = IntegerAttribute()
    parts = IntegerAttribute(default=0)
    part_sizes = BlobAttribute(null=True)
    complete = IntegerAttribute(default=0)
    """The number of counter items whose devices all have a final status."""
    force = BooleanAttribute(default=False)
    retries = IntegerAttribute(default=0)
    phases = BlobAttribute(null=True)
    """A list of ``rules.phases.Phase``."""
    opened = IntegerAttribute(default=0)
    control_map = BlobAttribute(null=True)
    rollout = BlobAttribute(null=True)
    """``shapes.Rollout``."""
    progress = BlobAttribute(null=True)
    """``rules.rollout.Progress``."""
    revision = IntegerAttribute(null=True)
    """The ``revision`` of ``progress``; absent: 0."""
    preparing = BlobAttribute(null=True)
    """``rules.deployment.Preparing`` while the targets of a large deployment are being listed."""
    approval = BlobAttribute(null=True)
    """``rules.deployment.Approval``, if it needs one."""
    waits = BooleanAttribute(null=True)
    """Set at creation if it needs approval, and removed by the decision, which has it as its condition."""
    sums = BlobAttribute(null=True)
    corrections = IntegerAttribute(null=True)
    artifacts = BlobAttribute()
    filter = BlobAttribute()
    groups = BlobAttribute(null=True)
    parent = UnicodeAttribute(null=True)
    retried_by: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    lock = UnicodeAttribute()


class TargetsItem(DeploymentsItem):
    """The fixed targets of a small deployment."""

    packed = BinaryAttribute(legacy_encoding=False)


class ConfigurationItem(DeploymentsItem):
    """The configuration of a deployment, in an item of its own, because polls do not need it."""

    configuration = BlobAttribute(default=dict)


class WithdrawnItem(DeploymentsItem):
    """A device that was withdrawn while the targets of a large deployment were being listed."""

    status = UnicodeAttribute()
    """The status that its row gets."""


NEVER: Final = 10**12
"""``last`` of the counters of a deployment that does not finish by itself."""


class CounterItem(DeploymentsItem):
    """Counters. ``n_<status>`` count the rows in each status."""

    last = IntegerAttribute()
    """The number of devices that this item counts, minus one: the value of ``done`` before the last report. ``NEVER``:
    no end."""
    rows = IntegerAttribute(default=0)
    done = IntegerAttribute(default=0)
    """Rows in a final status."""
    total_size = IntegerAttribute(default=0)
    phases: ListAttribute[Any] = ListAttribute(of=IntegerAttribute, null=True)
    """Rows that began in each phase."""
    succeeded: ListAttribute[Any] = ListAttribute(of=IntegerAttribute, null=True)
    """Rows of each phase that succeeded; this and the next two only in deployments with a rollout."""
    failed: ListAttribute[Any] = ListAttribute(of=IntegerAttribute, null=True)
    """Rows of each phase that failed."""
    left: ListAttribute[Any] = ListAttribute(of=IntegerAttribute, null=True)
    """Rows of each phase that ended without trying the update."""
    begun = IntegerAttribute(default=0)
    """Only in a part of a large deployment: rows that began while the number of devices was limited, and capacity that
    was lent to other parts, without that which was borrowed from them."""
    closed = BooleanAttribute(null=True)
    """Set by an abort: no row may change any more."""
    held = BooleanAttribute(null=True)
    """Set while the deployment is paused: no row may begin."""
    revision = IntegerAttribute(null=True)
    """Only in a part of a large deployment: the revision of the progress for which ``held`` was set or removed."""
    complete = BooleanAttribute(null=True)
    """Set by the report that first made ``done`` exceed ``last``."""
    n_aborted = IntegerAttribute(default=0)
    n_already_installed = IntegerAttribute(default=0)
    n_decommissioned = IntegerAttribute(default=0)
    n_downloading = IntegerAttribute(default=0)
    n_failure = IntegerAttribute(default=0)
    n_installing = IntegerAttribute(default=0)
    n_noartifact = IntegerAttribute(default=0)
    n_pause_before_committing = IntegerAttribute(default=0)
    n_pause_before_installing = IntegerAttribute(default=0)
    n_pause_before_rebooting = IntegerAttribute(default=0)
    n_pending = IntegerAttribute(default=0)
    n_rebooting = IntegerAttribute(default=0)
    n_success = IntegerAttribute(default=0)


class RoomItem(DeploymentsItem):
    """Limits the number of devices in a deployment: ``begun`` counts those that the limit covers."""

    begun = IntegerAttribute(default=0)


class MinuteItem(DeploymentsItem):
    """Devices that have begun in one minute, in a deployment that limits their number; expires."""

    begun = IntegerAttribute(default=0)
    expires_at = IntegerAttribute()


class RowItem(Indexed):
    """A device in a deployment; ``rules.row.Row`` describes the attributes."""

    history = HistoryIndex()
    state = StateIndex()
    due = DueIndex()

    status = UnicodeAttribute()
    sequence = IntegerAttribute()
    created = TimeAttribute()
    started = TimeAttribute(null=True)
    finished = TimeAttribute(null=True)
    deleted = TimeAttribute(null=True)
    substate = UnicodeAttribute(null=True)
    log = BooleanAttribute(default=False)
    error = UnicodeAttribute(null=True)
    artifact = UnicodeAttribute(null=True)
    attempts = IntegerAttribute(default=1)
    phase = IntegerAttribute(null=True)
    device_type = UnicodeAttribute(null=True)
    downgrade = UnicodeAttribute(null=True)


class ActiveItem(DeploymentsItem):
    """Reserves the parameters of an unfinished deployment."""

    deployment = UnicodeAttribute()


class CountsItem(DeploymentsItem):
    """Totals of a tenant."""

    total = IntegerAttribute(default=0)
    open = IntegerAttribute(default=0)


def table() -> str:
    """The full name of the table."""
    return keys.table("deployments")


def counter_of(status: Status) -> str:
    """The name of the attribute that counts a status."""
    return "n_" + status.replace("-", "_")


def shard_of(device_id: str, shards: int) -> int:
    """The counter item of a device in a deployment that is not large. Stored data: it must not change."""
    return int.from_bytes(hashlib.sha256(device_id.encode()).digest()[1:3], "big") % shards


def deployment_pk(tenant: TenantId, deployment: str) -> str:
    """The partition of a deployment."""
    return keys.partition(tenant, "P", deployment)


def deployment_of(partition: str) -> str:
    """The deployment of a partition, or of one of its parts."""
    return partition.split("#")[3]


def part_pk(tenant: TenantId, deployment: str, part: int) -> str:
    """The partition of a part of a large deployment."""
    return keys.partition(tenant, "P", deployment, f"{part:02x}")


def row_pk(tenant: TenantId, plan: Plan, device_id: str) -> str:
    """The partition of a device's row."""
    if plan.parts:
        return part_pk(tenant, plan.id, part_of(device_id, plan.parts))
    return deployment_pk(tenant, plan.id)


def row_sk(device_id: str) -> str:
    """The sort key of a device's row."""
    return keys.sort("ROW", device_id)


def number_of(plan: Plan, device_id: str) -> int:
    """The number of the counter item that counts a device."""
    return part_of(device_id, plan.parts) if plan.parts else shard_of(device_id, plan.shards)


def counter_key(tenant: TenantId, plan: Plan, number: int) -> tuple[str, str]:
    """The key of a counter item."""
    if plan.parts:
        return part_pk(tenant, plan.id, number), "COUNTER"
    return deployment_pk(tenant, plan.id), keys.sort("COUNTER", f"{number:02d}")


def deployment_ref(tenant: TenantId, deployment: str) -> DeploymentItem:
    """A deployment as the key of an update."""
    return DeploymentItem(deployment_pk(tenant, deployment), "DEPLOYMENT")


def counter_ref(tenant: TenantId, plan: Plan, number: int) -> CounterItem:
    """A counter as the key of an update."""
    return CounterItem(*counter_key(tenant, plan, number))


def room_ref(tenant: TenantId, deployment: str) -> RoomItem:
    """The item with the limit of a deployment, as the key of an update."""
    return RoomItem(deployment_pk(tenant, deployment), "ROOM")


def minute_key(tenant: TenantId, deployment: str, minute: int, share: int) -> tuple[str, str]:
    """The key of a ``MinuteItem``. ``minute``: since 1970; ``share``: which of several items for that minute."""
    return keys.partition(tenant, "P", deployment, "RATE", str(share)), keys.number(minute)


def row_ref(tenant: TenantId, plan: Plan, device_id: str) -> RowItem:
    """A row as the key of an update."""
    return RowItem(row_pk(tenant, plan, device_id), row_sk(device_id))


def targets_ref(tenant: TenantId, deployment: str) -> TargetsItem:
    """The item of fixed targets."""
    return TargetsItem(deployment_pk(tenant, deployment), "TARGETS")


def configuration_ref(tenant: TenantId, deployment: str) -> ConfigurationItem:
    """The item of a configuration."""
    return ConfigurationItem(deployment_pk(tenant, deployment), "CONFIGURATION")


def active_ref(tenant: TenantId, lock: str) -> ActiveItem:
    """The item that reserves these parameters."""
    return ActiveItem(keys.partition(tenant, "X", lock), "ACTIVE")


def counts_key(tenant: TenantId) -> tuple[str, str]:
    """The key of the tenant's totals."""
    return keys.partition(tenant), "COUNTS"


def counts_ref(tenant: TenantId) -> CountsItem:
    """The tenant's totals, as the key of an update."""
    return CountsItem(*counts_key(tenant))


def tenant_history(tenant: TenantId) -> str:
    """Key of a tenant's deployments in ``history``."""
    return keys.partition(tenant, "DEPLOYMENTS")


def device_history(tenant: TenantId, device_id: str) -> str:
    """Key of a device's rows in ``history``."""
    return keys.partition(tenant, "D", device_id)


def place(plan: Plan) -> str:
    """The sort key of a deployment in lists of the tenant's deployments."""
    return keys.sort(keys.number(plan.sequence), plan.id)


def deployment_state(tenant: TenantId, *, is_open: bool) -> str:
    """Key of a tenant's open, or finished, deployments in ``state``."""
    return keys.partition(tenant, "OPEN" if is_open else "FINISHED")


def row_state(status: Status, device_id: str) -> str:
    """Key of a row in ``state``, within its deployment."""
    return keys.sort(f"{RANK[status]:02d}", device_id)
