"""Accepts only requests to the engine that are signed with a key that it issued.

The engine itself accepts all requests to its port, which every local user and every page in a local browser can reach.
They are therefore checked before the engine gets them: signature, service, and ``Host`` header.

If functions are deployed, two kinds of requests need no signature in a header, as on AWS: calls of a deployed API,
which its app checks, and links to the bucket, which are signed in their query.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from infra.local.engine.process import READY
from infra.local.signatures import InvalidSignatureError, Key, Request, check_link, check_request, claimed

STORES = frozenset({"dynamodb", "s3", "ses", "sqs", "ssm"})
"""The services that the app uses, by their names in signatures."""
FUNCTIONS = frozenset(
    {"apigateway", "cloudformation", "events", "execute-api", "iam", "lambda", "logs", "monitoring", "sts"}
)
"""Further services for deployments."""
OTHER_NAMES = {"execute-api": "apigateway"}
"""Services for which the engine uses another name."""
INTERNAL = frozenset({"dynamodbstreams"})
"""Services that the engine's own event sources read from."""

CALLS = "/_aws/execute-api/"
"""The prefix of the paths of deployed APIs: ``/_aws/execute-api/API/STAGE/...``."""

LONGEST = 20 * 2**20
"""Maximum bytes of a body that must be read before its signature can be checked. DynamoDB accepts the most, 16 MiB."""
LONGEST_CODE = 96 * 2**20
"""The same for deployments: the functions' code, 50 MB, is sent in base64."""

LINK_PARAMETERS = ("response-content-disposition", "response-content-type", "versionId")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class AuthProxy:
    """An ASGI app in front of the engine's."""

    def __init__(self, app: App, key: Key, *, port: int, region: str, functions: bool) -> None:
        self._app = app
        self._key = key
        self._region = region
        self._functions = functions
        self._services = STORES | FUNCTIONS if functions else STORES
        self._hosts = {f"{name}:{port}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        elif self._is_call(scope):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == READY:
            await _reply(send, 204, b"", [])
            return
        try:
            if not self._is_call(scope):
                receive = await self._checked(scope, receive)
        except InvalidSignatureError as error:
            await _refuse(scope, send, error)
            return
        await self._app(scope, receive, send)

    def _is_call(self, scope: Scope) -> bool:
        """Whether this calls a deployed API, except to reach its open websockets."""
        if not (self._functions and scope["path"].startswith(CALLS) and self._is_our_host(scope)):
            return False
        named = {name for name, _ in scope["headers"]}
        segments = scope["path"].split("/")
        return b"x-amz-target" not in named and "@connections" not in segments

    def _is_our_host(self, scope: Scope) -> bool:
        """Check the host: others select other services, and a browser could use any name of this machine."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self._hosts

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        """Check a request's signature; returns its body.

        Raises:
            InvalidSignatureError: the request is not signed correctly.
        """
        request = Request(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        if not self._is_our_host(scope):
            raise InvalidSignatureError("AccessDenied", "this host is not served here")
        if self._functions and not request.values("authorization") and request.method in ("GET", "HEAD", "PUT"):
            now = datetime.now(UTC)
            check_link(request, self._key_of, region=self._region, parameters=LINK_PARAMETERS, headers=(), now=now)
            return receive
        claim = claimed(request, self._key_of, self._services)
        if request.values("x-amz-content-sha256"):
            # The body's hash is not compared: nothing can read or change traffic on loopback.
            check_request(request, claim, None)
            return receive
        body = await _read(receive, LONGEST_CODE if self._functions else LONGEST)
        check_request(request, claim, body)
        return _again(body, receive)

    def _key_of(self, name: str) -> Key | None:
        """The engine's own key, or one that it issued to a role's session."""
        if name == self._key.id:
            return self._key
        if not self._functions:
            return None
        from ministack.services import sts

        session = sts._sessions.get(name)
        if not session or sts._session_expired(session):
            return None
        return Key(name, session["SecretAccessKey"], session.get("SessionToken") or "")


async def _read(receive: Receive, most: int) -> bytes:
    """A whole body.

    Raises:
        InvalidSignatureError: it has more than ``most`` bytes, and its sender is not authenticated yet.
    """
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise InvalidSignatureError("AccessDenied", f"a body of more than {most} bytes must have its hash signed")
        more = message.get("more_body", False)
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """Replays a body that was read."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


async def _refuse(scope: Scope, send: Send, error: InvalidSignatureError) -> None:
    """An error in the format that SDKs read: JSON for the JSON protocols, otherwise XML."""
    if any(name == b"x-amz-target" for name, _ in scope["headers"]):
        body = json.dumps({"__type": error.code, "message": str(error)})
    else:
        text = escape(str(error))
        body = f"<ErrorResponse><Error><Code>{error.code}</Code><Message>{text}</Message></Error></ErrorResponse>"
    await _reply(send, 403, body.encode(), [(b"x-amzn-errortype", error.code.encode())])


async def _reply(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
