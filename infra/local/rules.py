"""API Gateway's and Lambda's limits, and the answers that they give before or instead of the app."""

from __future__ import annotations

import json
from dataclasses import dataclass

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of AWS. Sizes are in bytes, times in seconds."""

    request: int = 10 * 1024 * 1024
    """Body of a request to API Gateway; beyond it 413."""
    payload: int = 6 * 1024 * 1024
    """Event or answer of a Lambda function as JSON, base64 included; beyond it 413 or 502."""
    handler: float = 29.0
    """Longest that API Gateway waits for a Lambda function; then 504."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: Headers
    body: bytes = b""


def error(status: int, message: str, request_id: str, *, headers: Headers | None = None) -> Reply:
    """An error in the shape that all of Mender's clients expect."""
    body = json.dumps({"error": message, "request_id": request_id}).encode()
    return Reply(
        status,
        [
            (b"content-type", b"application/json"),
            (b"x-men-requestid", request_id.encode("latin-1")),
            *(headers or []),
        ],
        body,
    )


def allow(verbs: list[str], request_id: str) -> Reply:
    """The answer to OPTIONS: one ``Allow`` line for each verb."""
    lines = [(b"allow", verb.encode()) for verb in verbs]
    return Reply(200, [*lines, (b"x-men-requestid", request_id.encode("latin-1"))])
