"""The items of the table, and how each is addressed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pynamodb.attributes import BinaryAttribute, BooleanAttribute, ListAttribute, UnicodeAttribute
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex

from chalicelib.deployments.rules.statuses import RANK, Status
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute
from chalicelib.storage.due import DueIndex

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

SOFTWARE, CONFIGURATION = "software", "configuration"
"""Kinds of deployments."""


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
    """A deployment. ``finished``, ``aborted``, ``complete``, ``opened``, ``control_map`` and the index keys change.

    All other attributes never change.
    """

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
    targets = IntegerAttribute()
    """The number of devices; of a dynamic deployment its maximum, 0 for no limit."""
    dynamic = BooleanAttribute(default=False)
    """Whether it is for the devices that match its filter when they poll, instead of fixed targets."""
    initial = IntegerAttribute(null=True)
    """How many devices matched the filter of a dynamic deployment at its creation."""
    packed = BinaryAttribute(legacy_encoding=False, null=True)
    """The fixed targets of a deployment to a few devices, so that its first poll needs no further read."""
    in_bucket = BooleanAttribute(default=False)
    """Whether the targets are an S3 object."""
    on_heads = BooleanAttribute(default=False)
    """Whether it waits on its targets' heads instead of in the control item."""
    shards = IntegerAttribute()
    """The number of its counter items."""
    complete = IntegerAttribute(default=0)
    """The number of counter items whose devices all have a final status."""
    force = BooleanAttribute(default=False)
    retries = IntegerAttribute(default=0)
    phases = BlobAttribute(null=True)
    """A list of ``rules.phases.Phase``."""
    opened = IntegerAttribute(default=0)
    """The number of phases that the schedule has recorded as open; polls do not depend on it."""
    control_map = BlobAttribute(null=True)
    """Its update control map with the deployment's id; set at creation or never."""
    artifacts = BlobAttribute()
    """Ids of the release's artifacts at creation."""
    filter = BlobAttribute()
    """How the targets were chosen, in the wire format."""
    groups = BlobAttribute(null=True)
    lock = UnicodeAttribute()
    """Hash of the parameters that no two unfinished deployments may share."""

    @property
    def deployment_id(self) -> str:
        """The deployment's id."""
        return keys.last_part(self.pk)

    @property
    def is_open(self) -> bool:
        """Whether it is unfinished."""
        return getattr(self, "finished", None) is None


class TargetsItem(DeploymentsItem):
    """The fixed targets of a small deployment."""

    packed = BinaryAttribute(legacy_encoding=False)


class ConfigurationItem(DeploymentsItem):
    """The configuration of a deployment, in an item of its own, because polls do not need it."""

    configuration = BlobAttribute(default=dict)


NEVER = 10**12
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
    closed = BooleanAttribute(null=True)
    """Set by an abort: no row may change any more."""
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


class RowItem(Indexed):
    """A device in a deployment."""

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
    """The first error of its log."""
    artifact = UnicodeAttribute(null=True)
    attempts = IntegerAttribute(default=1)
    phase = IntegerAttribute(null=True)
    """Index of the phase in which it began."""
    device_type = UnicodeAttribute(null=True)
    """The device's type when it began."""

    @property
    def deployment_id(self) -> str:
        """The deployment's id."""
        return keys.last_part(self.pk)

    @property
    def device_id(self) -> str:
        """The device's id."""
        return keys.last_part(self.sk)

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted from the device's history."""
        return getattr(self, "deleted", None) is not None


class ActiveItem(DeploymentsItem):
    """Reserves the parameters of an unfinished deployment."""

    deployment = UnicodeAttribute()


class CountsItem(DeploymentsItem):
    """Totals of a tenant."""

    total = IntegerAttribute(default=0)
    open = IntegerAttribute(default=0)


def counter_of(status: Status) -> Any:
    """The counter attribute of a status."""
    return getattr(CounterItem, "n_" + status.replace("-", "_"))


def shard_of(device_id: str, shards: int) -> int:
    """The counter item of a device. Stored data: it must not change."""
    return int.from_bytes(hashlib.sha256(device_id.encode()).digest()[1:3], "big") % shards


def deployment_pk(tenant: TenantId, deployment: str) -> str:
    """The partition of a deployment."""
    return keys.partition(tenant, "P", deployment)


def deployment_ref(tenant: TenantId, deployment: str) -> DeploymentItem:
    """A deployment as the key of an update."""
    return DeploymentItem(deployment_pk(tenant, deployment), "DEPLOYMENT")


def counter_ref(tenant: TenantId, deployment: str, shard: int) -> CounterItem:
    """A counter as the key of an update."""
    return CounterItem(deployment_pk(tenant, deployment), keys.sort("COUNTER", f"{shard:02d}"))


def room_ref(tenant: TenantId, deployment: str) -> RoomItem:
    """The item with the limit of a deployment, as the key of an update."""
    return RoomItem(deployment_pk(tenant, deployment), "ROOM")


def row_ref(tenant: TenantId, deployment: str, device_id: str) -> RowItem:
    """A row as the key of an update."""
    return RowItem(deployment_pk(tenant, deployment), keys.sort("ROW", device_id))


def targets_ref(tenant: TenantId, deployment: str) -> TargetsItem:
    """The item of fixed targets."""
    return TargetsItem(deployment_pk(tenant, deployment), "TARGETS")


def configuration_ref(tenant: TenantId, deployment: str) -> ConfigurationItem:
    """The item of a configuration."""
    return ConfigurationItem(deployment_pk(tenant, deployment), "CONFIGURATION")


def active_ref(tenant: TenantId, lock: str) -> ActiveItem:
    """The item that reserves these parameters."""
    return ActiveItem(keys.partition(tenant, "X", lock), "ACTIVE")


def counts_ref(tenant: TenantId) -> CountsItem:
    """The tenant's totals, as the key of an update."""
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
