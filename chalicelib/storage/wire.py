"""DynamoDB's protocol: encodes and signs requests, decodes answers. Pure: no I/O, clock or randomness.

AWS JSON 1.0: ``docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html``.
Signature: ``docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html``. botocore's signer
takes five times as long, because it signs any request; here everything except date, operation and body is known
beforehand. A test compares the signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

import msgspec

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

_TYPE: Final = "application/x-amz-json-1.0"


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


def head(host: str, region: str, operation: str, body: bytes, credentials: ReadOnlyCredentials, when: float) -> bytes:
    """The head of a request, from ``POST`` to the empty line, signed as of ``when`` (seconds since 1970)."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when))
    scope = f"{stamp[:8]}/{region}/dynamodb/aws4_request"
    # Signed headers are sorted by name, in the signature and in the request.
    names = "content-type;host;x-amz-date"
    signed = f"content-type:{_TYPE}\nhost:{host}\nx-amz-date:{stamp}\n"
    if credentials.token:
        names += ";x-amz-security-token"
        signed += f"x-amz-security-token:{credentials.token}\n"
    names += ";x-amz-target"
    signed += f"x-amz-target:DynamoDB_20120810.{operation}\n"
    canonical = f"POST\n/\n\n{signed}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = _mac(_key(credentials.secret_key, stamp[:8], region), to_sign).hex()
    return (
        "POST / HTTP/1.1\r\n" + signed.replace("\n", "\r\n") + "accept-encoding: identity\r\n"
        f"content-length: {len(body)}\r\n"
        f"authorization: AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}\r\n\r\n"
    ).encode()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


# A key is valid for a day. The second one is for midnight, and for new credentials.
@lru_cache(maxsize=2)
def _key(secret: str, day: str, region: str) -> bytes:
    return _mac(_mac(_mac(_mac(f"AWS4{secret}".encode(), day), region), "dynamodb"), "aws4_request")
