"""Encrypts the secrets of integrations with a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws import vault
from chalicelib.integrations.tables import integrations as table
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def seal_anew(tenant: TenantId) -> int:
    """Encrypt with the current key what older keys encrypted; returns the number of secrets. Can be run again.

    A secret that is changed at the same time is encrypted with the current key already, and is skipped.
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
