"""What has to be erased of a removed tenant: the one list, to which each feature that stores adds its ``erase``.

A feature's ``erase(tenant)`` finds what the feature keeps by its own indexes, so that it costs what the tenant has and
not what the server has. It may be cut off anywhere and run again: what leads to the rest goes last. It returns how many
items it erased.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

Step = Callable[["TenantId"], int]


def steps() -> tuple[Step, ...]:
    """Every step, in an order in which none takes away what a later one finds its things by."""
    from chalicelib.artifacts import service as artifacts
    from chalicelib.auditlogs import service as auditlogs
    from chalicelib.aws import s3
    from chalicelib.deployments.service import managing as deployments
    from chalicelib.devauth import service as devauth
    from chalicelib.deviceconfig import service as deviceconfig
    from chalicelib.deviceconnect.service import leaving as deviceconnect
    from chalicelib.devicemonitor import service as devicemonitor
    from chalicelib.fleet import control, membership
    from chalicelib.integrations.service import leaving as integrations
    from chalicelib.inventory import service as inventory
    from chalicelib.roles import service as roles
    from chalicelib.useradm import service as useradm

    return (
        deviceconfig.erase,
        deviceconnect.erase,
        devicemonitor.erase,
        integrations.erase,
        deployments.erase,
        artifacts.erase,
        inventory.erase,
        devauth.erase,
        membership.erase,
        useradm.erase,
        roles.erase,
        auditlogs.erase,
        lambda tenant: s3.erase(s3.key(tenant, "")),
        control.erase,
    )
