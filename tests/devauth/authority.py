"""A CA that signs certificates of devices."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.simulator.device import PrivateKey

NOW = datetime.now(UTC)
SIGNS, ONLY_SIGNATURES = (
    x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    for signs in (True, False)
)
"""What a key may be used for: to sign certificates, or only other things."""


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Ca:
    """A CA, itself signed by another one or by itself."""

    def __init__(self, name: str = "factory", issuer: Ca | None = None, **about: Any) -> None:
        self.name, self.key = name, about.pop("key", None) or a_key()
        usage = about.pop("usage", SIGNS)
        extensions: list[x509.ExtensionType] = [x509.BasicConstraints(about.pop("ca", True), about.pop("path", None))]
        extensions += [usage] if usage is not None else []
        signer = issuer or self
        self.certificate = signer.sign(name, self.key, extensions=extensions, **about)

    def sign(
        self,
        name: str,
        key: PrivateKey,
        *,
        since: timedelta = timedelta(days=-1),
        until: timedelta = timedelta(days=365),
        extensions: list[x509.ExtensionType] | None = None,
    ) -> x509.Certificate:
        """A certificate for a key."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject(name))
            .issuer_name(subject(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + since)
            .not_valid_after(NOW + until)
        )
        for each in extensions or ():
            builder = builder.add_extension(each, critical=True)
        return builder.sign(self.key, None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256())

    @property
    def pem(self) -> str:
        return pem(self.certificate)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def text(certificate: x509.Certificate) -> str:
    """The certificate as one line, as an identity script prints it."""
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
