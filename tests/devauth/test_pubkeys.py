"""Public keys of devices, and the signatures that are valid for them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from httpx2 import Client

from chalicelib.devauth.rules import pubkeys
from chalicelib.errors import BadRequest, Unauthorized
from tests.simulator.device import Device

BODY = b'{"id_data":"{}"}\n'
KEYS: dict[str, Callable[[], Any]] = {
    "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505  # devices have such keys
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "p224": lambda: ec.generate_private_key(ec.SECP224R1()),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def pem(key: Any, form: serialization.PublicFormat = serialization.PublicFormat.SubjectPublicKeyInfo) -> str:
    return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())


@pytest.mark.parametrize("kind", KEYS)
def test_signatures_of_each_kind(kind):
    device = Device(Client(), key=KEYS[kind]())
    key = pubkeys.parse(device.pubkey)
    signature = device.sign(BODY)
    pubkeys.verify(key, signature, BODY)
    stranger = Device(Client(), key=KEYS[kind]())
    flipped = base64.b64encode(bytes([base64.b64decode(signature)[0] ^ 1]) + base64.b64decode(signature)[1:]).decode()
    for wrong, body in (
        (signature, BODY + b" "),
        (signature, b""),
        (stranger.sign(BODY), BODY),
        (flipped, BODY),
        ("", BODY),
        ("?" + signature, BODY),
        (signature[:-4], BODY),
    ):
        with pytest.raises(Unauthorized, match="signature verification failed"):
            pubkeys.verify(key, wrong, body)


def test_each_kind_of_key_has_its_own_signature_format():
    rsa_key, ec_key, ed_key = (KEYS[kind]() for kind in ("rsa-3072", "p256", "ed25519"))
    pss = rsa_key.sign(BODY, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    older = rsa_key.sign(BODY, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # refused
    r, s = decode_dss_signature(ec_key.sign(BODY, ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(BODY)
    hashed = ed_key.sign(digest.finalize())
    for key, signature in ((rsa_key, pss), (rsa_key, older), (ec_key, raw), (ed_key, hashed)):
        with pytest.raises(Unauthorized):
            pubkeys.verify(pubkeys.parse(pem(key)), base64.b64encode(signature).decode(), BODY)


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_in_another_notation_is_stored_the_same(kind):
    canonical = pem(KEYS[kind]())
    lines = canonical.splitlines()
    packed = "".join(lines[1:-1])
    narrow = "\n".join(packed[start : start + 32] for start in range(0, len(packed), 32))
    for text in (
        canonical,
        canonical.strip(),
        canonical.replace("\n", "\r\n"),
        "a comment\n" + canonical + "rest",
        f"{lines[0]}\n{narrow}\n{lines[-1]}\n",
    ):
        assert pubkeys.canonical(pubkeys.parse(text)) == canonical
    assert all(len(line) <= 64 for line in lines)


def test_invalid_keys_are_refused():
    rsa_key = KEYS["rsa-1024"]()
    private = rsa_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    good = pem(rsa_key)
    for text in (
        "",
        "key",
        private,
        pem(rsa_key, serialization.PublicFormat.PKCS1),
        private + good,
        good.replace("PUBLIC KEY", "CERTIFICATE"),
        good[:40] + "!!!!" + good[44:],
        good[:100] + "\n-----END PUBLIC KEY-----\n",
        good + " " * 9000,
        pem(dsa.generate_private_key(2048)),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256K1())),
    ):
        with pytest.raises(BadRequest, match="cannot decode public key"):
            pubkeys.parse(text)
