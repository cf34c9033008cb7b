"""Device configuration: read, set, report, deploy (``docs/behaviour.md#configurations``).

An accepted device without a stored configuration has an empty one. The item is created by the first write.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec

from chalicelib import clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.aws.client import AwsError
from chalicelib.deviceconfig import rules, tables
from chalicelib.errors import NotFound, Unavailable
from chalicelib.features import Feature
from chalicelib.fleet import control, head_items, heads
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.deviceconfig.shapes import NewConfigurationDeployment
    from chalicelib.storage.keys import TenantId

_NO_DEVICE = "device does not exist"


def get(tenant: TenantId, device_id: str) -> tuple[tables.ConfigurationItem, datetime | None]:
    """A device's configuration, configured and reported, and since when it has existed.

    Raises:
        NotFound: there is no such device, or it has never been accepted or configured.
    """
    item = _known(tenant, device_id) or tables.ConfigurationItem()
    return item, cast("datetime | None", item.updated) or _begun(tenant, device_id)


def _begun(tenant: TenantId, device_id: str) -> datetime | None:
    """When the empty configuration of a device began; None if the device is not known or was never accepted."""
    # Imported here because calls of devices do not need it.
    from chalicelib.inventory import service as inventory

    try:
        return inventory.get(tenant, device_id).created
    except NotFound:
        return None


def _known(tenant: TenantId, device_id: str) -> tables.ConfigurationItem | None:
    """The item of a device's configuration; None if it is still empty."""
    item = tables.find(tenant, device_id)
    if item is None:
        head = heads.find(tenant, device_id)
        if head is None or not head.is_accepted:
            raise NotFound(_NO_DEVICE)
    return item


def configure(tenant: TenantId, device_id: str, configuration: Mapping[str, str]) -> None:
    """Replace the configuration of a device. A deployment brings it to the device.

    The device need not exist: the API reference and clients allow any id.

    Raises:
        BadRequest: the configuration is too large.
        NotFound: the device is being removed.
    """
    rules.check_size(configuration)
    tx = Transaction()
    tables.configure(tx, tenant, device_id, configuration, clock.now())
    _audit(tx, tenant, device_id, Action.SET_CONFIGURATION, configuration)
    _commit_unless_leaving(tx, tenant, device_id)


def reported(tenant: TenantId, device_id: str, configuration: Mapping[str, str]) -> None:
    """Store the configuration that a device reports.

    Raises:
        BadRequest: the configuration is too large.
        NotFound: the device is being removed.
    """
    rules.check_size(configuration)
    tx = Transaction()
    tables.report(tx, tenant, device_id, configuration, clock.now())
    _commit_unless_leaving(tx, tenant, device_id)


def _commit_unless_leaving(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    # If it were written after the device's data was deleted, it would never be deleted.
    head_items.require_staying(tx, tenant, device_id)
    try:
        tx.commit()
    except ConditionFailed as failure:
        raise NotFound(_NO_DEVICE) from failure


def wanted(tenant: TenantId, device_id: str) -> dict[str, str]:
    """The configuration of a device, for the device itself."""
    item = tables.find(tenant, device_id)
    configured: dict[str, str] = {} if item is None else item.configured
    return configured


@retried
def deploy(tenant: TenantId, device_id: str, asked: NewConfigurationDeployment) -> str:
    """Deploy a device's configuration, even if nothing has changed. Returns the new deployment's id.

    Raises:
        BadRequest: clients would refuse the update control map.
        Forbidden: retries or an update control map are given, and the tenant's plan does not include them.
        NotFound: there is no such device, or it has never been accepted or configured.
        Unprocessable: the device has reached its limit of waiting deployments.
    """
    # Imported here: calls of devices deploy nothing.
    from chalicelib.deployments import service as deployments

    if asked.retries:
        control.require(tenant, Feature.RETRIES)
    if asked.update_control_map is not None:
        control.require(tenant, Feature.UPDATE_CONTROL)
    item = _known(tenant, device_id)
    configuration = {} if item is None else item.configured
    deployment = deployments.new_id()
    tx = Transaction()
    tables.deployed(tx, tenant, device_id, deployment, item)
    _audit(tx, tenant, device_id, Action.DEPLOY_CONFIGURATION, configuration)
    deployments.deploy_configuration(
        tx,
        tenant,
        deployment,
        device_id,
        configuration,
        retries=asked.retries,
        control_map=asked.update_control_map,
    )
    _wake(tenant, device_id)
    return deployment


def _wake(tenant: TenantId, device_id: str) -> None:
    """Make a connected device poll now. Otherwise it gets the deployment at its next poll."""
    # Imported here: calls of devices deploy nothing.
    from chalicelib.deviceconnect import service as deviceconnect

    # The deployment exists, whether this succeeds or not.
    with suppress(NotFound, Unavailable, AwsError):
        deviceconnect.check_update(tenant, device_id)


def _audit(tx: Transaction, tenant: TenantId, device_id: str, action: Action, configuration: Mapping[str, str]) -> None:
    change = msgspec.json.encode(configuration).decode()
    auditlogs.record(tx, tenant, action, Object(ObjectType.DEVICE, device_id), change=change)


def device_gone(tenant: TenantId, device_id: str) -> None:
    """Delete the data of a decommissioned device. Can be run again."""
    tables.delete(tenant, device_id)


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant; returns the number of items."""
    return tables.erase(tenant)
