"""Recordings, fetched from the REST API with the caller's credentials."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib import limits
from infra.relay.upstream import Refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

_SECONDS = 20
_MOST = 4 * limits.RECORDING


class RestRecordings:
    """Recordings from the server at ``url`` (``https://host``)."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self._url = url
        self._tls = tls

    async def get(self, session: str, headers: Mapping[str, str]) -> bytes:
        """As :class:`infra.relay.playback.Recordings`."""
        place = f"/api/management/v1/deviceconnect/sessions/{quote(session, safe='')}/recording"
        link = json.loads(await asyncio.to_thread(self._fetch, self._url + place, headers))["uri"]
        return await asyncio.to_thread(self._fetch, link, {})

    def _fetch(self, url: str, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310  # the server's own
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS, context=self._tls) as answer:  # noqa: S310
                return bytes(answer.read(_MOST))
        except urllib.error.HTTPError as refused:
            with refused:
                raise Refused(refused.code, refused.read(limits.KIB)) from refused
        except OSError as error:
            raise Refused(503, b"") from error
