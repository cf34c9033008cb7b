"""The steps that erase a removed tenant: every feature that stores data adds its ``erase`` here.

A feature's ``erase(tenant)`` finds its data by its own indexes, so its cost depends on the tenant, not on the server.
It can be interrupted anywhere and run again, because items that lead to others are deleted last. It returns the number
of items.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.artifacts import service as artifacts
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import s3
from chalicelib.deployments.service import managing as deployments
from chalicelib.devauth import service as devauth
from chalicelib.deviceconfig import service as deviceconfig
from chalicelib.deviceconnect.service import erasure as deviceconnect
from chalicelib.devicemonitor import service as devicemonitor
from chalicelib.fleet import control_items, membership
from chalicelib.integrations.service import erasure as integrations
from chalicelib.inventory import service as inventory
from chalicelib.roles import service as roles
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

Step = Callable[["TenantId"], int]


def steps() -> tuple[Step, ...]:
    """All steps, in an order in which none deletes what a later one needs to find its data."""
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
        tenantadm.withdraw_users,
        useradm.erase,
        roles.erase,
        auditlogs.erase,
        lambda tenant: s3.erase(s3.key(tenant, "")),
        control_items.erase,
    )
