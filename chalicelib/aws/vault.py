"""Secrets of tenants (a webhook's, an identity provider's), encrypted before they are stored.

With AES-256-GCM under keys in the parameter store, ``{"active": id, "keys": {id: base64}}``: a copy of a table alone
tells no secret. What a secret belongs to is part of its seal, so a value that is moved to another row
does not open. The first key is made together with the first signing key (``signing_keys``) and outlives them all; a
later one can be added (:func:`rotate`) while the older ones still open what they sealed, and go (:func:`retire`) once
nothing is sealed by them any more.
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
"""Longer than a call that has sealed takes to store it."""


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
    # In front of each value the key that opens it.
    head = bytes.fromhex(stored.active)
    return head + nonce + _cipher(stored, stored.active).encrypt(nonce, secret.encode(), _bound(belongs_to))


def unseal(sealed: bytes, *belongs_to: str) -> str:
    """What :func:`seal` was given.

    Raises:
        cryptography.exceptions.InvalidTag: it was altered, or belongs to something else.
        KeyError: its key is gone.
        Unavailable: the server was not set up.
    """
    head, nonce = sealed[:_ID_BYTES], sealed[_ID_BYTES : _ID_BYTES + _NONCE_BYTES]
    stored = _parameter.get()
    if head.hex() not in stored.keys:
        stored = _parameter.get(again=True)
    return _cipher(stored, head.hex()).decrypt(nonce, sealed[_ID_BYTES + _NONCE_BYTES :], _bound(belongs_to)).decode()


def anew(sealed: bytes, *belongs_to: str) -> bytes | None:
    """The same secret, sealed by the key that seals now; None if it already is.

    Raises: as :func:`unseal`.
    """
    if sealed[:_ID_BYTES].hex() == _parameter.get().active:
        return None
    return seal(unseal(sealed, *belongs_to), *belongs_to)


def _bound(belongs_to: tuple[str, ...]) -> bytes:
    return msgspec.json.encode(belongs_to)


def _cipher(stored: _Stored, key: str) -> AESGCM:
    # Imported here: few calls need it.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(base64.b64decode(stored.keys[key]))


def _write(stored: _Stored, *, overwrite: bool) -> None:
    _parameter.write(msgspec.json.encode(stored).decode(), overwrite=overwrite)


def ensure() -> None:
    """Make the first key if there is none."""
    if _parameter.read() is None:
        # Never written over: what it sealed would be lost.
        _write(_with_new_key({}), overwrite=False)


def _with_new_key(keys: dict[str, str]) -> _Stored:
    name = uuid.uuid4().hex[: 2 * _ID_BYTES]
    return _Stored(name, {**keys, name: base64.b64encode(os.urandom(_KEY_BYTES)).decode()})


def rotate() -> str:
    """Add a key that seals from now on, and return its name. Running processes notice within ``settings.key_cache``.

    Raises:
        Conflict: the key before has not been retired.
    """
    stored = _parameter.read()
    if stored is not None and len(stored.keys) > 1:
        raise Conflict("an older key has not been retired yet; run: manage vault-key retire")
    new = _with_new_key(stored.keys if stored else {})
    _write(new, overwrite=stored is not None)
    return new.active


def check_settled() -> None:
    """See that every process seals with the newest key by now.

    Raises:
        Conflict: some may not.
    """
    if (wait := settings.current().key_cache + _CALL - _parameter.age()) > 0:
        raise Conflict(f"running processes may still use the previous key; try again in {math.ceil(wait)} s")


def retire() -> list[str]:
    """Delete all keys but the newest, and return their names. Nothing may be sealed by them any more."""
    stored = _parameter.read()
    if stored is None or len(stored.keys) == 1:
        return []
    _write(_Stored(stored.active, {stored.active: stored.keys[stored.active]}), overwrite=True)
    return sorted(stored.keys.keys() - {stored.active})


def forget() -> None:
    """Drop this process's copy; the next use reads the parameter."""
    _parameter.forget()
