"""The one list of blueprints: every URI of the server is in one of these modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.artifacts import management_v1 as artifacts_management_v1
from chalicelib.artifacts import management_v2 as artifacts_management_v2
from chalicelib.deployments import devices_v1 as deployments_devices_v1
from chalicelib.deployments import devices_v2 as deployments_devices_v2
from chalicelib.deployments import management_v1 as deployments_management_v1
from chalicelib.devauth import devices_v1 as devauth_devices_v1
from chalicelib.devauth import management_v2 as devauth_management_v2
from chalicelib.inventory import devices_v1 as inventory_devices_v1
from chalicelib.inventory import management_v1 as inventory_management_v1
from chalicelib.inventory import management_v2 as inventory_management_v2
from chalicelib.tenantadm import management_v1 as tenantadm_management_v1
from chalicelib.tenantadm import management_v2 as tenantadm_management_v2
from chalicelib.useradm import management_v1 as useradm_management_v1
from chalicelib.useradm import management_v2 as useradm_management_v2

if TYPE_CHECKING:
    from chalice.app import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = (
    artifacts_management_v1.bp,
    artifacts_management_v2.bp,
    deployments_devices_v1.bp,
    deployments_devices_v2.bp,
    deployments_management_v1.bp,
    devauth_devices_v1.bp,
    devauth_management_v2.bp,
    inventory_devices_v1.bp,
    inventory_management_v1.bp,
    inventory_management_v2.bp,
    tenantadm_management_v1.bp,
    tenantadm_management_v2.bp,
    useradm_management_v1.bp,
    useradm_management_v2.bp,
)
