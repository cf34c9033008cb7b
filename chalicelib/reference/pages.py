"""``/openapi.json``: the description of the API."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from chalice.app import Blueprint

from chalicelib.http import etag
from chalicelib.http.endpoint import public_route
from chalicelib.http.request import Reply, Request

bp = Blueprint(__name__)

FILE: Final = Path(__file__).with_name("openapi.json")


@public_route(bp, "GET /openapi.json")
def show_description(request: Request) -> Reply[str]:
    """Get this description: OpenAPI 3.1, the same for everyone until the server is updated."""
    data = FILE.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    # Public: it contains nothing that the project's pages don't say. Pages of other sites may read it.
    headers: dict[str, str | list[str]] = {
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public, max-age=300",
        "ETag": tag,
    }
    if etag.is_known(request.headers.get("if-none-match"), tag):
        return Reply(304, headers=headers)
    return Reply(200, data.decode(), headers)
