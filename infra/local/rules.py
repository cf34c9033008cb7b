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
    wait: float = 30.0
    """Longest that a call may wait for a thread; then 429. Not a limit of AWS, which has no such threads."""


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


def busy(retry_after: int, request_id: str, *, explain: bool) -> Reply:
    """The answer to a call that would have to wait too long.

    Without ``explain`` it has no body, because some of Mender's clients fail on the body of a 429
    (``docs/behaviour.md#errors``).
    """
    headers = [(b"retry-after", str(retry_after).encode())]
    if explain:
        return error(429, f"the server is busy; try again in {retry_after} s", request_id, headers=headers)
    return Reply(429, [(b"x-men-requestid", request_id.encode("latin-1")), *headers])


def allow(verbs: list[str], request_id: str) -> Reply:
    """The answer to OPTIONS: one ``Allow`` line for each verb."""
    lines = [(b"allow", verb.encode()) for verb in verbs]
    return Reply(200, [*lines, (b"x-men-requestid", request_id.encode("latin-1"))])
