"""AWS Signature Version 4: what a signed request or link must contain, and how it is checked.

The gateway checks links to the bucket with it and signs what it sends on; the embedded engine checks every request.
Both need it, and the engine has an environment of its own: only the standard library may be imported here.

Source: AWS General Reference, "Create a signed AWS API request", and S3 API Reference, "Authenticating Requests:
Using Query Parameters".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
"""The value in place of the body's hash where a signature does not cover the body."""

CLOCKS = timedelta(minutes=15)
"""How far ahead the signer's clock may be."""
LONGEST = 7 * 86_400
"""Maximum lifetime of a link in seconds."""

_UNRESERVED = "-_.~"
_LINK = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
_SESSION = "X-Amz-Security-Token"
_HEADER = re.compile(rf"{ALGORITHM} Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{{64}})")
_SCOPE = re.compile(r"([\w-]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request", re.ASCII)
_TIME = re.compile(r"\d{8}T\d{6}Z", re.ASCII)

Pairs = list[tuple[str, str]]


class InvalidSignatureError(Exception):
    """The signature of a request is missing or invalid. ``code`` is AWS's name of the reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Key:
    """An access key; temporary credentials of a role have a token as well."""

    id: str
    secret: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as received: path and query percent-encoded, header names in lower case."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]

    def values(self, name: str) -> list[str]:
        """All values of a header."""
        wanted = name.encode()
        return [value.decode("latin-1") for header, value in self.headers if header == wanted]

    def parameters(self) -> Pairs:
        """Names and values of the query, decoded. Bytes that are not UTF-8 are kept as surrogates."""
        pairs = (part.partition(b"=") for part in self.query.split(b"&") if part)
        return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope of a signature."""

    key: str
    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True, slots=True)
class Claim:
    """The contents of an ``Authorization`` header: the key, the signed headers, and the signature."""

    scope: Scope
    key: Key
    signed: str
    signature: str


def check_link(
    request: Request,
    key_of: Callable[[str], Key | None],
    *,
    region: str,
    parameters: Iterable[str],
    headers: Iterable[str],
    now: datetime,
) -> dict[str, str]:
    """Check a link to an object in S3; returns its parameters other than those of the signature.

    Args:
        request: the whole request.
        key_of: the key with an id, or None.
        region: the only region that a link may be signed for.
        parameters: the parameters that a link may have besides those of the signature.
        headers: the headers, besides ``host``, that may be signed.
        now: the time, with its zone.

    Raises:
        InvalidSignatureError: a parameter is missing, doubled or unknown, the link is not valid at this time, or the
            signature is not that of this request.
    """
    given = request.parameters()
    link = _signature_parameters(given, set(parameters))
    if link["X-Amz-Algorithm"] != ALGORITHM:
        raise _malformed(f"X-Amz-Algorithm must be {ALGORITHM}")
    scope = _scope(link["X-Amz-Credential"])
    if (scope.region, scope.service) != (region, "s3"):
        raise _malformed(f"the link must be signed for s3 in {region}")
    key = _known(key_of, scope.key, link.get(_SESSION, ""))
    signed = link["X-Amz-SignedHeaders"]
    _check_signed_headers(request, signed, {"host", *headers})
    unsigned = [(name, value) for name, value in given if name != "X-Amz-Signature"]
    wanted = _signature(request, unsigned, scope, key, link["X-Amz-Date"], signed, UNSIGNED)
    if not hmac.compare_digest(wanted.encode(), link["X-Amz-Signature"].encode("utf-8", "replace")):
        raise InvalidSignatureError("SignatureDoesNotMatch", "this is not the signature of this request")
    _check_time(link["X-Amz-Date"], link["X-Amz-Expires"], scope, now)
    return {name: value for name, value in given if not name.startswith("X-Amz-")}


def claimed(request: Request, key_of: Callable[[str], Key | None], services: Iterable[str]) -> Claim:
    """Parse a request's ``Authorization`` header; the signature itself is not checked yet.

    Raises:
        InvalidSignatureError: there is none, or it is for a service not in ``services``, or of an unknown key.
    """
    found = _HEADER.fullmatch(_only(request, "authorization"))
    if found is None:
        raise InvalidSignatureError("MissingAuthenticationToken", "the request is not signed")
    scope = _scope(found[1])
    if scope.service not in services:
        raise InvalidSignatureError("AccessDenied", f"the service {scope.service} does not run here")
    key = _known(key_of, scope.key, "".join(request.values("x-amz-security-token")))
    return Claim(scope, key, found[2], found[3])


def check_request(request: Request, claim: Claim, body: bytes | None) -> None:
    """Check a request that is signed in its ``Authorization`` header. Its time is not checked.

    ``body`` may be None where a header has the body's hash or says that the body is unsigned.

    Raises:
        InvalidSignatureError: the signature does not match this request.
    """
    _check_signed_headers(request, claim.signed, None)
    named = request.values("x-amz-content-sha256")
    payload = named[0] if named else hashlib.sha256(body or b"").hexdigest()
    when = _only(request, "x-amz-date")
    wanted = _signature(request, request.parameters(), claim.scope, claim.key, when, claim.signed, payload)
    if not hmac.compare_digest(wanted.encode(), claim.signature.encode()):
        raise InvalidSignatureError("SignatureDoesNotMatch", "this is not the signature of this request")


def signed(request: Request, key: Key, region: str, service: str, now: datetime) -> list[tuple[bytes, bytes]]:
    """The headers of a request plus those that sign everything except its body."""
    when = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = Scope(key.id, when[:8], region, service)
    extra = [(b"x-amz-content-sha256", UNSIGNED.encode()), (b"x-amz-date", when.encode())]
    whole = Request(request.method, request.path, request.query, [*request.headers, *extra])
    names = ";".join(sorted({name.decode() for name, _ in whole.headers} - {"transfer-encoding"}))
    signature = _signature(whole, whole.parameters(), scope, key, when, names, UNSIGNED)
    shown = f"{ALGORITHM} Credential={key.id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return [*whole.headers, (b"authorization", shown.encode())]


def object_path(raw: bytes) -> str:
    """A path in the encoding that S3 signs, however it was sent. An escaped slash stays escaped."""
    return "/".join(quote(unquote_to_bytes(segment), safe=_UNRESERVED) for segment in raw.split(b"/"))


def encoded(text: str) -> str:
    """A text, percent-encoded as signatures require."""
    return quote(text.encode("utf-8", "surrogateescape"), safe=_UNRESERVED)


def _decoded(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8", "surrogateescape")


def _signature_parameters(given: Pairs, allowed: set[str]) -> dict[str, str]:
    names = [name for name, _ in given]
    if "X-Amz-Signature" not in names:
        raise InvalidSignatureError("AccessDenied", "only signed links are served here")
    for name in _LINK:
        if name not in names:
            raise _malformed(f"the link lacks {name}")
    if len(set(map(str.lower, names))) != len(names):
        raise _malformed("the link has a parameter twice")
    unknown = sorted(set(names) - allowed - {*_LINK, _SESSION})
    if unknown:
        raise InvalidSignatureError("AccessDenied", f"links to the bucket do not have the parameter {unknown[0]!a}")
    link = dict(given)
    if not all(link[name].isascii() for name in _LINK):
        raise _malformed("the signature has a character that is not ASCII")
    return link


def _scope(credential: str) -> Scope:
    found = _SCOPE.fullmatch(credential)
    if found is None:
        raise _malformed("the credential must be KEY/DATE/REGION/SERVICE/aws4_request")
    return Scope(*found.groups())


def _known(key_of: Callable[[str], Key | None], name: str, token: str) -> Key:
    key = key_of(name)
    if key is None or not hmac.compare_digest(key.token.encode(), token.encode("utf-8", "replace")):
        raise InvalidSignatureError(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    return key


def _check_signed_headers(request: Request, signed: str, allowed: set[str] | None) -> None:
    """Check that each signed header is present (once, if only certain ones are allowed), and S3's own are signed."""
    names = signed.split(";")
    if names != sorted(set(names)) or "host" not in names:
        raise _malformed("the signed headers must be sorted, named once and have the host among them")
    for name in names:
        count = len(request.values(name))
        if count == 0 or (allowed is not None and (count > 1 or name not in allowed)):
            raise _malformed(f"the signed header {name!a} is missing, doubled or none that may be signed")
    for header, _ in request.headers:
        if header.startswith(b"x-amz-") and header.decode("latin-1") not in names:
            raise InvalidSignatureError("AccessDenied", f"the header {header.decode('latin-1')!a} is not signed")


def _check_time(when: str, life: str, scope: Scope, now: datetime) -> None:
    if not _TIME.fullmatch(when) or not when.startswith(scope.date):
        raise _malformed("X-Amz-Date must be a time of the credential's date")
    if not re.fullmatch(r"[0-9]{1,6}", life) or not 1 <= int(life) <= LONGEST:
        raise _malformed(f"X-Amz-Expires must be between 1 and {LONGEST} seconds")
    try:
        begun = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _malformed("X-Amz-Date is not a time") from error
    if now > begun + timedelta(seconds=int(life)):
        raise InvalidSignatureError("AccessDenied", "Request has expired")
    if begun > now + CLOCKS:
        raise InvalidSignatureError("AccessDenied", "Request is not yet valid")


def _signature(  # the parts of a canonical request
    request: Request, parameters: Pairs, scope: Scope, key: Key, when: str, signed: str, payload: str
) -> str:
    query = sorted((encoded(name), encoded(value)) for name, value in parameters)
    headers = "".join(f"{name}:{_canonical(request.values(name))}\n" for name in signed.split(";"))
    canonical = "\n".join(
        [
            request.method,
            _path(request.path, scope.service),
            "&".join(f"{name}={value}" for name, value in query),
            headers,
            signed,
            payload,
        ]
    )
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    to_sign = f"{ALGORITHM}\n{when}\n{scope}\n{digest}"
    derived = _derived(key.secret, scope.date, scope.region, scope.service)
    return hmac.new(derived, to_sign.encode(), hashlib.sha256).hexdigest()


def _path(raw: bytes, service: str) -> str:
    """The path to sign: for S3, encoded once; for other services, the path as sent, encoded once more."""
    if service == "s3":
        return object_path(raw)
    kept: list[bytes] = []
    for segment in raw.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    tail = b"/" if kept and raw.endswith(b"/") else b""
    return quote(b"/" + b"/".join(kept) + tail, safe=_UNRESERVED + "/")


def _canonical(values: list[str]) -> str:
    return ",".join(" ".join(value.split()) for value in values)


@lru_cache(maxsize=64)
def _derived(secret: str, date: str, region: str, service: str) -> bytes:
    derived = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    return derived


def _only(request: Request, name: str) -> str:
    values = request.values(name)
    return values[0] if len(values) == 1 else ""


def _malformed(text: str) -> InvalidSignatureError:
    return InvalidSignatureError("AuthorizationQueryParametersError", text)
