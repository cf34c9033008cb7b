"""Version 2: what was stored before there were roles, and before changes of tenants were counted, says so itself.

Until then, users without roles have every right, and tenants without a version were never changed: the code guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.migrations.items import Tables

_ROLES = {"B": b'["RBAC_ROLE_PERMIT_ALL"]'}
_VERSION = {"N": "1"}


def run(tables: Tables, tenant: str) -> int:
    """Complete the items of one tenant; how many lacked something."""
    changed = 0
    for user in tables.query("useradm", f"T#{tenant}#USERS"):
        if "roles" not in user:
            changed += tables.complete("useradm", user, "roles", _ROLES)
    about = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": "TENANT"}}
    return changed + tables.complete("tenantadm", about, "version", _VERSION)
