"""API Gateway's side of the Lambda proxy contract: turns requests into events, and results into answers.

Follows REST APIs, payload format 1.0. What it does not know of AWS (API keys, VPCs, custom authorizers) is not
in the event.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl
from uuid import uuid4

from chalicelib.http.paths import plain
from infra.local.rules import Reply
from infra.local.template import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.http.routing import Match

STAGE = "api"
"""The stage, and so the first segment of every public path."""

API_ID = "local"
"""The id of the REST API."""

SMALL = 1024 * 1024
"""Bodies up to this size always fit into a Lambda payload, even if JSON escapes each character with 6 bytes."""

_NO_BODY = (204, 304)
_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body."""

    method: str
    path: str
    """As sent: percent-encoded, with the stage, without the query."""
    query: str
    headers: dict[str, list[str]]
    """Values by lower-case name."""
    client: str
    """Address of the client."""
    scheme: str
    protocol: str

    def header(self, name: str) -> str:
        """The last value of a header, '' if there is none."""
        return self.headers.get(name, [""])[-1]


def head(scope: dict[str, Any]) -> Head:
    """The head of the request that an ASGI scope describes."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    client = scope.get("client")
    return Head(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=client[0] if client else "127.0.0.1",
        scheme=scope["scheme"],
        protocol=f"HTTP/{scope['http_version']}",
    )


def build(request: Head, match: Match, method: str, body: bytes, binary_types: Iterable[str]) -> Event:
    """The event of a request. ``method`` is the verb that the handler declares: GET for a HEAD."""
    forwarded = request.headers | {
        "x-forwarded-for": [", ".join([*request.headers.get("x-forwarded-for", []), request.client])],
        "x-forwarded-proto": [request.scheme],
    }
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    text, encoded = _body_text(body, request.header("content-type"), binary_types)
    now = time.time()
    return {
        "resource": match.template,
        "path": plain(request.path).removeprefix(f"/{STAGE}"),
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in forwarded.items()},
        "multiValueHeaders": forwarded,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        # REST APIs pass path parameters on as sent, percent-encoded; the engine's own API Gateway decodes
        # them. The app has to accept both, and here it gets them as on AWS.
        "pathParameters": match.parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": request.header("host").rpartition(":")[0] or request.header("host"),
            "httpMethod": method,
            "identity": {"sourceIp": request.client, "userAgent": request.header("user-agent") or None},
            "path": request.path,
            "protocol": request.protocol,
            "requestId": str(uuid4()),
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": match.template,
            "resourcePath": match.template,
            "stage": STAGE,
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def payload_size(document: Event, body: str | None) -> int:
    """Size of an event or a result as JSON; 0 if it is certain to be small."""
    if body is None or len(body) <= SMALL:
        return 0
    return len(json.dumps(document, ensure_ascii=False).encode())


def reply(result: Event, request: Head, binary_types: Iterable[str]) -> Reply:
    """Convert a function's result to an answer.

    Raises:
        KeyError, TypeError, ValueError: the result is malformed; API Gateway answers 502.
    """
    status = int(result["statusCode"])
    headers = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in _header_lines(result)
        if name.lower() not in _HOP
    ]
    if status in _NO_BODY:
        return Reply(status, [line for line in headers if line[0] != b"content-type"])
    if not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json"))  # API Gateway's default
    text = result.get("body") or ""
    if not isinstance(text, str):
        raise TypeError(f"a body is text, not {type(text).__name__}: a result has to pass as JSON")
    # API Gateway decodes base64 only for a client whose first accepted type is a binary one.
    accepted = request.header("accept").partition(",")[0]
    if result.get("isBase64Encoded") and _is_binary(accepted, binary_types):
        return Reply(status, headers, base64.b64decode(text))
    return Reply(status, headers, text.encode())


def _header_lines(result: Event) -> Iterable[tuple[str, Any]]:
    """All header lines of a result; multi-value ones replace single ones of the same name."""
    several: dict[str, list[Any]] = result.get("multiValueHeaders") or {}
    taken = {name.lower() for name in several}
    for name, value in (result.get("headers") or {}).items():
        if name.lower() not in taken:
            yield name, value
    for name, values in several.items():
        for value in values:
            yield name, value


def _body_text(body: bytes, content_type: str, binary_types: Iterable[str]) -> tuple[str | None, bool]:
    """A body as text for an event, and whether it is base64."""
    if not body:
        return None, False
    if _is_binary(content_type, binary_types):
        return base64.b64encode(body).decode("ascii"), True
    return body.decode("utf-8", "replace"), False


def _is_binary(content_type: str, binary_types: Iterable[str]) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    family = media_type.partition("/")[0]
    return any(candidate in (media_type, f"{family}/*", "*/*") for candidate in binary_types) and bool(media_type)
