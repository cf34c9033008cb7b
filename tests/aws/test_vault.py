"""Secrets are encrypted for one purpose and owner, with a key that does not change with signing keys."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib import cache
from chalicelib.aws import signing_keys, vault


def test_a_secret_can_be_decrypted_for_its_owner_only(server):
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


def test_rotating_signing_keys_does_not_affect_secrets(server):
    sealed = vault.seal("a secret", "thing")
    signing_keys.rotate()
    signing_keys.rotate()
    vault.ensure()
    cache.forget_all()

    assert vault.unseal(sealed, "thing") == "a secret"
