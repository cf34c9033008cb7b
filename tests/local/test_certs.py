"""The local CA stays the same, the server certificate is renewed in time, and keys are private."""

from __future__ import annotations

import ipaddress
import ssl
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509

from infra.local import certs

if TYPE_CHECKING:
    from pathlib import Path


def names(tls: certs.Tls) -> x509.SubjectAlternativeName:
    certificate = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    certs.ensure(tmp_path)
    before = contents(tmp_path)

    certs.ensure(tmp_path)

    assert contents(tmp_path) == before


def test_the_certificate_has_default_and_additional_names(tmp_path: Path) -> None:
    tls = certs.ensure(tmp_path, ["ota.example.org", "192.0.2.7"])

    assert set(names(tls).get_values_for_type(x509.DNSName)) == {"localhost", "ota.example.org"}
    assert set(names(tls).get_values_for_type(x509.IPAddress)) == {
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
        ipaddress.ip_address("192.0.2.7"),
    }


def test_a_new_name_renews_the_server_certificate_but_not_the_ca(tmp_path: Path) -> None:
    certs.ensure(tmp_path)
    before = contents(tmp_path)

    tls = certs.ensure(tmp_path, ["ota.example.org"])

    after = contents(tmp_path)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]
    assert "ota.example.org" in names(tls).get_values_for_type(x509.DNSName)


def test_the_server_certificate_is_renewed_before_it_expires(tmp_path: Path) -> None:
    certs.ensure(tmp_path)
    before = contents(tmp_path)

    certs.ensure(tmp_path, now=datetime.now(UTC) + certs.SERVER_LIFE - timedelta(days=31))
    assert contents(tmp_path) == before
    certs.ensure(tmp_path, now=datetime.now(UTC) + certs.SERVER_LIFE - timedelta(days=29))

    after = contents(tmp_path)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]


def test_a_renewed_ca_signs_a_new_server_certificate(tmp_path: Path) -> None:
    certs.ensure(tmp_path)
    before = contents(tmp_path)

    certs.ensure(tmp_path, now=datetime.now(UTC) + certs.CA_LIFE - timedelta(days=29))

    after = contents(tmp_path)
    assert after["ca.pem"] != before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    tls = certs.ensure(tmp_path)

    for key in (tls.key, tmp_path / "ca.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_client_that_is_strict_about_rfc_5280_trusts_it(tmp_path: Path) -> None:
    tls = certs.ensure(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tls.certificate, tls.key)
    client = ssl.create_default_context(cafile=str(tls.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT

    _handshake(server, client)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Both sides of a TLS handshake, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(sides)
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
