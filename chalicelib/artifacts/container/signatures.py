"""Signatures of artifacts, and the public keys that verify them.

``manifest.sig`` contains, in standard base64, a signature of the file ``manifest``, which has the checksums of all
other files:

| key | signature |
|---|---|
| RSA | PKCS#1 v1.5 with SHA-256 |
| ECDSA P-256 | the numbers r and s, 32 bytes each, over SHA-256 |
| Ed25519 | of the manifest itself, not hashed before |

Source: what ``mender-artifact`` 3.9 writes for RSA and ECDSA. It does not sign with Ed25519, for which the form here is
that of RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chalicelib.errors import BadRequest
from chalicelib.limits import TRUSTED_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.artifacts.container.model import Signature

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_BITS = range(2048, 8193)
"""Accepted sizes of RSA keys: smaller ones are too weak (NIST SP 800-131A), larger ones take long to verify with."""
_NUMBER = 32
"""The bytes of each of the two numbers of a signature with P-256."""
_SMALL = frozenset(
    bytes.fromhex(y)
    for y in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""The Ed25519 keys, without the bit for the sign, that are points of a small order: eight times the point is zero.
Anybody can make signatures for them. OpenSSL accepts them; RFC 8032 (5.1.7) leaves that open."""
_BLOCK = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]+)-----\s[^-]*-----END \1-----\s*")
_HOW_TO = "give the public key, which `openssl pkey -in KEY -pubout` prints"


def read_key(pem: str) -> PublicKey:
    """The public key in ``pem``: one block ``PUBLIC KEY`` (SubjectPublicKeyInfo, RFC 7468).

    Raises:
        BadRequest: it is something else, or a key with which artifacts can't be signed. The text never quotes it.
    """
    if "PRIVATE KEY" in pem:
        raise BadRequest(f"pem: this is a private key, which was not stored and belongs to whoever signs; {_HOW_TO}")
    # The size is limited before anything is parsed.
    block = _BLOCK.fullmatch(pem) if len(pem) <= TRUSTED_KEY else None
    if block is None or block.group(1) != "PUBLIC KEY":
        raise BadRequest(f"pem: this is not a public key in PEM; {_HOW_TO}")
    try:
        key = serialization.load_pem_public_key(block.group().strip().encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRequest(f"pem: this public key cannot be read; {_HOW_TO}") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size not in RSA_BITS:
        raise BadRequest(f"pem: an RSA key must have {RSA_BITS[0]} to {RSA_BITS[-1]} bits; this one has {key.key_size}")
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        raise BadRequest(f"pem: an EC key must be on the curve P-256; this one is on {key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return key
    raise BadRequest("pem: artifacts cannot be signed with a key of this type; use RSA, ECDSA P-256 or Ed25519")


def is_forgeable(key: PublicKey) -> bool:
    """Whether anybody can make signatures for the key, such as for one of zeros only."""
    if not isinstance(key, ed25519.Ed25519PublicKey):
        return False
    *others, last = key.public_bytes_raw()
    return bytes([*others, last & 0x7F]) in _SMALL


def algorithm(key: PublicKey) -> str:
    """The name of a key's algorithm, such as ``RSA-3072``."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    return "ECDSA-P256" if isinstance(key, ec.EllipticCurvePublicKey) else "Ed25519"


def canonical(key: PublicKey) -> str:
    """The key in PEM with lines of 64 characters and a final newline."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(key: PublicKey) -> str:
    """SHA-256 of the key's DER form, in hexadecimal digits."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def decoded(encoded: bytes) -> bytes | None:
    """The bytes of a signature in base64, which may have line breaks; None if it is not base64."""
    try:
        return base64.b64decode(encoded.translate(None, b"\r\n"), validate=True)
    except binascii.Error:
        return None


def is_signed_by(key: PublicKey, signature: bytes, manifest: bytes) -> bool:
    """Whether ``signature``, decoded, was made of this manifest with the private key of ``key``."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, manifest, padding.PKCS1v15(), hashes.SHA256())
        elif is_forgeable(key):
            return False
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, manifest)
        elif len(signature) != 2 * _NUMBER:
            return False
        else:
            r, s = int.from_bytes(signature[:_NUMBER], "big"), int.from_bytes(signature[_NUMBER:], "big")
            key.verify(encode_dss_signature(r, s), manifest, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


class Untrusted(Exception):  # not always an error: a tenant may accept such artifacts
    """No known key has signed the artifact; ``reason`` says what is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def signer(signature: Signature | None, keys: Sequence[PublicKey]) -> int:
    """The index of the key that signed an artifact.

    Raises:
        Untrusted: it is none of these, or the signature does not cover the whole artifact.
    """
    if signature is None:
        raise Untrusted("it has no signature")
    if not signature.covers_all:
        raise Untrusted("its signature does not cover the files of its manifest-augment")
    raw = decoded(signature.encoded)
    if raw is None:
        raise Untrusted("its signature is not in base64")
    for index, key in enumerate(keys):
        if is_signed_by(key, raw, signature.manifest):
            return index
    raise Untrusted("none of the trusted keys has made its signature")
