"""Creates what a new server needs before it can be used: a signing key, a tenant, an admin."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from infra.local import private

if TYPE_CHECKING:
    from pathlib import Path

TENANT = "Lamplighter"
"""The name of the first tenant."""

USER = "admin@lamplighter.local"
"""The first admin."""


@dataclass(frozen=True, slots=True)
class FirstTenant:
    """The first tenant and its admin."""

    tenant_id: str
    tenant_token: str
    user: str
    password: str


def ensure_first_tenant(file: Path) -> tuple[FirstTenant, bool]:
    """The first tenant and its admin (stored in ``file`` for its owner), and whether this call created the admin.

    Without the file an existing tenant gets another admin, so deleting it replaces a lost password. With the file but
    without its tenant (the data were deleted) the admin is created again with the same password.
    """
    # Imported here: the app reads its settings at import, and by now they are set.
    from chalicelib.aws import signing_keys
    from chalicelib.rights import EVERYTHING
    from chalicelib.tenantadm import service as tenantadm
    from chalicelib.useradm import service as useradm

    signing_keys.ensure_signing_key()
    known = FirstTenant(**json.loads(file.read_text())) if file.exists() else None
    tenant = next(iter(tenantadm.all_tenants()), None)
    if known and tenant and known.tenant_id == tenant.id:
        return known, False
    user = f"admin-{secrets.token_hex(3)}@lamplighter.local" if tenant else USER
    password = known.password if known else secrets.token_urlsafe(12)
    tenant = tenant or tenantadm.create_tenant(name=TENANT)
    useradm.create_user(tenant.id, user, password, by=EVERYTHING)
    first = FirstTenant(tenant.id, tenant.tenant_token, user, password)
    private.write(file, asdict(first))
    return first, True
