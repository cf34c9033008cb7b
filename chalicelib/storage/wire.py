"""AWS's JSON protocol: signs requests; and for DynamoDB encodes them and decodes answers. Pure: no I/O or clock.

AWS JSON 1.0: ``docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html``.
Signature: ``docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html``. botocore's signer
takes five times as long, because it signs any request; here everything except date, operation and body is known
beforehand. A test compares the signatures.
"""

from __future__ import annotations

import hmac
import time
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypedDict, cast

import msgspec


class _Value(TypedDict, total=False):
    """A typed value. The types let the JSON decoder turn base64 into bytes where bytes are meant."""

    S: str
    N: str
    B: bytes
    BOOL: bool
    NULL: bool
    M: dict[str, _Value]
    L: list[_Value]
    SS: list[str]
    NS: list[str]
    BS: list[bytes]


_Item = dict[str, _Value]


class _Reason(TypedDict, total=False):
    Code: str
    Message: str | None
    Item: _Item | None


class _Keyed(TypedDict, total=False):
    Item: _Item
    Key: _Item


class _Unread(TypedDict, total=False):
    Keys: list[_Item]
    ConsistentRead: bool
    ProjectionExpression: str
    ExpressionAttributeNames: dict[str, str]


class _Unwritten(TypedDict, total=False):
    PutRequest: _Keyed
    DeleteRequest: _Keyed


_Answer = TypedDict(
    "_Answer",
    {
        # Errors.
        "__type": str,
        "message": str | None,
        "Message": str | None,
        "CancellationReasons": list[_Reason],
        # Of one item, a page, a batch, a transaction. Members that are missing here are dropped.
        "Item": _Item,
        "Attributes": _Item,
        "Items": list[_Item],
        "Count": int,
        "ScannedCount": int,
        "LastEvaluatedKey": _Item,
        "Responses": dict[str, list[_Item]] | list[_Keyed],
        "UnprocessedKeys": dict[str, _Unread],
        "UnprocessedItems": dict[str, list[_Unwritten]],
        "ConsumedCapacity": Any,
        # Of a table. The app never asks for it, but the console of an admin may.
        "Table": Any,
        "TableDescription": Any,
        "TableNames": list[str],
    },
    total=False,
)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Answer)


def encode(request: dict[str, Any]) -> bytes:
    """The body of a request. Bytes become base64."""
    return _encoder.encode(request)


def decode(body: bytes) -> dict[str, Any]:
    """The content of an answer, with bytes where its values are bytes.

    Raises:
        msgspec.DecodeError: it is not an answer of DynamoDB.
    """
    return cast("dict[str, Any]", _decoder.decode(body))


class Keys(NamedTuple):
    """What signs requests."""

    access_key: str
    secret_key: str
    token: str | None = None


class Service(NamedTuple):
    """A service with a JSON protocol, at one endpoint."""

    name: str
    """As in signatures: ``dynamodb``."""
    host: str
    region: str
    version: str
    """Of the protocol: ``1.0`` or ``1.1``."""


DYNAMODB: Final = "DynamoDB_20120810."
"""What the names of DynamoDB's operations begin with in requests."""


def head(service: Service, target: str, body: bytes, keys: Keys, when: float) -> bytes:
    """The head of a request, from ``POST`` to the empty line, signed as of ``when`` (seconds since 1970).

    ``target``: the operation, as ``DynamoDB_20120810.GetItem``.
    """
    known = _prepared(service, target, keys, int(when))
    return b"%bcontent-length: %d\r\nauthorization: %b%b\r\n\r\n" % (
        known.head,
        len(body),
        known.authorization,
        known.sign(body),
    )


def headers(service: Service, target: str, body: bytes, keys: Keys, when: float) -> dict[str, str]:
    """The same by name, in lower case."""
    lines = head(service, target, body, keys, when).decode().split("\r\n")[1:-2]
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class _Prepared(NamedTuple):
    """What is equal for all requests of a second for the same operation."""

    head: bytes
    """The beginning of the request's head."""
    authorization: bytes
    """The header's value up to the signature."""
    canonical: bytes
    """The canonical request up to the hash of the body."""
    to_sign: bytes
    """The string to sign up to the hash of the canonical request."""
    key: bytes

    def sign(self, body: bytes) -> bytes:
        """The signature in hexadecimal digits."""
        canonical = sha256(self.canonical + sha256(body).hexdigest().encode())
        return hmac.digest(self.key, self.to_sign + canonical.hexdigest().encode(), "sha256").hex().encode()


@lru_cache(maxsize=8)
def _prepared(service: Service, target: str, keys: Keys, when: int) -> _Prepared:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when))
    # Signed headers are sorted by name, in the signature and in the request.
    names = "content-type;host;x-amz-date"
    signed = f"content-type:application/x-amz-json-{service.version}\nhost:{service.host}\nx-amz-date:{stamp}\n"
    if keys.token:
        names += ";x-amz-security-token"
        signed += f"x-amz-security-token:{keys.token}\n"
    names += ";x-amz-target"
    signed += f"x-amz-target:{target}\n"
    lines = signed.replace("\n", "\r\n")
    scope = f"{stamp[:8]}/{service.region}/{service.name}/aws4_request"
    credential = f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature="
    return _Prepared(
        head=f"POST / HTTP/1.1\r\n{lines}accept-encoding: identity\r\n".encode(),
        authorization=credential.encode(),
        canonical=f"POST\n/\n\n{signed}\n{names}\n".encode(),
        to_sign=f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n".encode(),
        key=_key(keys.secret_key, stamp[:8], service.region, service.name),
    )


# A key is valid for a day. Twice as many as needed, for midnight and for new credentials.
@lru_cache(maxsize=8)
def _key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
