"""The relay's ASGI app: Mender's paths for binary websockets and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote

from chalicelib import limits
from chalicelib.http.paths import plain
from infra.relay import files, playback, sockets, uploads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from infra.relay.playback import Recordings
    from infra.relay.uploads import Api
    from infra.relay.upstream import Upstream

    Scope = dict[str, Any]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

DEVICE = "/api/devices/v1/deviceconnect/connect"
_DEVICE_PATH = re.compile(r"/api/management/v1/deviceconnect/devices/([^/]+)/(connect|download|upload)")
_PLAYBACK_PATH = re.compile(r"/api/management/v1/deviceconnect/sessions/([^/]+)/playback")
_VERBS = {"download": {"GET", "HEAD"}, "upload": {"PUT"}}
_SLEEP_MS = 100


class Relay:
    """Serves the relay's paths; another app can serve those for which :meth:`serves` is false."""

    def __init__(self, upstream: Upstream, recordings: Recordings, api: Api | None = None) -> None:
        """``api`` takes uploads of artifacts; without it the relay does not serve their path."""
        self._upstream = upstream
        self._recordings = recordings
        self._api = api

    @staticmethod
    def wish(scope: Scope) -> dict[str, str] | None:
        """The WebSocket API's query for a websocket at one of Mender's paths; None for other paths."""
        path = _path(scope)
        found = _DEVICE_PATH.fullmatch(path)
        if found is not None and found[2] == "connect":
            return {"device_id": unquote(found[1])}
        return {} if path == DEVICE else None

    def serves(self, scope: Scope) -> bool:
        """Whether the relay serves this request or websocket."""
        path = _path(scope)
        if scope["type"] == "websocket":
            return Relay.wish(scope) is not None or bool(_PLAYBACK_PATH.fullmatch(path))
        if path == uploads.PATH:
            return self._api is not None
        found = _DEVICE_PATH.fullmatch(path)
        return bool(found and scope["method"] in _VERBS.get(found[2], ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request or websocket for which :meth:`serves` is true."""
        path = _path(scope)
        if self._api is not None and path == uploads.PATH:
            serve = uploads.upload if scope["method"] == "POST" else uploads.pass_on
            await serve(scope, receive, send, self._api)
            return
        found = _DEVICE_PATH.fullmatch(path)
        query = parse_qs(scope["query_string"].decode("latin-1"), errors="surrogateescape")
        if found is None:
            await self._socket(scope, receive, send, query)
            return
        device = unquote(found[1])
        if scope["type"] == "websocket":
            wish = {"device_id": device}
            await sockets.bridge(scope, receive, send, self._upstream, query=wish)
        elif found[2] == "download":
            file = query.get("path", [""])[0]
            await files.download(scope, receive, send, self._upstream, device=device, path=file)
        else:
            await files.upload(scope, receive, send, self._upstream, device=device)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, query: dict[str, list[str]]) -> None:
        recorded = _PLAYBACK_PATH.fullmatch(_path(scope))
        if recorded is None:
            most = limits.CONNECT_DEVICE_BODY
            await sockets.bridge(scope, receive, send, self._upstream, query={}, most=most)
            return
        text = query.get("sleep_ms", [""])[0]
        sleep_ms = int(text) if text.isdecimal() and len(text) < 9 else _SLEEP_MS
        await playback.play(scope, receive, send, self._recordings, session=unquote(recorded[1]), sleep_ms=sleep_ms)


def _path(scope: Scope) -> str:
    """The path in normalized percent-encoding; an escaped slash stays escaped, as it is part of a name."""
    raw = scope.get("raw_path")
    return plain(quote(scope["path"]) if raw is None else raw.decode("latin-1"))
