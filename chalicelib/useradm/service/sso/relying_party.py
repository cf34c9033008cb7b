"""The OpenID Connect client: reads a provider's description, redeems codes, and verifies tokens.

All requests go through ``outbound``, because a tenant names the provider, whose documents name further URLs. A token is
accepted only if a published key of the provider signed it with a public-key algorithm that fits the key, for this
client and this login, and it is valid now.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from chalicelib import limits, outbound, settings
from chalicelib.cache import Cache

_KEY_TYPES = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
    "EdDSA": "OKP",
}
"""The accepted algorithms with the key type that each needs. None with a shared secret, and not "none"."""
_RSA_BITS = 2048
"""The shortest accepted RSA key (RFC 7518, section 3.3)."""
_SKEW = 60
"""Seconds by which a provider's clock may differ."""
_DOCUMENT_LIFE, _KEYS_LIFE = 3600.0, 300.0
_LOOK_AGAIN = 10.0
"""Seconds until a missing key is looked up again, for providers that have just rotated their keys."""
_cache: Cache[str, Any] = Cache(1_000)


class ProviderError(Exception):
    """The provider's answer does not follow OpenID Connect. The text may be shown to the user who set it up."""


class NotTrusted(Exception):
    """The provider's token is not valid for this login."""


class _Document(msgspec.Struct):
    """The members used of a provider's description."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _TokenAnswer(msgspec.Struct):
    id_token: str


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Said(msgspec.Struct):
    """The claims of a token that are used, besides those that the library checks."""

    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=limits.SSO_SUBJECT)]
    nonce: str
    aud: str | list[str]
    azp: str | None = None
    email: str = ""
    email_verified: bool | str = False
    """Some providers send the string "true"."""


class Client(msgspec.Struct, frozen=True):
    """This server's registration at a provider."""

    issuer: str
    well_known: str
    id: str
    secret: str


class Claims(msgspec.Struct, frozen=True):
    """The claims about a person that are used."""

    subject: str
    email: str
    verified: bool


def discover(well_known: str, *, fresh: bool = False) -> _Document:
    """The provider's description (OpenID Connect Discovery).

    Raises:
        ProviderError: it cannot be read, or names URLs that are not allowed.
    """
    document: _Document = _cache.get(
        well_known, lambda: _get(well_known, _Document), life=0 if fresh else _DOCUMENT_LIFE
    )
    for url in (document.authorization_endpoint, document.token_endpoint, document.jwks_uri):
        check_url(url)
    return document


def check_url(url: str) -> None:
    """Refuse URLs without TLS, unless the admin has permitted calls to private networks.

    Raises:
        ProviderError: it is not a URL that this server may call.
    """
    try:
        target = outbound.parse(url)
    except outbound.Refused as error:
        raise ProviderError(str(error)) from error
    if target.scheme != "https" and not settings.current().outbound_networks:
        raise ProviderError("the provider's URLs must begin with https://")


def login_url(client: Client, *, redirect_uri: str, state: str, nonce: str, challenge: str) -> str:
    """The URL at which the browser signs in.

    Raises:
        ProviderError: the description cannot be read, or has another issuer.
    """
    query = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    where = _own(client).authorization_endpoint
    return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(query)}"


def names_itself(client: Client) -> bool:
    """Whether the provider states its issuer in the answers that browsers bring (RFC 9207).

    Raises:
        ProviderError: as for :func:`login_url`.
    """
    return _own(client).authorization_response_iss_parameter_supported


def redeem(client: Client, code: str, *, redirect_uri: str, verifier: str, nonce: str) -> Claims:
    """The claims of the person who signed in, for the code that the browser brought.

    Raises:
        ProviderError: the provider refused the code, or its answer is not valid.
        NotTrusted: its token is not valid for this login.
    """
    document = _own(client)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        "client_id": client.id,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if "client_secret_basic" in document.token_endpoint_auth_methods_supported:
        pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"  # RFC 6749, section 2.3.1
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form["client_secret"] = client.secret
    answer = _call("POST", document.token_endpoint, headers, urlencode(form).encode())
    return _claims(_decoded(answer.body, _TokenAnswer).id_token, client, document.jwks_uri, nonce)


def _own(client: Client) -> _Document:
    document = discover(client.well_known)
    if document.issuer != client.issuer:
        raise ProviderError("the provider states another issuer than when it was set up")
    return document


def _claims(token: str, client: Client, jwks_uri: str, nonce: str) -> Claims:
    # Imported here: only single sign-on verifies tokens of others.
    import jwt

    try:
        header = jwt.get_unverified_header(token)
        algorithm = str(header.get("alg"))
        key = jwt.PyJWK(_key(jwks_uri, header.get("kid"), algorithm), algorithm=algorithm).key
        _check_strength(key)
        decoded = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=client.id,
            issuer=client.issuer,
            leeway=_SKEW,
            options={"require": ["aud", "exp", "iat", "iss", "nonce", "sub"]},
        )
        said = msgspec.convert(decoded, _Said)
        said.sub.encode()  # JSON can contain halves of surrogate pairs, which cannot be stored
    # ArithmeticError, TypeError: huge numbers and types that the library does not expect.
    except (jwt.PyJWTError, msgspec.ValidationError, ValueError, ArithmeticError, TypeError) as error:
        raise NotTrusted(f"the token was refused: {type(error).__name__}") from error
    if said.nonce != nonce:
        raise NotTrusted("the token belongs to another login")
    several = isinstance(said.aud, list) and len(said.aud) > 1
    if said.azp != client.id and (several or said.azp is not None):
        raise NotTrusted("the token was made for another client")
    return Claims(said.sub, said.email, said.email_verified in (True, "true"))


def _check_strength(key: Any) -> None:
    # Imported here, like the library that uses it, because few calls verify such a token.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey) and key.key_size < _RSA_BITS:
        raise NotTrusted(f"the provider's key has fewer than {_RSA_BITS} bits")


def _key(jwks_uri: str, kid: object, algorithm: str) -> dict[str, Any]:
    """The provider's key that a token names.

    Raises:
        NotTrusted: there is no such key that fits the algorithm.
    """
    for max_age in (_KEYS_LIFE, _LOOK_AGAIN):
        published: _Keys = _cache.get(jwks_uri, lambda: _get(jwks_uri, _Keys), life=max_age)
        fitting = [
            key
            for key in published.keys
            if key.get("kty") == _KEY_TYPES.get(algorithm, "-")
            and key.get("use", "sig") == "sig"
            and _is_for_verifying(key)
            and key.get("alg", algorithm) == algorithm
            and (kid is None or key.get("kid") == kid)
        ]
        if len(fitting) == 1:
            return fitting[0]
    raise NotTrusted("the token names no key of the provider that fits it")


def _is_for_verifying(key: dict[str, Any]) -> bool:
    """Whether it is a public key for signatures (RFC 7517, section 4.3)."""
    uses = key.get("key_ops", ["verify"])
    return "d" not in key and isinstance(uses, list) and "verify" in uses


def _get(url: str, shape: type[Any]) -> Any:
    check_url(url)
    return _decoded(_call("GET", url, {"Accept": "application/json"}).body, shape)


def _call(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> outbound.Answer:
    try:
        answer = outbound.request(
            method, url, headers, body, timeout=limits.PROVIDER_TIME, max_answer=limits.PROVIDER_ANSWER
        )
    except outbound.OutboundError as error:
        raise ProviderError(str(error)) from error
    if answer.status != 200:  # HTTP
        raise ProviderError(f"the provider answered {answer.status}")
    return answer


def _decoded(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderError("the provider's answer is not what OpenID Connect describes") from error
