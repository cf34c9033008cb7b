"""Signs artifacts as ``mender-artifact`` does, for tests without that program."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Signer:
    """A pair of keys. Called with a manifest, it returns the content of ``manifest.sig``."""

    key: PrivateKey

    @property
    def public(self) -> str:
        """The public key in PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    @property
    def private(self) -> str:
        """The private key in PEM, in the form that ``mender-artifact`` reads."""
        plain = serialization.NoEncryption()
        form = serialization.PrivateFormat.TraditionalOpenSSL
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, plain).decode()

    def __call__(self, manifest: bytes) -> bytes:
        return base64.b64encode(self.raw(manifest))

    def raw(self, manifest: bytes) -> bytes:
        """The signature before it is encoded."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(manifest, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(manifest)
        r, s = decode_dss_signature(self.key.sign(manifest, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


RSA = Signer(rsa.generate_private_key(65537, 2048))
EC = Signer(ec.generate_private_key(ec.SECP256R1()))
ED25519 = Signer(ed25519.Ed25519PrivateKey.generate())
SIGNERS = {"RSA-2048": RSA, "ECDSA-P256": EC, "Ed25519": ED25519}
"""One signer for each algorithm, by its name in the API."""
