"""API Gateway on one machine: an ASGI app in front of the Chalice app's own Lambda handler.

It builds API Gateway's events, enforces its limits and gives its answers, so that what works here works on AWS. It
differs from AWS in only three ways: routes for large multipart uploads get them as a stream, websockets use Mender's
binary dialect at Mender's paths (on AWS the relay does both), and signed links to the bucket are forwarded.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING

from chalice.app import Chalice
from chalice.local import LocalChalice

from chalicelib.http.headers import REQUEST_ID, request_id
from chalicelib.http.paths import below, is_console, plain
from chalicelib.http.routing import RouteTable
from infra.local import rest_event, rules
from infra.local.asgi import refuse, send_reply
from infra.local.compression import compressed
from infra.local.handlers import BusyError, GoneError, Handlers
from infra.local.lambda_context import LambdaContext
from infra.local.rules import Limits, Reply
from infra.local.s3_proxy import Bucket, S3Proxy
from infra.local.uploads import Uploads
from infra.local.websocket_api import PATH as TEXT_PATH
from infra.local.websocket_api import SUBPROTOCOL as TEXT
from infra.local.websocket_api import WebsocketApi
from infra.relay import sockets
from infra.relay.answers import protected
from infra.relay.app import Relay
from infra.relay.upstream import Refused

if TYPE_CHECKING:
    from chalicelib.http.routing import Match
    from infra.local.asgi import Receive, Scope, Send
    from infra.local.rest_event import Event, Head
    from infra.local.uploads import Attach
    from infra.relay.playback import Recordings

log = logging.getLogger("local.gateway")

READY = "/local/ready"
"""The gateway's own path: 204 as soon as it serves."""


_UPLOAD = 86_400.0
"""Seconds that the handler of a streamed upload may run: enough for slow networks."""


class _ThreadedChalice(LocalChalice):
    """Chalice stores the current request and its context in the app; this class stores them per thread."""

    _contexts = threading.local()

    @property  # type: ignore[override]  # Chalice's type is its own class
    def lambda_context(self) -> LambdaContext:
        """The context of the call that this thread handles."""
        found: LambdaContext = self._contexts.current
        return found

    @lambda_context.setter
    def lambda_context(self, value: LambdaContext) -> None:
        self._contexts.current = value


class Gateway:
    """The ASGI app.

    ``threads`` is the number of handlers that run at once. ``bucket`` serves signed links; without it they are unknown
    paths. ``recordings`` is the source of recorded sessions; without it there are no websockets at Mender's paths.
    """

    def __init__(
        self,
        app: Chalice,
        *,
        bucket: Bucket | None = None,
        limits: Limits | None = None,
        threads: int = 16,
        attach: Attach | None = None,
        recordings: Recordings | None = None,
    ) -> None:
        if type(app) is Chalice:  # one of a test; the project's own app keeps nothing of a call
            app.__class__ = _ThreadedChalice
        self._app = app
        self._routes = RouteTable(app.routes)
        self._binary_types = list(app.api.binary_types)
        self._limits = limits or Limits()
        self.handlers = Handlers(threads, seconds=self._limits.handler, wait=self._limits.wait)
        self._uploads = Uploads(partial(self._invoke, seconds=_UPLOAD), attach)
        self._s3 = S3Proxy(bucket) if bucket else None
        self.websockets = WebsocketApi(app, self.handlers)
        self._relay = Relay(self.websockets, recordings) if recordings else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        send = protected(send)
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "websocket":
                await self._websocket(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.handlers.close()
        self._uploads.close()
        if self._s3:
            await self._s3.close()
        self.websockets.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a websocket in either dialect: text like API Gateway, binary like the relay."""
        wish = Relay.wish(scope)
        if plain(scope["raw_path"].decode("latin-1")) == TEXT_PATH or (
            wish is not None and TEXT in (scope.get("subprotocols") or [])
        ):
            await self.websockets.serve(scope, receive, send, wish or {})
        elif self._relay and self._relay.serves(scope):
            await self._relay(scope, receive, send)
        else:
            await _no_websocket(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = rest_event.head(scope)
        named = request_id(request.header(REQUEST_ID))
        if plain(request.path) == READY:
            await send_reply(send, Reply(204, []))
        elif self._relay and self._relay.serves(scope):
            await self._relay(scope, receive, send)
        elif self._s3 and self._s3.serves(scope):
            await self._s3(scope, named, receive, send)
        else:
            await self._rest(request, named, receive, send)

    async def _rest(self, request: Head, request_id: str, receive: Receive, send: Send) -> None:
        path = request.path if is_console(request.path) else below(request.path, rest_event.STAGE)
        found = self._routes.find(path) if path else None
        if found is None:
            await send_reply(send, rules.error(404, "not found", request_id))
            return
        method = request.method
        if method == "HEAD" and "HEAD" not in found.views:
            method = "GET"
        view = found.views.get(method)
        if view is None:
            verbs = sorted({*found.views, "OPTIONS"})
            allow = rules.allow(verbs, request_id)
            refused = rules.error(405, "method not allowed", request_id, headers=allow.headers[:-1])
            await send_reply(send, allow if method == "OPTIONS" else refused)
            return
        spec = getattr(view.view_function, "endpoint_spec", None)
        if spec and spec.streams_body and request.header("content-type").startswith("multipart/"):
            event = rest_event.build(request, found, method, b"", ())
            await self._upload(request, request_id, event, spec.stream_limit, receive, send)
        else:
            await self._call(request, request_id, found, method, receive, send)

    async def _call(
        self, request: Head, request_id: str, found: Match, method: str, receive: Receive, send: Send
    ) -> None:
        """Handle an ordinary request: read the body, run the handler, answer."""
        body = await self._read(request, receive)
        if body is None:
            await refuse(receive, send, rules.error(413, "request too large", request_id))
            return
        event = rest_event.build(request, found, method, body, self._binary_types)
        if rest_event.payload_size(event, event["body"]) > self._limits.payload:
            await send_reply(send, rules.error(413, "request too large", request_id))
            return
        is_device = found.template.startswith("/devices/")
        line = self.handlers.devices if is_device else self.handlers.users
        try:
            reply = await self.handlers.run(line, partial(self._answer, event, request, request_id), receive)
        except TimeoutError:
            reply = rules.error(504, "endpoint request timed out", request_id)
        except BusyError as busy:
            reply = rules.busy(busy.retry_after, request_id, explain=not is_device)
        except GoneError:
            return
        await send_reply(send, reply)

    def _answer(self, event: Event, request: Head, request_id: str) -> Reply:
        reply = self._reply(self._invoke(event), request, request_id)
        return reply if request.method == "HEAD" else compressed(reply, request.header("accept-encoding"))

    async def _upload(
        self, request: Head, request_id: str, event: Event, limit: int | None, receive: Receive, send: Send
    ) -> None:
        """Handle a streamed upload, for which only the route's own size limit applies."""
        too_large = rules.error(413, "request too large", request_id)
        if limit is not None and int(request.header("content-length") or 0) > limit:
            await refuse(receive, send, too_large)
            return
        outcome = await self._uploads.run(event, limit, receive)
        reply = too_large if outcome.too_large else self._reply(outcome.result, request, request_id)
        await (send_reply(send, reply) if outcome.whole else refuse(receive, send, reply))

    async def _read(self, request: Head, receive: Receive) -> bytes | None:
        """The whole body; None if it is too large."""
        if int(request.header("content-length") or 0) > self._limits.request:
            return None
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        chunks, size = [body], len(body)
        while message.get("more_body") and size <= self._limits.request:
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        return b"".join(chunks) if size <= self._limits.request else None

    def _invoke(self, event: Event, *, seconds: float | None = None) -> Event | None:
        """Run the app's handler; None if it failed, which only a bug in the app or in Chalice can cause."""
        try:
            result: Event = self._app(event, LambdaContext("api_handler", seconds or self._limits.handler))
        except Exception:
            log.exception("%s %s", event["httpMethod"], event["path"])
            return None
        return result

    def _reply(self, result: Event | None, request: Head, request_id: str) -> Reply:
        """Turn a handler's result into an answer, or into an error where AWS would not accept it."""
        try:
            if result is None or rest_event.payload_size(result, result.get("body")) > self._limits.payload:
                return rules.error(502, "internal server error", request_id)
            return rest_event.reply(result, request, self._binary_types)
        except (KeyError, TypeError, ValueError):
            log.exception("%s %s: not a Lambda proxy result", request.method, request.path)
            return rules.error(502, "internal server error", request_id)


async def _no_websocket(receive: Receive, send: Send) -> None:
    await receive()
    await sockets.refuse(send, Refused(403, b""))
