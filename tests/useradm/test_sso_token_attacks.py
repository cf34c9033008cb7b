"""Malicious ID tokens and keys of an identity provider: nobody is signed in, and nothing breaks."""

from __future__ import annotations

import hmac
import json
import time
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chalicelib import cache
from tests.support.provider import _EC, _RSA, CLIENT, SECRET, UNKNOWN_KEY, Provider, jws, public_rsa, rsa_signature
from tests.support.receivers import Listener
from tests.useradm.conftest import Person

if TYPE_CHECKING:
    pass


from cryptography.hazmat.primitives import hashes
from jwt.utils import der_to_raw_signature

from tests.useradm.attacks import refused, signed

CLAIMS: list[tuple[str, Any]] = [
    ("exp", "soon"),
    ("exp", []),
    ("exp", {}),
    ("exp", True),
    ("exp", float("inf")),
    ("exp", float("nan")),
    ("iat", []),
    ("iat", float("inf")),
    ("iat", "x"),
    ("nbf", float("inf")),
    ("nbf", []),
    ("nbf", int(time.time()) + 3600),
    ("iat", int(time.time()) + 3600),
    ("exp", int(time.time()) - 3600),
    ("sub", ""),
    ("sub", 1),
    ("sub", []),
    ("sub", "\ud800"),
    ("sub", "s" * 256),
    ("nonce", "\ud800"),
    ("nonce", ["x"]),
    ("nonce", ""),
    ("iss", []),
    ("aud", []),
    ("aud", {}),
    ("aud", [CLIENT, 1]),
    ("aud", CLIENT.upper()),
    ("azp", []),
    ("azp", ""),
    ("email", ["x@example.com"]),
    ("email", "\ud800@example.com"),
    ("email_verified", "yes"),
    ("email_verified", 1),
    ("email_verified", []),
    ("email_verified", "false"),
]
PAYLOADS = [b"", b"[]", b"null", b"{", b'{"a":' * 5000, b"\xff", b'"x"', b"1" * 5000]
NO_TOKENS = ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "." * 10_000, "\x00"]


def test_claims_of_wrong_types_are_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    for name, value in [*CLAIMS, *[(name, None) for name in ("nonce", "iss", "aud", "exp", "iat", "sub", "email")]]:
        provider.token = lambda said, name=name, value=value: signed(said | {name: value})
        refused(sign_on(identity, email=person.email), about=(name, value))


def test_malformed_tokens_are_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    for token in [*map(signed, PAYLOADS), *NO_TOKENS]:
        provider.token = lambda _, token=token: token
        refused(sign_on(identity, email=person.email), about=token)


def _stranger_jwk() -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(UNKNOWN_KEY.public_key(), as_dict=True), "kid": "evil", "use": "sig", "alg": "RS256"}


def test_a_key_in_the_token_header_is_ignored(set_up, sign_on, person: Person, provider: Provider) -> None:
    """RFC 8725, section 3.10: the header of a token cannot be trusted."""
    identity = set_up()
    with Listener() as elsewhere:
        brought = {"jwk": _stranger_jwk(), "jku": elsewhere.url, "x5u": elsewhere.url, "x5c": ["AAAA"]}
        for (name, value), kid in product(brought.items(), ({"kid": "one"}, {"kid": "evil"}, {})):
            header = {"alg": "RS256", name: value} | kid
            provider.token = lambda said, header=header: jws(
                header, json.dumps(said).encode(), partial(rsa_signature, UNKNOWN_KEY)
            )
            refused(sign_on(identity, email=person.email), about=header)
        assert elsewhere.received == []


def _public_forms() -> list[bytes]:
    encodings, form = serialization.Encoding, serialization.PublicFormat
    made = [
        key.public_key().public_bytes(encoding, form.SubjectPublicKeyInfo)
        for key in (_RSA, _EC)
        for encoding in (encodings.PEM, encodings.DER)
    ]
    return [*made, *[each.strip() for each in made], json.dumps(public_rsa("one")).encode(), CLIENT.encode(), b""]


def test_a_public_key_used_as_an_hmac_secret_is_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    for secret, bits in product([*_public_forms(), SECRET.encode()], ("256", "512")):
        provider.token = lambda said, bits=bits, secret=secret: jws(
            {"alg": f"HS{bits}", "kid": "one"},
            json.dumps(said).encode(),
            lambda text: hmac.digest(secret, text, f"sha{bits}"),
        )
        refused(sign_on(identity, email=person.email), about=(bits, secret))


def test_algorithms_without_signatures_are_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    algorithms: list[Any] = ["none", "None", "NONE", "nOnE", "", None, [], {}, 1, "RS1", "ES256K", "dir"]
    for algorithm, signature in product(algorithms, (b"", b"x")):
        header = {"alg": algorithm, "kid": "one"}
        provider.token = lambda said, header=header, signature=signature: jws(
            header, json.dumps(said).encode(), lambda _: signature
        )
        refused(sign_on(identity, email=person.email), about=header)


def test_headers_that_change_the_signed_content_are_refused(
    set_up, sign_on, person: Person, provider: Provider
) -> None:
    identity = set_up()
    headers: list[dict[str, Any]] = [{"crit": ["x"], "x": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"kid": 1}]
    for header in headers:
        provider.token = lambda said, header=header: signed(said, **header)
        refused(sign_on(identity, email=person.email), about=header)


def test_unknown_key_ids_do_not_cause_a_call_each_time(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    for kid in ("", "../one", "one\x00", "ONE", "' or 1=1", "x" * 10_000, "http://127.0.0.1/"):
        provider.token = lambda said, kid=kid: signed(said, kid=kid)
        refused(sign_on(identity, email=person.email), about=kid)
    assert provider.seen.count("/jwks") == 1, "keys that were fetched a moment ago are not fetched again"


WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is the point
P521 = ec.generate_private_key(ec.SECP521R1())


def _jwk(**change: Any) -> dict[str, Any]:
    return public_rsa("one") | change


def test_a_key_that_is_too_short_is_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    """RFC 7518, section 3.3: RSA keys of at least 2,048 bits."""
    provider.keys = [{**RSAAlgorithm.to_jwk(WEAK.public_key(), as_dict=True), "kid": "one", "use": "sig"}]
    provider.token = lambda said: jws(
        {"alg": "RS256", "kid": "one"}, json.dumps(said).encode(), partial(rsa_signature, WEAK)
    )

    refused(sign_on(set_up(), email=person.email))


def test_a_key_on_another_curve_is_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    provider.keys = [{**ECAlgorithm.to_jwk(P521.public_key(), as_dict=True), "kid": "one", "use": "sig"}]

    def ecdsa(text: bytes) -> bytes:
        return der_to_raw_signature(P521.sign(text, ec.ECDSA(hashes.SHA256())), P521.curve)

    provider.token = lambda said: jws({"alg": "ES256", "kid": "one"}, json.dumps(said).encode(), ecdsa)

    refused(sign_on(set_up(), email=person.email))


_PRIVATE = RSAAlgorithm.to_jwk(_RSA, as_dict=True) | {"kid": "one", "use": "sig"}


KEYS: list[list[dict[str, Any]]] = [
    [],
    [_jwk(), _jwk()],
    [_jwk(n=5)],
    [_jwk(n="")],
    [_jwk(n="AA")],
    [_jwk(n="é")],
    [_jwk(e="AA")],
    [_jwk(e="AQ")],
    [_jwk(e=None)],
    [_jwk(kty="EC")],
    [_jwk(kty=[])],
    [_jwk(kty="oct", k="AAAA")],
    [_jwk(alg="HS256")],
    [_jwk(alg=[])],
    [_jwk(use="enc")],
    [_jwk(use=[])],
    [_jwk(key_ops=["sign"])],
    [_jwk(key_ops="verify")],
    [_jwk(kid=["one"])],
    [_PRIVATE],
    [_PRIVATE | {"p": "AA"}],
    [{}],
    [{"kid": "one"}],
]


def test_malformed_keys_are_ignored(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    for keys in KEYS:
        cache.forget_all()
        provider.keys = keys
        refused(sign_on(identity, email=person.email), about=keys)
