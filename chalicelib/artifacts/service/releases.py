"""Releases as operators manage them: show, list, tag, describe, delete with all artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import clock
from chalicelib.artifacts import rules, shapes, views
from chalicelib.artifacts.service import catalog
from chalicelib.artifacts.tables import artifacts as artifact_table
from chalicelib.artifacts.tables import releases as release_table
from chalicelib.artifacts.tables import usage as usage_table
from chalicelib.auditlogs import service as auditlogs
from chalicelib.errors import BadRequest, Conflict, Forbidden, NotFound, ReleasesInUse
from chalicelib.limits import RELEASE_TAGS_TOTAL
from chalicelib.rights import Names
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from chalicelib.artifacts.rules import Sort
    from chalicelib.artifacts.tables.artifacts import ArtifactItem
    from chalicelib.artifacts.tables.releases import ReleaseItem
    from chalicelib.storage.keys import TenantId

SORTS = ("name", "modified", "artifacts_count", "tags")
"""The sort keys of v2 lists; v1 has the first two."""
_AT_ONCE = 40
_SORT_KEYS: dict[str, Callable[[ReleaseItem], Any]] = {
    "modified": lambda item: item.modified,
    "artifacts_count": lambda item: len(item.artifacts),
    "tags": lambda item: item.tags,
}


class ReleaseFilter(msgspec.Struct, frozen=True):
    """The filter of a list of releases.

    ``name`` and ``description`` (of an artifact) must be contained, in any letter case; ``device_type`` and
    ``update_type`` (of an artifact) are exact. A release must have one of ``tags``, and one of ``within`` if that is
    given.
    """

    within: Names | None
    name: str = ""
    description: str = ""
    device_type: str = ""
    update_type: str = ""
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        asked = (self.name, self.description, self.device_type, self.update_type, self.tags)
        return any(asked) or self.within is not None


def _found(item: ReleaseItem | None) -> ReleaseItem:
    if item is None:
        raise NotFound("Resource not found")
    return item


def show(tenant: TenantId, name: str) -> shapes.Release:
    """A release with its artifacts.

    Raises:
        NotFound: there is none with this name.
    """
    item = _found(release_table.find(tenant, name))
    return views.release(item, artifact_table.find_many(tenant, item.artifacts))


def is_tagged(tenant: TenantId, name: str, tags: Collection[str]) -> bool:
    """Whether there is a release with this name that has one of ``tags``."""
    item = release_table.find(tenant, name)
    return item is not None and item.has_any(tags)


def listed(
    tenant: TenantId, wanted: ReleaseFilter, sort: Sort, *, start: int, stop: int
) -> tuple[list[shapes.Release], int]:
    """Rows ``start`` to ``stop`` of the releases that match, and how many match in all.

    Without a filter and sorted by name it takes two round trips (three in descending order). Otherwise all releases are
    read, a megabyte per round trip.
    """
    if wanted or sort.field != "name":
        items = _matching(tenant, wanted, sort)
        shown = items[start:stop]
        found = artifact_table.find_many(tenant, [artifact for item in shown for artifact in item.artifacts])
        return [views.release(item, found) for item in shown], len(items)
    shown, total = release_table.page(tenant, start=start, stop=stop, descending=sort.descending)
    if total is None:
        total = int(usage_table.find(tenant).release_count)
    found = _neighbours(tenant, shown)
    return [views.release(item, found) for item in shown], total


def _neighbours(tenant: TenantId, shown: list[ReleaseItem]) -> dict[str, ArtifactItem]:
    """The artifacts of releases that are neighbours by name, by id.

    They are neighbours in the index, so one query is much cheaper than reading each. What it does not find (keys of
    very long names have another order) is read by id.
    """
    if not shown:
        return {}
    first, last = sorted((shown[0].name, shown[-1].name))
    found = artifact_table.between(tenant, first, last)
    missing = [artifact for item in shown for artifact in item.artifacts if artifact not in found]
    return found | artifact_table.find_many(tenant, missing) if missing else found


def _matching(tenant: TenantId, wanted: ReleaseFilter, sort: Sort) -> list[ReleaseItem]:
    in_name = rules.contains(wanted.name)
    described = _described(tenant, wanted.description) if wanted.description else None

    def matches(item: ReleaseItem) -> bool:
        artifacts = item.candidates
        return (
            in_name(item.name)
            and (described is None or item.name in described)
            and (not wanted.device_type or any(wanted.device_type in one.device_types for one in artifacts))
            and (not wanted.update_type or any(wanted.update_type in one.types for one in artifacts))
            and item.has_any(wanted.tags or None)
            and item.has_any(wanted.within)
        )

    items = [item for item in release_table.by_name(tenant) if matches(item)]
    if key := _SORT_KEYS.get(sort.field):
        items.sort(key=key, reverse=sort.descending)
    elif sort.descending:
        items.reverse()
    return items


def _described(tenant: TenantId, text: str) -> set[str]:
    """Names of the artifacts whose description contains a text, because releases do not store descriptions."""
    contains = rules.contains(text)
    return {item.name for item in artifact_table.by_name(tenant) if contains(item.description)}


def set_notes(tenant: TenantId, name: str, notes: str | None) -> None:
    """Change a release's notes; None keeps them.

    Raises:
        BadRequest: they are too long or not printable.
        NotFound: there is no such release.
    """
    if notes is None:
        _found(release_table.find(tenant, name))
        return
    tx = Transaction()
    release_table.set_notes(tx, tenant, name, rules.check_notes(notes), clock.now())
    _record(tx, tenant, name, f"Notes: {notes!r}")
    try:
        tx.commit()
    except ConditionFailed as error:
        if error.failed[release_table.LABEL] is None:
            raise NotFound("Resource not found") from error


def _record(tx: Transaction, tenant: TenantId, name: str, change: str) -> None:
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, catalog.audited_release(name), change=change)


@retried
def set_tags(tenant: TenantId, name: str, tags: list[str], within: Names | None) -> None:
    """Replace a release's tags.

    ``within``: the tags to which the caller's permission is limited, which alone may be added or removed; None: all. A
    tag is what permits others to deploy a release, so a user who manages candidates must not be able to make one a
    production release.

    Raises:
        BadRequest: a tag is not valid.
        Forbidden: tags other than those ``within`` would be added or removed.
        NotFound: there is no such release.
        Conflict: the tenant would have more than 100 distinct tags.
    """
    wanted = rules.read_tags(tags)
    item = _found(release_table.find(tenant, name))
    if within is not None and not set(wanted) ^ set(item.tags) <= set(within):
        raise Forbidden("your permission is limited to some release tags; you cannot add or remove other tags")
    known = usage_table.tags(tenant)
    counts = rules.recount_tags(known.counts, item.tags, wanted)
    if len(counts) > RELEASE_TAGS_TOTAL and not counts.keys() <= known.counts.keys():
        raise Conflict("the total number of unique tags has been exceeded")
    tx = Transaction()
    release_table.change(tx, item, clock.now(), tags=wanted)
    usage_table.save_tags(tx, known, counts)
    if wanted != item.tags:
        _record(tx, tenant, name, f"Tags: {', '.join(item.tags) or '(none)'} -> {', '.join(wanted) or '(none)'}")
    tx.commit()


def all_tags(tenant: TenantId, within: Names | None) -> list[str]:
    """The distinct tags of all releases, or of those that have one of ``within``, sorted."""
    if within is None:
        return sorted(usage_table.tags(tenant).counts)
    return sorted({tag for item in _within(tenant, within) for tag in item.tags})


def all_types(tenant: TenantId, within: Names | None) -> list[str]:
    """The payload types that artifacts have or ever had, sorted; or those of releases that have one of ``within``."""
    if within is None:
        return sorted(usage_table.types(tenant))
    return sorted({kind for item in _within(tenant, within) for one in item.candidates for kind in one.types})


def _within(tenant: TenantId, tags: frozenset[str]) -> list[ReleaseItem]:
    return [item for item in release_table.by_name(tenant) if item.has_any(tags)]


def delete(tenant: TenantId, names: list[str], *, tags: Names | None) -> None:
    """Delete releases with all their artifacts. Unknown names are ignored, and releases outside the scope are kept.

    Args:
        tenant: the releases' tenant.
        names: their names.
        tags: only releases with one of these are deleted; None: any release.

    Raises:
        BadRequest: no name is given.
        ReleasesInUse: unfinished deployments use some of them, and nothing was deleted; or one began to meanwhile.
    """
    wanted = [name for name in dict.fromkeys(names) if name]
    if not wanted:
        raise BadRequest("at least one release name has to be provided")
    found = [item for item in release_table.find_many(tenant, wanted) if _is_within(item, tags)]
    _check_idle(found)
    for item in found:
        while _delete_some(tenant, item.name, tags):
            pass


def _is_within(item: ReleaseItem, tags: Names | None) -> bool:
    return tags is None or item.has_any(tags)


@retried
def _delete_some(tenant: TenantId, name: str, tags: Names | None) -> bool:
    """Delete as many artifacts of a release as fit into a transaction; returns whether there were any."""
    item = release_table.find(tenant, name)
    if item is None or not _is_within(item, tags):
        return False
    _check_idle([item])
    gone = list(item.artifacts)[:_AT_ONCE]
    change = f"Artifacts: {', '.join(gone)}"
    catalog.remove(tenant, item, gone, catalog.audited_release(name), change=change)
    return True


def _check_idle(items: list[ReleaseItem]) -> None:
    used = [item.name for item in items if item.open_deployments > 0]
    if used:
        raise ReleasesInUse(used)
