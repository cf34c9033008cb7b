"""The keys that sign tokens: several valid at once.

The parameter contains ``{"active": kid, "keys": {kid: PEM}}``. Rotation adds a key and makes it active; tokens of older
keys stay valid until they expire or the key is withdrawn. An unknown ``kid`` makes a process read the parameter again.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from chalicelib.aws.parameters import Parameter

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey  # noqa: TC004  # nobody evaluates them

_BITS = 2048
"""Verification dominates: a 2048-bit key verifies in a third of the time of P-256, and outlives a week's token."""


class _Stored(msgspec.Struct):
    active: str
    keys: dict[str, str]


class SigningKey(msgspec.Struct, frozen=True):
    """A key and its ``kid``."""

    kid: str
    private: RSAPrivateKey


class VerifyingKey:
    """The public part of a key, which checks the signatures of RS256 (RFC 7518, 3.3)."""

    def __init__(self, key: RSAPublicKey) -> None:
        # Imported here because workers and the schedule verify no tokens.
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        self._verify = key.verify
        self._how = PKCS1v15(), SHA256()
        self._invalid = InvalidSignature

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is one of this key for ``text``."""
        try:
            self._verify(signature, text, *self._how)
        except self._invalid:
            return False
        return True


class _Ring(msgspec.Struct, frozen=True):
    """The keys in their stored form and parsed. The public ones are kept, because getting one takes a while."""

    stored: _Stored
    keys: dict[str, RSAPrivateKey]
    public: dict[str, VerifyingKey]


def _ring(text: str) -> _Ring:
    stored = msgspec.json.decode(text, type=_Stored)
    keys = {kid: _parse(pem) for kid, pem in stored.keys.items()}
    return _Ring(stored, keys, {kid: VerifyingKey(key.public_key()) for kid, key in keys.items()})


def _parse(pem: str) -> RSAPrivateKey:
    # Imported here because workers and the schedule verify no tokens.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    # Checking a key takes 28 ms, and whoever could write a bad one into the parameter could sign anything anyway.
    key = serialization.load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the signing key is no RSA key")
    return key


PARAMETER = Parameter("signing-keys", _ring)
"""The parameter with the keys."""


def active() -> SigningKey:
    """The key that signs now.

    Raises:
        Unavailable: the server was not set up.
    """
    ring = PARAMETER.get()
    return SigningKey(ring.stored.active, ring.keys[ring.stored.active])


def public(kid: str) -> VerifyingKey | None:
    """The key with this ``kid``, to check signatures; None if there is none (any more).

    Raises:
        Unavailable: the server was not set up.
    """
    return PARAMETER.get().public.get(kid) or PARAMETER.get(again=True).public.get(kid)


def ensure_signing_key() -> str:
    """Create the first signing key, the vault's first key and the secret of links, if they do not exist.

    Returns the active key's name.
    """
    _ensure_other_secrets()
    ring = PARAMETER.read()
    return ring.stored.active if ring else rotate()


def _ensure_other_secrets() -> None:
    # Imported here because only the setup of a server creates secrets.
    from chalicelib.aws import link_secret, vault

    vault.ensure()
    link_secret.ensure()


def rotate(*, withdraw_old: bool = False) -> str:
    """Create a new key and sign with it from now on. ``withdraw_old`` ends all tokens of older keys, and all links.

    Returns the new key's name.
    """
    # Imported here: only the admin's command rotates keys.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    _ensure_other_secrets()
    ring = PARAMETER.read()
    kid = uuid.uuid4().hex[:12]
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    old = {} if ring is None or withdraw_old else {ring.stored.active: ring.stored.keys[ring.stored.active]}
    stored = _Stored(kid, {**old, kid: pem})
    PARAMETER.write(msgspec.json.encode(stored).decode(), overwrite=ring is not None)
    if withdraw_old:
        from chalicelib.aws import link_secret

        link_secret.replace()
    return kid
