"""Secrets are sealed for what they belong to, by a key that no rotation of signing keys touches."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib.aws import signing_keys, vault


def test_a_secret_opens_where_it_belongs(server):
    sealed = vault.seal("a secret", "tenant", "thing")

    assert b"secret" not in sealed
    assert sealed != vault.seal("a secret", "tenant", "thing")
    assert vault.unseal(sealed, "tenant", "thing") == "a secret"
    for other in (("tenant",), ("tenant", "other"), ("tenantt", "hing"), ()):
        with pytest.raises(InvalidTag):
            vault.unseal(sealed, *other)
    for position in range(6, len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(InvalidTag):
            vault.unseal(bytes(altered), "tenant", "thing")


def test_signing_keys_come_and_go_and_secrets_stay(server):
    sealed = vault.seal("a secret", "thing")
    signing_keys.rotate()
    signing_keys.rotate()
    vault.ensure()
    vault.forget()

    assert vault.unseal(sealed, "thing") == "a secret"
