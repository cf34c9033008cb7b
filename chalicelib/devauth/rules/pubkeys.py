"""Public keys of devices and the signatures made with them (``docs/behaviour.md#device-signatures``).

| key | signature over the raw body |
|---|---|
| RSA, 1024 bits or more | PKCS#1 v1.5 with SHA-256 |
| ECDSA P-224, P-256, P-384, P-521 | ASN.1 ``SEQUENCE(R, S)`` over SHA-256 |
| Ed25519 | the body itself, not hashed before |
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from chalicelib import limits
from chalicelib.errors import BadRequest, Unauthorized

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
_CURVES = (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


def parse(pem: str) -> PublicKey:
    """The key in ``pem``: its first block, which must be a ``PUBLIC KEY`` (SubjectPublicKeyInfo).

    Raises:
        BadRequest: there is none, or it is of a type that devices may not use.
    """
    # The size is limited before anything is parsed, which also limits the cost of verifying a signature.
    block = _BLOCK.search(pem) if len(pem) <= limits.PUBKEY else None
    if block is None or block.group(1) != "PUBLIC KEY":
        raise BadRequest("cannot decode public key")
    try:
        key = serialization.load_pem_public_key(block.group().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRequest("cannot decode public key") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    if isinstance(key, rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return key
    raise BadRequest("cannot decode public key")


def canonical(key: PublicKey) -> str:
    """The key as it is stored, shown and compared: PEM with lines of 64 characters and a final newline."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def verify(key: PublicKey, signature: str, body: bytes) -> None:
    """Check a signature in standard base64 over ``body``.

    Raises:
        Unauthorized: it was not made by the owner of ``key``.
    """
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, body, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(raw, body, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(raw, body)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise Unauthorized("signature verification failed") from error
