"""Optimistic writes: ``ETag`` out, ``If-Match`` in. Mender's tags are bare text, without quotes; both are taken."""

from __future__ import annotations

from chalicelib.errors import PreconditionFailed


def if_match(header: str | None) -> str | None:
    """The version that a request insists on; None if it takes any."""
    if header is None:
        return None
    value = header.strip().removeprefix("W/").strip('"')
    return None if value in {"", "*"} else value


def check(wanted: str | None, stored: str | None) -> None:
    """Compare.

    Raises:
        PreconditionFailed: the caller insists on a version that is not the stored one.
    """
    if wanted is not None and wanted != stored:
        raise PreconditionFailed("ETag does not match")
