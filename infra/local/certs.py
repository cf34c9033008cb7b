"""A certificate authority for one machine, and the server certificate that it signs.

The authority is in the data folder and stays the same across restarts, so that devices and browsers keep trusting it.
Private keys are readable by their owner only and never leave the folder.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable

CA_LIFE = timedelta(days=3650)
"""Devices that are stored for a year should still trust it."""

SERVER_LIFE = timedelta(days=397)
"""Browsers refuse certificates with longer validity."""

RENEW_BEFORE = timedelta(days=30)
"""A certificate that expires sooner is renewed at a start."""

ALWAYS = ("localhost", "127.0.0.1", "::1")
"""Names in every server certificate."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files that a server and its clients need; all PEM."""

    ca: Path
    certificate: Path
    key: Path

    def trusted(self) -> ssl.SSLContext:
        """The files that clients of this server need."""
        return ssl.create_default_context(cafile=str(self.ca))


def ensure(folder: Path, hosts: Iterable[str] = (), *, now: datetime | None = None) -> Tls:
    """The files in ``folder``, created or renewed as needed, valid for localhost and ``hosts``.

    Renewing the server certificate keeps the authority; renewing the authority renews both.
    """
    now = now or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    files = Tls(ca=folder / "ca.pem", certificate=folder / "server.pem", key=folder / "server.key")
    ca_key_file = folder / "ca.key"
    names = sorted({*ALWAYS, *hosts})

    renewed = not (ca_key_file.exists() and _is_fresh(files.ca, now))
    if renewed:
        _make_ca(ca_key_file, files.ca, now)
    fresh = files.key.exists() and _is_fresh(files.certificate, now) and _names(files.certificate) == names
    if renewed or not fresh:
        _make_server(files, ca_key_file, names, now)
    return files


def _make_ca(key_file: Path, certificate_file: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial distinguishes the authorities of several data folders in one trust store.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Lamplighter local CA"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{x509.random_serial_number():x}"[:8]),
        ]
    )
    certificate = (
        _builder(name, name, key, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(files: Tls, ca_key_file: Path, names: list[str], now: datetime) -> None:
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), password=None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{ca_key_file} holds no EC key")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lamplighter local server")])
    certificate = (
        _builder(subject, ca.subject, key, now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write_key(files.key, key)
    # The authority is included, so that a client that pins its hash can check the whole chain.
    chain = certificate.public_bytes(serialization.Encoding.PEM) + files.ca.read_bytes()
    files.certificate.write_bytes(chain)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Devices without a clock battery may be slightly behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _is_fresh(file: Path, now: datetime) -> bool:
    if not file.exists():
        return False
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc - now > RENEW_BEFORE


def _names(file: Path) -> list[str]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    hosts = names.get_values_for_type(x509.DNSName)
    return sorted([*hosts, *map(str, names.get_values_for_type(x509.IPAddress))])


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key that is never readable by others, not even for a moment."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(pem)
