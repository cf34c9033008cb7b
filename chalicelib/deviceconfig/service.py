"""Device configuration: read, set, report, deploy (``docs/behaviour.md#configurations``).

An accepted device without a stored configuration has an empty one. The item is created by the first write.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.aws.client import AwsError
from chalicelib.deviceconfig import rules, tables
from chalicelib.deviceconfig.shapes import DeviceConfiguration
from chalicelib.errors import NotFound, Unavailable
from chalicelib.features import Feature
from chalicelib.fleet import control, heads
from chalicelib.storage.transactions import RACES, ConditionFailed, Transaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chalicelib.deviceconfig.shapes import NewConfigurationDeployment
    from chalicelib.storage.keys import TenantId

_NO_DEVICE = "device does not exist"


def get(tenant: TenantId, device_id: str) -> DeviceConfiguration:
    """A device's configuration as operators see it.

    Raises:
        NotFound: there is no such device, or it has never been accepted or configured.
    """
    item = _known(tenant, device_id)
    if item is None:
        return DeviceConfiguration(id=device_id, configured={}, reported={}, updated_ts=_begun(tenant, device_id))
    return DeviceConfiguration(
        id=device_id,
        configured=item.configured,
        reported=item.reported,
        deployment_id=item.deployment,
        updated_ts=_time(item.updated) or _begun(tenant, device_id),
        reported_ts=_time(item.reported_at),
    )


def _begun(tenant: TenantId, device_id: str) -> str | None:
    """Since when a device has had the empty configuration: since it is known. None if it is not (any more)."""
    # Imported here: a device's calls don't need it.
    from chalicelib.inventory import service as inventory

    try:
        return clock.rfc3339(inventory.get(tenant, device_id).created)
    except NotFound:
        return None


def _time(time: datetime | None) -> str | None:
    return None if time is None else clock.rfc3339(time)


def _known(tenant: TenantId, device_id: str) -> tables.ConfigurationItem | None:
    """The item of a device that has a configuration; None where that is still empty."""
    item = tables.find(tenant, device_id)
    if item is None:
        head = heads.find(tenant, device_id)
        if head is None or not head.is_accepted:
            raise NotFound(_NO_DEVICE)
    return item


def configure(tenant: TenantId, device_id: str, configuration: Mapping[str, str]) -> None:
    """Replace what a device shall be set to. It learns of it by a deployment.

    The device need not be there (yet): reference and clients configure any id.

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
    """A device says what it is set to.

    Raises:
        BadRequest: the configuration is too large.
        NotFound: the device is being removed.
    """
    rules.check_size(configuration)
    tx = Transaction()
    tables.report(tx, tenant, device_id, configuration, clock.now())
    _commit_unless_leaving(tx, tenant, device_id)


def _commit_unless_leaving(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    # What is written after the device was cleared out would stay for ever.
    heads.require_staying(tx, tenant, device_id)
    try:
        tx.commit()
    except ConditionFailed as failure:
        raise NotFound(_NO_DEVICE) from failure


def wanted(tenant: TenantId, device_id: str) -> dict[str, str]:
    """What a device shall be set to, as the device itself asks."""
    item = tables.find(tenant, device_id)
    configured: dict[str, str] = {} if item is None else item.configured
    return configured


def deploy(tenant: TenantId, device_id: str, asked: NewConfigurationDeployment) -> str:
    """Deploy what a device shall be set to, even if nothing has changed. Returns the new deployment's id.

    Raises:
        BadRequest: clients would not take the update control map.
        Forbidden: the tenant's plan has no retries, or no update control maps, and some are asked for.
        NotFound: there is no such device, or it has never been accepted or configured.
        Unprocessable: as many deployments wait for the device as may.
    """
    from chalicelib.deployments import service as deployments

    if asked.retries:
        control.require(tenant, Feature.RETRIES)
    if asked.update_control_map is not None:
        control.require(tenant, Feature.UPDATE_CONTROL)
    for _ in range(RACES):
        item = _known(tenant, device_id)
        configuration = {} if item is None else item.configured
        deployment = deployments.new_id()
        tx = Transaction()
        tables.deployed(tx, tenant, device_id, deployment, item)
        _audit(tx, tenant, device_id, Action.DEPLOY_CONFIGURATION, configuration)
        try:
            deployments.deploy_configuration(
                tx,
                tenant,
                deployment,
                device_id,
                configuration,
                retries=asked.retries,
                control_map=asked.update_control_map,
            )
        except ConditionFailed:
            continue  # the device, or what is wanted of it, has changed since it was read
        _wake(tenant, device_id)
        return deployment
    raise Unavailable(retry_after=1)


def _wake(tenant: TenantId, device_id: str) -> None:
    """Have a connected device ask for its update now. Without a connection it asks at its next poll."""
    from chalicelib.deviceconnect import service as deviceconnect

    # The deployment stands, whatever becomes of this.
    with suppress(NotFound, Unavailable, AwsError):
        deviceconnect.check_update(tenant, device_id)


def _audit(tx: Transaction, tenant: TenantId, device_id: str, action: Action, configuration: Mapping[str, str]) -> None:
    change = msgspec.json.encode(configuration).decode()
    auditlogs.record(tx, tenant, action, Object(ObjectType.DEVICE, device_id), change=change)


def device_gone(tenant: TenantId, device_id: str) -> None:
    """Forget a decommissioned device. May be run again."""
    tables.delete(tenant, device_id)


def erase(tenant: TenantId) -> int:
    """Erase everything of a tenant that is removed; how many items there were."""
    return tables.erase(tenant)
