"""Secrets of integrations come under a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws import vault
from chalicelib.integrations.tables import integrations as table
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def seal_anew(tenant: TenantId) -> int:
    """Seal what older keys sealed by the key that seals now; how many secrets. May be run again at any time.

    Who changes a secret at the same moment has sealed it by a key of now: it is left to them.
    """
    count = 0
    for found in table.of_tenant(tenant):
        sealed = vault.anew(found.secret, tenant, found.id) if found.secret else None
        if sealed is None:
            continue
        tx = Transaction()
        table.set_secret(tx, tenant, found, sealed)
        count += tx.try_commit()
    return count
