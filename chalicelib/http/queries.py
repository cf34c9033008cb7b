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

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")


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


def number(query: Query, name: str, default: float, least: float, most: float) -> float:
    """A number in decimal form; ``default`` when absent.

    Raises:
        BadRequest: it is no such number, or beyond the bounds.
    """
    text = query.get(name)
    if not text:
        return default
    if not _NUMBER.fullmatch(text) or not least <= (found := float(text)) <= most:
        raise BadRequest(f"{name}: must be a number from {least:,.12g} to {most:,.12g}, not {text[:32]}")
    return found


def newest_first(query: Query) -> bool:
    """``sort`` of a list by time: ``desc``, which is the default, or ``asc``.

    Raises:
        BadRequest: it is neither.
    """
    return order(query, "asc", "desc") == "desc"


def order(query: Query, *orders: str) -> str:
    """``sort``, one of some orders; ``desc`` by default.

    Raises:
        BadRequest: it is none of them.
    """
    found = query.get("sort") or "desc"
    if found not in orders:
        raise BadRequest(f"sort: must be {' or '.join(orders)}, not {found[:32]}")
    return found
