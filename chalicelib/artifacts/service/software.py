"""Releases as software, the common form of releases and manifests (v1alpha1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.artifacts import shapes, views
from chalicelib.artifacts.tables import releases as release_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.artifacts.rules import Sort
    from chalicelib.artifacts.tables.releases import ReleaseItem
    from chalicelib.storage.keys import TenantId


class SoftwareFilter(msgspec.Struct, frozen=True):
    """The filter of a list of software; empty members match everything.

    ``names`` are exact. A release must have one of ``tags``, and one of ``within`` (the tags to which the caller's
    permission is limited; None: no limit). ``nothing``: a kind is requested of which there is none.
    """

    names: frozenset[str] = frozenset()
    prefix: str = ""
    update_type: str = ""
    tags: frozenset[str] = frozenset()
    within: frozenset[str] | None = None
    nothing: bool = False

    def takes(self, item: ReleaseItem) -> bool:
        """Whether a release is in the list."""
        return (
            (not self.names or item.name in self.names)
            and item.name.startswith(self.prefix)
            and (not self.update_type or any(self.update_type in one.types for one in item.candidates))
            and item.has_any(self.tags or None)
            and item.has_any(self.within)
        )


_SORT_KEYS: dict[str, Callable[[ReleaseItem], Any]] = {
    "modified": lambda item: item.modified,
    "name": lambda item: item.name,
    "tags": lambda item: item.tags,
}


def listed(
    tenant: TenantId, wanted: SoftwareFilter, sort: Sort, *, start: int, stop: int
) -> tuple[list[shapes.Software], int]:
    """Rows ``start`` to ``stop`` of the matching software, and the number of all matches.

    All releases are read, a megabyte per round trip, or only the named ones.
    """
    if wanted.nothing:
        return [], 0
    items = release_table.find_many(tenant, wanted.names) if wanted.names else release_table.by_name(tenant)
    found = sorted(filter(wanted.takes, items), key=_SORT_KEYS[sort.field], reverse=sort.descending)
    return [views.software(item) for item in found[start:stop]], len(found)
