"""A tenant leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.deviceconnect import tables

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def erase(tenant: TenantId) -> int:
    """Erase everything of a tenant that is removed, but what is in the bucket; how many items there were.

    Its devices must still be there: states are found by them.
    """
    from chalicelib.devauth import service as devauth

    return tables.erase(tenant, devauth.ids(tenant))
