"""The table ``deviceconfig``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``CONFIGURATION`` | the configured and the reported configuration of a device |

Index ``list``: ``T#t``, ``<device>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pynamodb.attributes import UnicodeAttribute

from chalicelib.storage import erasing, keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute
from chalicelib.storage.indexes import KeyListIndex

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pynamodb.expressions.update import Action

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "CONFIGURATION"


class ConfigurationItem(Item):
    """A device's configuration. It is created by the first write."""

    class Meta:
        """The table."""

        table_name = TableName("deviceconfig")

    configured = BlobAttribute(default=dict)
    reported = BlobAttribute(default=dict)
    deployment = UnicodeAttribute(null=True)
    """Id of the newest deployment of this configuration."""
    updated = TimeAttribute(null=True)
    """When ``configured`` was written."""
    reported_at = TimeAttribute(null=True)
    version = IntegerAttribute(default=0)
    """Counts writes of ``configured``, so that a deployment can make sure that it has not changed."""
    list_pk = UnicodeAttribute(null=True)
    list_sk = UnicodeAttribute(null=True)
    by_tenant = KeyListIndex["ConfigurationItem"]()


def _ref(tenant: TenantId, device_id: str) -> ConfigurationItem:
    return ConfigurationItem(keys.partition(tenant, "D", device_id), _SORT)


def find(tenant: TenantId, device_id: str) -> ConfigurationItem | None:
    """A device's configuration as it is now."""
    return _ref(tenant, device_id).fetch()


def configure(
    tx: Transaction, tenant: TenantId, device_id: str, configuration: Mapping[str, str], now: datetime
) -> None:
    """Replace what is configured."""
    actions = [
        ConfigurationItem.configured.set(configuration),
        ConfigurationItem.updated.set(now),
        ConfigurationItem.version.add(1),
        *_listed(tenant, device_id),
    ]
    tx.update(_ref(tenant, device_id), actions, label="configuration")


def report(tx: Transaction, tenant: TenantId, device_id: str, configuration: Mapping[str, str], now: datetime) -> None:
    """Replace what the device reported."""
    actions = [
        ConfigurationItem.reported.set(configuration),
        ConfigurationItem.reported_at.set(now),
        *_listed(tenant, device_id),
    ]
    tx.update(_ref(tenant, device_id), actions, label="configuration")


def deployed(
    tx: Transaction, tenant: TenantId, device_id: str, deployment: str, before: ConfigurationItem | None
) -> None:
    """Store a deployment; fails with label ``configuration`` if ``configured`` has changed since ``before``."""
    version = 0 if before is None else before.version
    # An item that was created by a device's report has no version yet.
    unchanged = ConfigurationItem.version == version
    condition = unchanged if version else ConfigurationItem.version.does_not_exist() | unchanged
    actions = [ConfigurationItem.deployment.set(deployment), *_listed(tenant, device_id)]
    tx.update(_ref(tenant, device_id), actions, condition, label="configuration")


def _listed(tenant: TenantId, device_id: str) -> tuple[Action, Action]:
    return ConfigurationItem.list_pk.set(keys.partition(tenant)), ConfigurationItem.list_sk.set(keys.sort(device_id))


def delete(tenant: TenantId, device_id: str) -> None:
    """Delete a device's configuration, if there is one."""
    _ref(tenant, device_id).delete()


def erase(tenant: TenantId) -> int:
    """Erase the configurations of a removed tenant; returns their number."""
    return erasing.rows(ConfigurationItem, erasing.listed(ConfigurationItem.by_tenant, keys.partition(tenant)))
