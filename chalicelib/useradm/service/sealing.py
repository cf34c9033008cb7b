"""Encrypts the secrets of second factors and identity providers with a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.aws import vault
from chalicelib.storage.transactions import Transaction
from chalicelib.useradm.tables import providers, users

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def seal_anew(tenant: TenantId) -> int:
    """Encrypt with the current key what older keys encrypted; returns the number of secrets. Can be run again.

    A secret that is changed at the same time is encrypted with the current key already, and is skipped.
    """
    count = 0
    for user in users.of_tenant(tenant):
        sealed = vault.anew(user.tfa.secret, tenant, user.id) if user.tfa.secret else None
        if sealed is not None:
            tx = Transaction()
            users.set_sealed(tx, user, sealed)
            count += tx.try_commit()
    for provider in providers.of_tenant(tenant):
        sealed = vault.anew(provider.secret, tenant, provider.id)
        if sealed is not None:
            tx = Transaction()
            providers.set_sealed(tx, provider, sealed)
            count += tx.try_commit()
    return count
