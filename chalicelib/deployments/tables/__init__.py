"""The table ``deployments``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#P#<deployment>`` | ``DEPLOYMENT`` | the deployment |
| ``T#t#P#<deployment>`` | ``CONFIGURATION`` | the configuration of a configuration deployment |
| ``T#t#P#<deployment>`` | ``TARGETS`` | its fixed targets; few are in the deployment, many in the bucket |
| ``T#t#P#<deployment>`` | ``COUNTER#<n>`` | counters of the devices whose id's hash is n |
| ``T#t#P#<deployment>`` | ``ROOM`` | number of devices that have begun, in a deployment that limits it |
| ``T#t#P#<deployment>`` | ``ROW#<device>`` | a device's row, from its first poll on |
| ``T#t#X#<hash>`` | ``ACTIVE`` | an unfinished deployment with these parameters |
| ``T#t`` | ``COUNTS`` | numbers of all and of unfinished deployments |

Index ``history``: a tenant's deployments, and a device's rows, by sequence. Index ``state``: a tenant's open and
finished deployments by sequence, and a deployment's rows by status. Index ``due`` (``storage.due``): what the
schedule has to check.
"""

from chalicelib.deployments.tables.items import (
    CONFIGURATION,
    NEVER,
    SOFTWARE,
    ActiveItem,
    CounterItem,
    CountsItem,
    DeploymentItem,
    RoomItem,
    RowItem,
    active_ref,
    configuration_ref,
    counter_of,
    counter_ref,
    counts_ref,
    deployment_pk,
    deployment_ref,
    deployment_state,
    device_history,
    room_ref,
    row_ref,
    row_state,
    shard_of,
    targets_ref,
    tenant_history,
)
from chalicelib.deployments.tables.leaving import erase
from chalicelib.deployments.tables.reads import (
    all_rows,
    count_rows_of_device,
    due_items,
    find_configuration,
    find_deployment,
    find_deployments,
    find_row,
    find_targets,
    list_deployments,
    list_rows,
    read_begun,
    read_configurations,
    read_counts,
    read_targets,
    read_totals,
    rows_of_device,
)

__all__ = [
    "CONFIGURATION",
    "NEVER",
    "SOFTWARE",
    "ActiveItem",
    "CounterItem",
    "CountsItem",
    "DeploymentItem",
    "RoomItem",
    "RowItem",
    "active_ref",
    "all_rows",
    "configuration_ref",
    "count_rows_of_device",
    "counter_of",
    "counter_ref",
    "counts_ref",
    "deployment_pk",
    "deployment_ref",
    "deployment_state",
    "device_history",
    "due_items",
    "erase",
    "find_configuration",
    "find_deployment",
    "find_deployments",
    "find_row",
    "find_targets",
    "list_deployments",
    "list_rows",
    "read_begun",
    "read_configurations",
    "read_counts",
    "read_targets",
    "read_totals",
    "room_ref",
    "row_ref",
    "row_state",
    "rows_of_device",
    "shard_of",
    "targets_ref",
    "tenant_history",
]
