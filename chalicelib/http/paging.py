"""Paging: ``page``, ``per_page``, ``cursor``, the ``Link`` header, ``X-Total-Count`` (``docs/behaviour.md#paging``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import msgspec
from msgspec.structs import replace

from chalicelib import cursors, limits
from chalicelib.cursors import Cursor, Listed
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from chalicelib.http.request import Request, UserRequest


class Page(msgspec.Struct, frozen=True):
    """The requested part of a list: page ``number`` from 1, with ``size`` rows."""

    number: int
    size: int
    cursor: Cursor | None = None
    """Where it is, if the caller followed a link; otherwise the rows before it have to be skipped."""

    @property
    def start(self) -> int:
        """Index of the first row."""
        return (self.number - 1) * self.size

    @property
    def stop(self) -> int:
        """Index after the last row."""
        return self.number * self.size


def read_page(
    request: Request,
    *,
    default: int = limits.PER_PAGE_DEFAULT,
    maximum: int = limits.PER_PAGE_MAX,
    lenient: bool = False,
) -> Page:
    """The requested page. ``lenient`` lists (v1 artifacts and releases) replace bad values by the defaults.

    Raises:
        BadRequest: a value is not a positive integer, or ``per_page`` is above ``maximum``.
    """
    try:
        number = _positive(request.query.get("page"), "page", 1)
        size = _size(request, default, maximum)
    except BadRequest:
        if not lenient:
            raise
        return Page(1, limits.PER_PAGE_DEFAULT)
    return Page(number, size)


def read_part(request: UserRequest, *, maximum: int) -> tuple[str, int]:
    """The requested part of a list without numbered pages: the key of the row before it, and its largest size.

    At the beginning of the list the key is empty. The size is ``maximum`` if none is given.

    Raises:
        BadRequest: ``per_page`` is not a positive integer up to ``maximum``, or the cursor is not one of this list.
    """
    text = request.query.get("cursor")
    after = cursors.decode(text, _context(request)).key if text else ""
    return after, _size(request, maximum, maximum)


def read_place(request: UserRequest, *, maximum: int = limits.PER_PAGE_MAX) -> Page:
    """The requested page of a list that has cursors.

    Raises:
        BadRequest: as :func:`read_page`, or the cursor is not one of this list.
    """
    page = read_page(request, maximum=maximum)
    text = request.query.get("cursor")
    return page if not text else replace(page, cursor=cursors.decode(text, _context(request)))


def _context(request: UserRequest) -> str:
    """What a cursor is valid for: the tenant, the list and its filter."""
    pairs = {key: values for key, values in request.query.multi.items() if key not in _WHICH_PAGE}
    return f"{request.tenant} {request.path}?{_query(pairs)}"


_WHICH_PAGE = frozenset({"page", "per_page", "cursor"})


def page_of(number: int, size: int) -> Page:
    """The page in a body. Zero, Go's form of an absent value, means the default.

    Raises:
        BadRequest: a number is out of range.
    """
    page = Page(number or 1, size or limits.PER_PAGE_DEFAULT)
    if not 1 <= page.number <= _NUMBER_MAX or not 1 <= page.size <= limits.PER_PAGE_MAX:
        raise BadRequest(f"page or per_page out of bounds (per_page max: {limits.PER_PAGE_MAX})")
    return page


_NUMBER_MAX = 10**9


def _size(request: Request, default: int, maximum: int) -> int:
    size = _positive(request.query.get("per_page"), "per_page", default)
    if size > maximum:
        raise BadRequest(f'parameter "per_page" above limit (max: {maximum})')
    return size


def _positive(text: str | None, name: str, default: int) -> int:
    if text is None or text == "":
        return default
    # Only ASCII digits, because int() also accepts "1_0" and digits of other scripts.
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(_NUMBER_MAX)):
        raise BadRequest(f'invalid {name} query: "{text[:32]}"')
    value = int(text)
    if value < 1 or value > _NUMBER_MAX:
        raise BadRequest(f"invalid {name} query: value must be a non-zero positive integer")
    return value


def _links(
    request: Request, page: Page, *, more: bool, total: int | None, before: str = "", after: str = ""
) -> list[str]:
    """The ``Link`` headers of a list, one per relation: first, prev, next, last.

    The target is the request's own path with all its parameters, sorted by name, and always with ``per_page``.
    ``before`` and ``after`` are cursors.
    """
    targets = [("first", 1, "")]
    if page.number > 1:
        # The first page begins at the first row, whatever has been added meanwhile.
        targets.append(("prev", page.number - 1, before if page.number > 2 else ""))
    if more:
        targets.append(("next", page.number + 1, after))
    if total:
        targets.append(("last", -(-total // page.size), ""))
    return [f'<{_target(request, page, number, cursor)}>; rel="{relation}"' for relation, number, cursor in targets]


def _target(request: Request, page: Page, number: int, cursor: str) -> str:
    pairs = {key: list(values) for key, values in request.query.multi.items() if key != "cursor"}
    pairs["page"], pairs["per_page"] = [str(number)], [str(page.size)]
    if cursor:
        pairs["cursor"] = [cursor]
    return f"{request.path}?{_query(pairs)}"


def _query(pairs: Mapping[str, Sequence[str]]) -> str:
    return "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key in sorted(pairs) for value in pairs[key])


def headers(
    request: Request, page: Page, *, total: int | None = None, more: bool = False
) -> dict[str, str | list[str]]:
    """``Link``, and ``X-Total-Count`` if the number of all rows is given.

    If it is not known or not shown, ``more`` says whether the page is followed by another.
    """
    if total is None:
        return {"Link": _links(request, page, more=more, total=None)}
    return {"Link": _links(request, page, more=total > page.stop, total=total), "X-Total-Count": str(total)}


def header_with_next(request: UserRequest, key: str | None) -> dict[str, str | list[str]]:
    """``Link`` to the part after the row with this key in a list without numbered pages; nothing for None."""
    if key is None:
        return {}
    pairs = dict(request.query.multi)
    pairs["cursor"] = [cursors.encode(Cursor(key), _context(request))]
    return {"Link": [f'<{request.path}?{_query(pairs)}>; rel="next"']}


def headers_with_cursors(
    request: UserRequest, page: Page, listed: Listed[Any], *, keep_total: bool = False
) -> dict[str, str | list[str]]:
    """As :func:`headers`, with cursors in the links to the previous and the next page.

    ``keep_total``: cursors contain the total, because counting the rows of this list is expensive.
    """
    before = after = ""
    if listed.ends is not None:
        context, total = _context(request), listed.total if keep_total else 0
        before = cursors.encode(Cursor(listed.ends[0], before=True, total=total), context)
        after = cursors.encode(Cursor(listed.ends[1], total=total), context)
    more = listed.total > page.stop and (bool(listed.rows) or page.cursor is None)
    links = _links(request, page, more=more, total=listed.total, before=before, after=after)
    return {"Link": links, "X-Total-Count": str(listed.total)}
