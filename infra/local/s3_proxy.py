"""Serves signed links to the bucket of the embedded engine.

The engine also has the tables, the messages and the keys, so no request of a client reaches it unchanged: a link is
checked completely (method, bucket, parameters, headers, signature, time), and a new request with only the headers of a
download or an upload is sent on. Bodies are streamed in both directions, never buffered.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import httpcore2 as httpcore

from chalicelib.http.paths import origin_form
from infra.local import rules
from infra.local.asgi import refuse
from infra.local.signatures import InvalidSignatureError, Key, Request, check_link, encoded, object_path, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from infra.local.asgi import Receive, Scope, Send

log = logging.getLogger("local.s3")

PARAMETERS = {
    "GET": ("response-content-disposition", "response-content-type", "versionId"),
    "HEAD": ("response-content-disposition", "response-content-type", "versionId"),
    "PUT": ("partNumber", "uploadId"),
}
"""The methods for which links are signed, with the parameters that they may have. Each is part of the signature."""

PART = re.compile("[1-9][0-9]{0,3}|10000")
"""The number of a part (``docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html``)."""

PASSED = {
    "GET": ("if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range"),
    "HEAD": ("if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range"),
    "PUT": ("content-length", "content-md5", "content-type"),
}
"""Headers of a request that are passed on to the bucket."""

ANSWERED = frozenset(
    {
        b"accept-ranges",
        b"content-disposition",
        b"content-length",
        b"content-range",
        b"content-type",
        b"etag",
        b"last-modified",
        b"x-amz-request-id",
        b"x-amz-version-id",
    }
)
"""Headers of the bucket's answer that are passed to the client."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket to which links lead, and how it is reached."""

    endpoint: str
    name: str
    region: str
    key: Key
    """The key that signs links, and requests to the engine."""

    @classmethod
    def of_environment(cls) -> Self:
        """The app's bucket, from environment variables."""
        key = Key(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        return cls(os.environ["AWS_ENDPOINT_URL"], os.environ["LAMPLIGHTER_BUCKET"], os.environ["AWS_REGION"], key)


class _NoAnswerError(Exception):
    """The engine is not running, or ended in the middle of the call."""


class S3Proxy:
    """Serves signed links to one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._path = f"/{bucket.name}".encode()
        self._endpoint = urlsplit(bucket.endpoint)
        self._pool = httpcore.AsyncConnectionPool(max_connections=64, keepalive_expiry=30.0)

    def serves(self, scope: Scope) -> bool:
        """Whether a request is for the bucket or an object in it."""
        path = _origin_form(scope)
        return path == self._path or path.startswith(self._path + b"/")

    async def __call__(self, scope: Scope, request_id: str, receive: Receive, send: Send) -> None:
        """Answer a request for an object in the bucket."""
        request = Request(scope["method"], _origin_form(scope), scope["query_string"], scope["headers"])
        if request.method not in PARAMETERS:
            await refuse(receive, send, rules.error(405, "method not allowed", request_id))
            return
        if request.values("transfer-encoding") and request.values("content-length"):
            await refuse(receive, send, rules.error(400, "the length of the body is given in two ways", request_id))
            return
        try:
            parameters = self._checked(request)
        except InvalidSignatureError as error:
            await refuse(receive, send, rules.error(403, f"{error.code}: {error}", request_id))
            return
        try:
            await self._forward(self._ours(request, parameters), receive, send)
        except _NoAnswerError:
            await refuse(receive, send, rules.error(502, "the bucket can't be reached: try again", request_id))
        except ConnectionResetError as gone:
            log.info("%s", gone)  # the client has gone

    async def close(self) -> None:
        """Close all connections to the engine."""
        await self._pool.aclose()

    def _checked(self, request: Request) -> dict[str, str]:
        """The parameters of a valid link.

        Raises:
            InvalidSignatureError: it is none.
        """
        bucket = self._bucket
        method = request.method
        parameters = check_link(
            request,
            lambda name: bucket.key if name == bucket.key.id else None,
            region=bucket.region,
            parameters=PARAMETERS[method],
            headers=PASSED[method],
            now=datetime.now(UTC),
        )
        if request.method == "PUT" and parameters and not _names_a_part(parameters):
            raise InvalidSignatureError("AccessDenied", "a part is written by partNumber and uploadId together")
        if not request.path.removeprefix(self._path).strip(b"/"):
            raise InvalidSignatureError("AccessDenied", "only links to objects are served here")
        for header, _ in request.headers:
            if header.startswith(b"x-amz-"):
                raise InvalidSignatureError(
                    "AccessDenied", f"the header {header.decode('latin-1')!a} is not taken here"
                )
        return parameters

    def _ours(self, request: Request, parameters: dict[str, str]) -> Request:
        """The signed request that is sent to the engine in place of the client's."""
        passed = [name.encode() for name in PASSED[request.method]]
        headers = [(name, value) for name, value in request.headers if name in passed]
        query = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in parameters.items())
        host = (b"host", self._endpoint.netloc.encode())
        ours = Request(request.method, object_path(request.path).encode(), query.encode(), [host, *headers])
        bucket = self._bucket
        headers = signed(ours, bucket.key, bucket.region, "s3", datetime.now(UTC))
        if request.method == "PUT" and not request.values("content-length"):
            headers.append((b"transfer-encoding", b"chunked"))
        return Request(ours.method, ours.path, ours.query, headers)

    async def _forward(self, request: Request, receive: Receive, send: Send) -> None:
        target = request.path + b"?" + request.query if request.query else request.path
        host = (self._endpoint.hostname or "").encode()
        url = httpcore.URL(scheme=b"http", host=host, port=self._endpoint.port, target=target)
        body = _incoming(receive) if request.method == "PUT" else None
        async with AsyncExitStack() as opened:
            asked = self._pool.stream(request.method.encode(), url, headers=list(request.headers), content=body)
            try:
                answer = await opened.enter_async_context(asked)
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise _NoAnswerError from error
            kept = [line for line in answer.headers if line[0].lower() in ANSWERED]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            async for chunk in answer.aiter_stream():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _names_a_part(parameters: Mapping[str, str]) -> bool:
    """Whether the parameters of an upload are those of writing a part, and not of another operation of S3."""
    return bool(PART.fullmatch(parameters.get("partNumber", "")) and parameters.get("uploadId"))


def _origin_form(scope: Scope) -> bytes:
    """The path exactly as sent, since the signature covers its encoding; scheme and host before it are removed."""
    return origin_form(scope["raw_path"].decode("latin-1")).encode("latin-1")


async def _incoming(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client disconnected during its upload")
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body"):
            return
