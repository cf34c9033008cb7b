"""The keys that sign tokens: one SecureString in SSM Parameter Store, several keys valid at once.

The parameter holds ``{"active": kid, "keys": {kid: PEM}}``. Rotation adds a key and makes it active; tokens of
older keys stay valid until they expire or the key is withdrawn. A process trusts its copy for
``settings.key_cache`` seconds; an unknown ``kid`` makes it look again, at most once in ``_LOOK_AGAIN``.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from chalicelib import settings
from chalicelib.aws import client
from chalicelib.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey  # noqa: TC004  # nobody evaluates them

_BITS = 2048
"""Verification dominates: a 2048-bit key verifies in a third of the time of P-256, and outlives a week's token."""
_LOOK_AGAIN = 5.0


class _Stored(msgspec.Struct):
    active: str
    keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key and the name under which verifiers find it."""

    kid: str
    private: RSAPrivateKey


@dataclass(slots=True)
class _Ring:
    active: str
    keys: dict[str, RSAPrivateKey]
    read_at: float


_ring: list[_Ring] = []
_lock = Lock()


def _name() -> str:
    return f"/lamplighter/{settings.current().stage}/signing-keys"


def _read() -> _Stored | None:
    try:
        answer = client.call("ssm", "AmazonSSM.GetParameter", {"Name": _name(), "WithDecryption": True})
    except client.AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return msgspec.json.decode(answer["Parameter"]["Value"], type=_Stored)


def _write(stored: _Stored, *, overwrite: bool) -> None:
    client.call(
        "ssm",
        "AmazonSSM.PutParameter",
        {
            "Name": _name(),
            "Value": msgspec.json.encode(stored).decode(),
            "Type": "SecureString",
            "Tier": "Advanced" if len(stored.keys) > 1 else "Standard",
            "Overwrite": overwrite,
        },
    )


def _load(*, max_age: float) -> _Ring:
    with _lock:
        if _ring and time.monotonic() - _ring[0].read_at < max_age:
            return _ring[0]
        stored = _read()
        if stored is None:
            raise Unavailable("no signing key; run: manage signing-key rotate")
        keys = {kid: _parse(pem) for kid, pem in stored.keys.items()}
        _ring[:] = [_Ring(stored.active, keys, time.monotonic())]
        return _ring[0]


def _parse(pem: str) -> RSAPrivateKey:
    # Imported here: workers and ticks see no token.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("the signing key is no RSA key")
    return key


def active() -> SigningKey:
    """The key that signs now."""
    ring = _load(max_age=settings.current().key_cache)
    return SigningKey(ring.active, ring.keys[ring.active])


def public(kid: str) -> RSAPublicKey | None:
    """The key of that name, for verifying; None if there is none (any more)."""
    key = _load(max_age=settings.current().key_cache).keys.get(kid)
    if key is None:
        key = _load(max_age=_LOOK_AGAIN).keys.get(kid)
    return key.public_key() if key else None


def ensure_signing_key() -> str:
    """Make the first key, that of the vault and the secret of links, if there is none.

    Returns the active key's name.
    """
    _ensure_other_secrets()
    stored = _read()
    return stored.active if stored else rotate()


def _ensure_other_secrets() -> None:
    # Imported here: only setting a server up makes secrets.
    from chalicelib.aws import link_secret, vault

    vault.ensure()
    link_secret.ensure()


def rotate(*, withdraw_old: bool = False) -> str:
    """Make a new key and sign with it from now on. ``withdraw_old`` kills all tokens of older keys, and all links.

    Returns the new key's name.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    _ensure_other_secrets()
    stored = _read()
    kid = uuid.uuid4().hex[:12]
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    old = {} if stored is None or withdraw_old else {stored.active: stored.keys[stored.active]}
    _write(_Stored(kid, {**old, kid: pem}), overwrite=stored is not None)
    if withdraw_old:
        from chalicelib.aws import link_secret

        link_secret.replace()
    forget()
    return kid


def forget() -> None:
    """Drop this process's copy; the next use reads the parameter."""
    with _lock:
        _ring.clear()
