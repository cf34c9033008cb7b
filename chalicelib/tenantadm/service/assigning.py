"""Users of a service provider, and of its child tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.errors import NotFound
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm.service.changes import get_tenant
from chalicelib.tenantadm.service.children import child

if TYPE_CHECKING:
    from collections.abc import Collection

    from chalicelib.rights import Rights


def assign(provider: TenantId, who: str, tenants: Collection[str], role: str, *, by: Rights, own: str) -> None:
    """Assign a user of a service provider to these of its tenants, with a role; without any, end all assignments.

    Arguments and errors are those of ``useradm.assign``.

    Raises:
        NotFound: there is no such user, or a tenant does not belong to the provider.
    """
    # Imported here: device authentication looks up tenant tokens in this package, and needs no users.
    from chalicelib.useradm import service as useradm

    wanted = [child(provider, TenantId(each)).id for each in dict.fromkeys(tenants)]
    useradm.assign(provider, who, wanted, role, by=by, own=own)


def is_user_known(tenant: TenantId, email: str) -> bool:
    """Whether an address belongs to a user of this tenant or its child tenants; others are not revealed.

    Raises:
        BadRequest: it is not an address.
    """
    # Imported here: device authentication needs no users.
    from chalicelib.useradm import service as useradm

    user = useradm.find_user(email)
    if user is None or user.tenant == tenant:
        return user is not None
    try:
        child(tenant, user.tenant)
    except NotFound:
        return False
    return True


def withdraw_users(tenant: TenantId) -> int:
    """End the assignments of the service provider's users to a removed tenant; returns their number."""
    # Imported here for the same reason.
    from chalicelib.useradm import service as useradm

    provider = get_tenant(tenant).parent
    return useradm.withdraw(provider, tenant) if provider is not None else 0
