"""Secrets of tenants (a webhook's, an identity provider's), encrypted before they are stored.

With AES-256-GCM under keys in one SecureString of SSM Parameter Store, ``{"active": id, "keys": {id: base64}}``: a copy
of a table alone tells no secret. What a secret belongs to is part of its seal, so a value that is moved to another row
does not open. The first key is made together with the first signing key (``signing_keys``) and outlives them all; a
later one can be added while the older ones still open what they sealed.
"""

from __future__ import annotations

import base64
import os
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
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID_BYTES = 6


class _Stored(msgspec.Struct):
    active: str
    keys: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Held:
    stored: _Stored
    read_at: float


_held: list[_Held] = []
_lock = Lock()


def seal(secret: str, *belongs_to: str) -> bytes:
    """``secret`` encrypted, for whoever names what it belongs to: tenant and id of the thing."""
    stored = _load()
    nonce = os.urandom(_NONCE_BYTES)
    # In front of each value the key that opens it.
    head = bytes.fromhex(stored.active)
    return head + nonce + _cipher(stored, stored.active).encrypt(nonce, secret.encode(), _bound(belongs_to))


def unseal(sealed: bytes, *belongs_to: str) -> str:
    """What :func:`seal` was given.

    Raises:
        cryptography.exceptions.InvalidTag: it was altered, or belongs to something else.
        KeyError: its key is gone.
    """
    head, nonce = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
    cipher = _cipher(_load(), head.hex())
    return cipher.decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], _bound(belongs_to)).decode()


def _bound(belongs_to: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(belongs_to)


def _cipher(stored: _Stored, key: str) -> AESGCM:
    # Imported here: few calls need it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(base64.b64decode(stored.keys[key]))


def _name() -> str:
    return f"/lamplighter/{settings.current().stage}/vault-keys"


def _read() -> _Stored | None:
    try:
        answer = client.call("ssm", "AmazonSSM.GetParameter", {"Name": _name(), "WithDecryption": True})
    except client.AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return msgspec.json.decode(answer["Parameter"]["Value"], type=_Stored)


def _load() -> _Stored:
    with _lock:
        if _held and time.monotonic() - _held[0].read_at < settings.current().key_cache:
            return _held[0].stored
        stored = _read()
        if stored is None:
            raise Unavailable("no key for secrets; run: manage signing-key rotate")
        _held[:] = [_Held(stored, time.monotonic())]
        return stored


def ensure() -> None:
    """Make the first key if there is none."""
    if _read() is not None:
        return
    key = uuid.uuid4().hex[: 2 * _ID_BYTES]
    value = _Stored(key, {key: base64.b64encode(os.urandom(_KEY_BYTES)).decode()})
    parameter = {"Name": _name(), "Value": msgspec.json.encode(value).decode(), "Type": "SecureString"}
    # Never written over: what it sealed would be lost.
    client.call("ssm", "AmazonSSM.PutParameter", parameter | {"Overwrite": False})


def forget() -> None:
    """Drop this process's copy; the next use reads the parameter."""
    with _lock:
        _held.clear()
