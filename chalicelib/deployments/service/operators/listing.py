"""Lists of deployments (``docs/behaviour.md#lists-of-deployments``)."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from chalicelib import clock
from chalicelib.artifacts import service as artifacts
from chalicelib.cursors import Listed
from chalicelib.deployments import views
from chalicelib.deployments.rules import summaries as summary_rules
from chalicelib.deployments.rules.deployment import Deployment
from chalicelib.deployments.rules.statistics import NONE
from chalicelib.deployments.service import plans
from chalicelib.deployments.service.operators import showing, summaries
from chalicelib.deployments.service.operators.reach import Reach
from chalicelib.deployments.tables import counters, deployments, rows
from chalicelib.deployments.tables.items import place
from chalicelib.errors import ReleasesInUse
from chalicelib.fleet import heads as fleet_heads
from chalicelib.inventory import service as inventory
from chalicelib.rights import groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.cursors import Cursor
    from chalicelib.deployments.rules.deployment import Plan
    from chalicelib.deployments.rules.summaries import Summary
    from chalicelib.deployments.shapes import Deployment as Shown
    from chalicelib.rights import Names, Scopes
    from chalicelib.storage.keys import TenantId

_FINISHED = frozenset({"finished"})


class Wanted(msgspec.Struct, frozen=True):
    """The filter of a list; empty members match everything."""

    statuses: frozenset[str] = frozenset()
    """In the wire format: pending, inprogress, finished, scheduled."""
    kind: str | None = None
    ids: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()
    """Texts: a word of one of them must be in the name or the artifact's name."""
    created_after: datetime | None = None
    created_before: datetime | None = None
    newest_first: bool = True
    nearest_first: bool = False
    """First those whose names are most like one of the texts."""

    @property
    def plain(self) -> bool:
        """Whether the index alone can answer."""
        others = self.kind or self.ids or self.search or self.created_after or self.created_before
        return not others and self.statuses in {frozenset(), _FINISHED}

    @property
    def words(self) -> frozenset[str]:
        """The words of the texts."""
        return frozenset(word for text in self.search for word in text.lower().split())

    def distance(self, plan: Plan | Summary) -> tuple[int, int]:
        """How far a deployment is from the nearest of the texts."""
        return min((summary_rules.distance(plan, text) for text in self.search), default=(0, 0))

    @property
    def is_open(self) -> bool | None:
        """Whether only unfinished ones are requested, or only finished ones; None: both."""
        if not self.statuses:
            return None
        return False if self.statuses == _FINISHED else (None if "finished" in self.statuses else True)


class Named(msgspec.Struct, frozen=True):
    """A device by a naming attribute. Without a scope: identity, or for ``name`` every scope with names."""

    attribute: str
    scope: str | None
    value: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes to search."""
        if self.scope:
            return (self.scope,)
        return ("tags", "inventory") if self.attribute == "name" else ("identity",)


def list_deployments(  # the parts of a page
    tenant: TenantId,
    wanted: Wanted,
    start: int,
    stop: int,
    *,
    cursor: Cursor | None = None,
    device: Named | None = None,
    scopes: Scopes,
) -> Listed[Shown]:
    """Rows ``start`` to ``stop`` of the matching deployments, by age, and their number.

    Args:
        tenant: the tenant.
        wanted: the filter.
        start: the first row.
        stop: the row after the last.
        cursor: where the page is, so that no row before it has to be read. Lists of which all rows are read anyway
            ignore it.
        device: if no deployment has the name, deployments of this device are shown instead.
        scopes: deployments and devices outside of them are not found.
    """
    reach = Reach(tenant, scopes)
    if wanted.plain and reach.everywhere:
        return _page(tenant, wanted, start, stop, cursor)
    chosen = _chosen(tenant, wanted)
    if chosen is not None and chosen.ids and reach.everywhere and not wanted.statuses:
        page = chosen.read(tenant, start, stop)
        return Listed(showing.show_all(tenant, page, recent=True), len(chosen.ids))
    matching = _matching(tenant, wanted, reach, chosen)
    if not matching and device is not None:
        ids = _of_device(tenant, device, groups_of(scopes))
        matching = _matching(tenant, replace(wanted, ids=ids, search=()), reach, None) if ids else []
    return Listed(showing.show_all(tenant, matching[start:stop], recent=True), len(matching))


def _page(tenant: TenantId, wanted: Wanted, start: int, stop: int, cursor: Cursor | None) -> Listed[Shown]:
    """A page of a list for which the index alone suffices."""
    is_open, newest_first = wanted.is_open, wanted.newest_first
    if cursor is not None:
        page = deployments.beside(tenant, cursor, is_open=is_open, newest_first=newest_first, limit=stop - start)
    else:
        found = deployments.of_tenant(tenant, is_open=is_open, newest_first=newest_first, limit=stop)
        page = list(islice(found, start, stop))
    rows, (total, opened) = showing.show_with_totals(tenant, page)
    return Listed(
        rows=rows,
        total=total if is_open is None else total - opened,
        ends=(place(page[0].plan), place(page[-1].plan)) if page else None,
    )


class _Chosen(msgspec.Struct, frozen=True):
    """The deployments of which the summaries match, in the order of the list."""

    ids: list[str]
    among: int
    """The number of all deployments."""
    known: dict[str, Deployment]
    """Deployments that have been read, by id."""

    def read(self, tenant: TenantId, start: int = 0, stop: int | None = None) -> list[Deployment]:
        """The deployments of these rows, 100 per round trip."""
        page = self.ids[start:stop]
        unread = [each for each in page if each not in self.known]
        found = self.known | deployments.find_many(tenant, unread) if unread else self.known
        return [found[each] for each in page if each in found]


def _chosen(tenant: TenantId, wanted: Wanted) -> _Chosen | None:
    """What summaries tell about the list; None if it can be read without them, or they would not help."""
    if wanted.ids or wanted.is_open:
        return None
    if not (wanted.search or wanted.kind or wanted.created_after or wanted.created_before):
        return None
    everything = summaries.read(tenant)
    words = wanted.words
    found = [
        each
        for block in everything.blocks
        if block.may_contain(words)
        for each in block.summaries
        if _matches(each, wanted, words)
    ]
    if wanted.newest_first:
        found.reverse()
    if wanted.nearest_first:
        found.sort(key=wanted.distance)
    return _Chosen([each.id for each in found], len(everything), everything.later)


_DEARER = 5
"""About how many times the read units of a list it costs to read its rows one by one."""


def _matching(tenant: TenantId, wanted: Wanted, reach: Reach, chosen: _Chosen | None) -> list[Deployment]:
    found: Iterable[Deployment]
    if wanted.ids:
        named = deployments.find_many(tenant, wanted.ids).values()
        found = sorted(named, key=lambda each: each.plan.sequence, reverse=wanted.newest_first)
    elif chosen is not None and len(chosen.ids) * _DEARER <= chosen.among:
        found = chosen.read(tenant)
    else:
        found = deployments.of_tenant(tenant, is_open=wanted.is_open, newest_first=wanted.newest_first)
    words = wanted.words
    matching = [each for each in found if _matches(each.plan, wanted, words) and reach.takes(each.plan)]
    if wanted.nearest_first:
        matching.sort(key=lambda each: wanted.distance(each.plan))
    if wanted.statuses in {frozenset(), _FINISHED}:
        return [each for each in matching if not (wanted.statuses and each.is_open)]
    counts = counters.read(tenant, (each.plan for each in matching if each.is_open), recent=True)
    now = clock.now()
    return [each for each in matching if views.status(each, counts.get(each.id, NONE), now) in wanted.statuses]


def _matches(plan: Plan | Summary, wanted: Wanted, words: frozenset[str]) -> bool:
    if wanted.kind and plan.kind != wanted.kind:
        return False
    if wanted.search:
        text = summary_rules.text(plan)
        if not any(word in text for word in words):
            return False
    # Both limits are inclusive moments; what was created within the second `created_before` is after it.
    if wanted.created_after and plan.created < wanted.created_after:
        return False
    return not (wanted.created_before and plan.created > wanted.created_before)


def _of_device(tenant: TenantId, named: Named, groups: frozenset[str] | None) -> frozenset[str]:
    """Ids of the deployments that the device has polled into, or will."""
    found = (inventory.having(tenant, scope, named.attribute, named.value, groups) for scope in named.scopes)
    device_id = next((each for ids in found for each in ids), None)
    head = fleet_heads.find(tenant, device_id) if device_id is not None else None
    if head is None or (groups is not None and head.group not in groups):
        return frozenset()
    asked = {row.deployment_id for row in rows.of_device(tenant, head.device_id)}
    opened = deployments.of_tenant(tenant, is_open=True, newest_first=False)
    return frozenset(asked) | {each.id for each in opened if plans.includes(tenant, each.plan, head.device_id)}


def delete_releases(tenant: TenantId, names: list[str], *, tags: Names | None, seen: Scopes) -> None:
    """Delete releases with all their artifacts, as ``artifacts.delete_releases`` does.

    Args:
        tenant: the releases' tenant.
        names: their names.
        tags: only releases with one of these are deleted; None: any release.
        seen: the scopes in which the caller may see deployments.

    Raises:
        BadRequest: no name is given.
        ReleasesInUse: unfinished deployments use some of them. It names those that the caller may see.
    """
    try:
        artifacts.delete_releases(tenant, names, tags=tags)
    except ReleasesInUse as error:
        used = _open_by_release(tenant, error.names, seen)
        raise ReleasesInUse(error.names, used) from error


def _open_by_release(tenant: TenantId, names: Iterable[str], scopes: Scopes) -> list[str]:
    wanted, reach = set(names), Reach(tenant, scopes)
    opened = deployments.of_tenant(tenant, is_open=True, newest_first=False)
    return [each.id for each in opened if each.plan.artifact_name in wanted and reach.takes(each.plan)]
