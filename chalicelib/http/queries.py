"""Query parameters that several lists share, besides pages (``paging``)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from chalicelib.http.request import Query

_SECONDS = re.compile(r"[+-]?[0-9]+")
"""The integers that Go accepts; int() would also accept spaces, "1_0" and digits of other scripts."""


def seconds(query: Query, name: str) -> datetime | None:
    """A time in seconds since 1970; None when absent.

    Raises:
        BadRequest: it is not such a time.
    """
    text = query.get(name)
    if not text:
        return None
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise BadRequest(f'invalid {name} query: "{text[:32]}"')


def newest_first(query: Query) -> bool:
    """``sort`` of a list by time: ``desc``, which is the default, or ``asc``.

    Raises:
        BadRequest: it is neither.
    """
    order = query.get("sort") or "desc"
    if order not in {"asc", "desc"}:
        raise BadRequest(f"sort: must be asc or desc, not {order[:32]}")
    return order == "desc"
