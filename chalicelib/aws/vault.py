"""Secrets of tenants (a webhook's, an identity provider's), encrypted before they are stored.

They are encrypted with AES-256-GCM under keys in the parameter store, ``{"active": id, "keys": {id: base64}}``, so a
copy of a table reveals no secret. The owner of a secret is authenticated data, so a value that is moved to another row
cannot be decrypted. The first key is created with the first signing key (``signing_keys``). :func:`rotate` adds a key
while older ones still decrypt their values; :func:`retire` deletes the older ones once nothing is encrypted with them.
"""

from __future__ import annotations

import base64
import math
import os
import uuid
from typing import TYPE_CHECKING

import msgspec

from chalicelib import settings
from chalicelib.aws.parameters import Parameter
from chalicelib.errors import Conflict

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID_BYTES = 6
_CALL = 60.0
"""Longer than a call takes from encrypting a secret to storing it."""


class _Stored(msgspec.Struct):
    active: str
    keys: dict[str, str]


def _stored(text: str) -> _Stored:
    return msgspec.json.decode(text, type=_Stored)


_parameter = Parameter("vault-keys", _stored)


def seal(secret: str, *belongs_to: str) -> bytes:
    """``secret`` encrypted, for whoever names what it belongs to: tenant and id of the thing.

    Raises:
        Unavailable: the server was not set up, or the parameter store does not answer. A key that may have been
            replaced seals nothing, since it is deleted once nothing is sealed by it.
    """
    stored = _parameter.get(stale=False)
    nonce = os.urandom(_NONCE_BYTES)
    # Each value begins with the id of its key.
    head = bytes.fromhex(stored.active)
    return head + nonce + _cipher(stored, stored.active).encrypt(nonce, secret.encode(), _bound(belongs_to))


def unseal(sealed: bytes, *belongs_to: str) -> str:
    """What :func:`seal` was given.

    Raises:
        cryptography.exceptions.InvalidTag: it was altered, or belongs to another owner.
        KeyError: its key was deleted.
        Unavailable: the server was not set up.
    """
    head, nonce = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
    stored = _parameter.get()
    if head.hex() not in stored.keys:
        stored = _parameter.get(again=True)
    return _cipher(stored, head.hex()).decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], _bound(belongs_to)).decode()


def anew(sealed: bytes, *belongs_to: str) -> bytes | None:
    """The same secret, encrypted with the active key; None if it already is.

    Raises: as :func:`unseal`.
    """
    if sealed[:_ID_BYTES].hex() == _parameter.get().active:
        return None
    return seal(unseal(sealed, *belongs_to), *belongs_to)


def _bound(belongs_to: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(belongs_to)


def _cipher(stored: _Stored, key: str) -> AESGCM:
    # Imported here because few calls need it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(base64.b64decode(stored.keys[key]))


def _write(stored: _Stored, *, overwrite: bool) -> None:
    _parameter.write(msgspec.json.encode(stored).decode(), overwrite=overwrite)


def ensure() -> None:
    """Create the first key if there is none."""
    if _parameter.read() is None:
        # Never overwritten, because its secrets would be lost.
        _write(_with_new_key({}), overwrite=False)


def _with_new_key(keys: dict[str, str]) -> _Stored:
    name = uuid.uuid4().hex[: 2 * _ID_BYTES]
    return _Stored(name, {**keys, name: base64.b64encode(os.urandom(_KEY_BYTES)).decode()})


def rotate() -> str:
    """Add a key, make it active, and return its id. Running processes notice within ``settings.key_cache``.

    Raises:
        Conflict: the previous key has not been retired.
    """
    stored = _parameter.read()
    if stored is not None and len(stored.keys) > 1:
        raise Conflict("an older key has not been retired yet; run: manage vault-key retire")
    new = _with_new_key(stored.keys if stored else {})
    _write(new, overwrite=stored is not None)
    return new.active


def check_settled() -> None:
    """Check that every process encrypts with the newest key by now.

    Raises:
        Conflict: some may not do so yet.
    """
    if (wait := settings.current().key_cache + _CALL - _parameter.age()) > 0:
        raise Conflict(f"running processes may still use the previous key; try again in {math.ceil(wait)} s")


def retire() -> list[str]:
    """Delete all keys but the newest, and return their ids. Nothing may be encrypted with them any more."""
    stored = _parameter.read()
    if stored is None or len(stored.keys) == 1:
        return []
    _write(_Stored(stored.active, {stored.active: stored.keys[stored.active]}), overwrite=True)
    return sorted(stored.keys.keys() - {stored.active})
