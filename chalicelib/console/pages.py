"""``/ui``: the console's page and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalice.app import Blueprint

from chalicelib.console import files, policies
from chalicelib.errors import NotFound
from chalicelib.http import etag
from chalicelib.http.endpoint import public_route
from chalicelib.http.request import Reply, Request

if TYPE_CHECKING:
    from chalicelib.console.files import File

bp = Blueprint(__name__)

_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
"""Browsers may keep a copy, but have to ask the server whether it is still the newest."""
_NOT_BUILT: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lamplighter: the console is not built</title>
<h1>The console is not built yet</h1>
<p>This server was started or deployed without its web page. The API works as usual.</p>
<p>On one machine, run <code>make ui</code> in the project's folder and load this page again. For AWS, run
<code>make deploy</code>, which builds the console first; plain <code>chalice deploy</code> does not.</p>
</html>
"""


@public_route(bp, "GET /ui")
def show(request: Request) -> Reply[str]:
    """The page. API Gateway treats ``/ui`` and ``/ui/`` alike; the page's own links only work from the latter."""
    if not request.path.endswith("/"):
        return Reply(308, headers={**policies.headers(request), "Location": "ui/", "Cache-Control": _ASK_AGAIN})
    return _page(request)


@public_route(bp, "GET /ui/{file}")
def show_file(request: Request, file: str) -> Reply[str]:
    """A file beside the page, or the page by its name."""
    if file == "index.html":
        return _page(request)
    return _reply(request, _found(files.beside(file)), _ASK_AGAIN)


@public_route(bp, "GET /ui/assets/{file}")
def show_asset(request: Request, file: str) -> Reply[str]:
    """A script, a style sheet or a picture. Its name changes with its content, so browsers may keep it."""
    return _reply(request, _found(files.asset(file)), _FOREVER)


def _page(request: Request) -> Reply[str]:
    page = files.page()
    if page is None:
        headers = {**policies.headers(request), "Cache-Control": "no-store"}
        return Reply(404, _NOT_BUILT, headers, files.TYPES[".html"])
    return _reply(request, page, _ASK_AGAIN)


def _found(file: File | None) -> File:
    if file is None:
        raise NotFound("the console has no such file; load its page again if it was updated meanwhile")
    return file


def _reply(request: Request, file: File, caching: str) -> Reply[str]:
    headers = {**policies.headers(request), "Cache-Control": caching, "ETag": file.etag}
    if etag.is_known(request.headers.get("if-none-match"), file.etag):
        return Reply(304, headers=headers)
    return Reply(200, file.text, headers, file.content_type)
