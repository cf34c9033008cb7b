"""Signatures of manifests, and which public keys are accepted."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.artifacts.container import Signature, signatures
from chalicelib.artifacts.container.signatures import Untrusted
from chalicelib.errors import BadRequest
from tests.artifacts.signers import EC, ED25519, RSA, SIGNERS, Signer

KEYS = {name: signatures.read_key(signer.public) for name, signer in SIGNERS.items()}
MANIFEST = b"0" * 64 + b"  version\n"


def spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed448.Ed448PublicKey | x25519.X25519PublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def reason(encoded: bytes, *, manifest: bytes = MANIFEST, covers_all: bool = True) -> str:
    with pytest.raises(Untrusted) as caught:
        signatures.signer(Signature(manifest, encoded, covers_all), list(KEYS.values()))
    return caught.value.reason


@pytest.mark.parametrize("name", SIGNERS)
def test_the_key_that_signed_is_found_among_others(name):
    signed = Signature(MANIFEST, SIGNERS[name](MANIFEST), covers_all=True)
    assert signatures.signer(signed, list(KEYS.values())) == list(KEYS).index(name)
    assert signatures.algorithm(KEYS[name]) == name


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signature_may_have_line_breaks(name):
    encoded = SIGNERS[name](MANIFEST)
    wrapped = b"\r\n".join(encoded[at : at + 64] for at in range(0, len(encoded), 64)) + b"\n"
    assert signatures.signer(Signature(MANIFEST, wrapped, covers_all=True), list(KEYS.values())) >= 0


@pytest.mark.parametrize("name", SIGNERS)
@given(st.data())
def test_a_signature_that_was_changed_anywhere_does_not_count(name, data):
    raw = bytearray(SIGNERS[name].raw(MANIFEST))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    assert not signatures.is_signed_by(KEYS[name], bytes(raw), MANIFEST)


@given(st.sampled_from(sorted(SIGNERS)), st.binary(max_size=600))
def test_no_bytes_are_a_signature_or_an_error(name, raw):
    assert not signatures.is_signed_by(KEYS[name], raw, MANIFEST)


@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("cut", [0, 1, 10, -1])
def test_a_cut_signature_does_not_count(name, cut):
    assert "none of the trusted keys" in reason(base64.b64encode(SIGNERS[name].raw(MANIFEST)[:cut]))


@pytest.mark.parametrize("name", SIGNERS)
def test_the_signature_of_another_manifest_does_not_count(name):
    assert "none of the trusted keys" in reason(SIGNERS[name](MANIFEST), manifest=MANIFEST + b"\n")


@pytest.mark.parametrize("encoded", [b"no base64!", b"====", b"A", "é".encode(), b"QUJD\x00"])
def test_a_signature_that_is_not_base64_does_not_count(encoded):
    assert "not in base64" in reason(encoded)


def test_an_ecdsa_signature_in_der_does_not_count():
    """Devices do not accept it either."""
    assert isinstance(EC.key, ec.EllipticCurvePrivateKey)
    der = EC.key.sign(MANIFEST, ec.ECDSA(hashes.SHA256()))
    assert "none of the trusted keys" in reason(base64.b64encode(der))


def test_a_signature_of_a_part_of_the_artifact_does_not_count():
    assert "manifest-augment" in reason(RSA(MANIFEST), covers_all=False)


def test_an_artifact_without_signature():
    with pytest.raises(Untrusted, match="no signature"):
        signatures.signer(None, list(KEYS.values()))


def test_a_key_is_stored_in_one_form_only():
    text = RSA.public.replace("\n", "\r\n")
    again = signatures.read_key(f"\n  {text}\n\n")
    assert signatures.canonical(again) == RSA.public
    assert signatures.fingerprint(again) == signatures.fingerprint(KEYS["RSA-2048"])


@pytest.mark.parametrize("signer", SIGNERS.values(), ids=SIGNERS)
def test_a_private_key_is_named_and_never_quoted(signer: Signer):
    for pem in (signer.private, signer.private + RSA.public, RSA.public + signer.private):
        with pytest.raises(BadRequest, match="this is a private key") as caught:
            signatures.read_key(pem)
        assert signer.private.splitlines()[1][:8] not in caught.value.text


WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505  # to be refused
OTHERS = {
    "nothing": ("", "not a public key in PEM"),
    "no PEM": ("hello", "not a public key in PEM"),
    "certificate": (ED25519.public.replace("PUBLIC KEY", "CERTIFICATE"), "not a public key in PEM"),
    "two keys": (ED25519.public + EC.public, "not a public key in PEM"),
    "too long": (ED25519.public + " " * 5000, "not a public key in PEM"),
    "damaged": (RSA.public.replace("MII", "MIA"), "cannot be read"),
    "RSA-1024": (spki(WEAK.public_key()), "2048 to 8192 bits; this one has 1024"),
    "P-384": (spki(ec.generate_private_key(ec.SECP384R1()).public_key()), "P-256; this one is on secp384r1"),
    "Ed448": (spki(ed448.Ed448PrivateKey.generate().public_key()), "use RSA, ECDSA P-256 or Ed25519"),
    "X25519": (spki(x25519.X25519PrivateKey.generate().public_key()), "use RSA, ECDSA P-256 or Ed25519"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_keys_are_refused(name):
    pem, text = OTHERS[name]
    with pytest.raises(BadRequest, match=text):
        signatures.read_key(pem)


@given(st.text(max_size=200).map(lambda text: f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"))
def test_no_text_is_an_unexpected_error(pem):
    with pytest.raises(BadRequest):
        signatures.read_key(pem)
