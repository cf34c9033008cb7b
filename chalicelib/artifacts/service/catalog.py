"""Artifacts as operators manage them: show, list, describe, delete, download."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from chalicelib import clock, limits, settings
from chalicelib.artifacts import rules, shapes, views
from chalicelib.artifacts.service import offering
from chalicelib.artifacts.tables import artifacts as artifact_table
from chalicelib.artifacts.tables import releases as release_table
from chalicelib.artifacts.tables import uploads as upload_table
from chalicelib.artifacts.tables import usage as usage_table
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Object, ObjectType
from chalicelib.aws import links, s3
from chalicelib.errors import BadRequest, Conflict, NotFound, Unprocessable
from chalicelib.fleet import control
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from chalicelib.artifacts.rules import Pattern, Sort
    from chalicelib.artifacts.tables.artifacts import ArtifactItem
    from chalicelib.artifacts.tables.releases import ReleaseItem
    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId

_IN_USE = "Artifact is used in active deployment"

Test = Callable[["ArtifactItem"], bool]


def _found(item: ArtifactItem | None) -> ArtifactItem:
    if item is None:
        raise NotFound("Resource not found")
    return item


def show(tenant: TenantId, artifact_id: str) -> shapes.Artifact:
    """An artifact.

    Raises:
        BadRequest: the id is not a UUID.
        NotFound: there is none with this id.
    """
    return views.artifact(_found(artifact_table.find(tenant, rules.check_id(artifact_id))))


def release_of(tenant: TenantId, artifact_id: str) -> str | None:
    """The name of the release that an artifact belongs to; None if there is none with this id."""
    item = artifact_table.find(tenant, artifact_id.lower())
    return item.name if item else None


def of_release(tenant: TenantId, name: str, device_type: str) -> list[shapes.Artifact]:
    """The artifacts of a release for a device type.

    Raises:
        NotFound: there is no such release.
    """
    release = release_table.find(tenant, name)
    if release is None:
        raise NotFound("Resource not found")
    ids = [one.id for one in release.candidates if device_type in one.device_types]
    found = artifact_table.find_many(tenant, ids)
    return [views.artifact(found[each]) for each in ids if each in found]


def matching(*, name: str | None = None, description: str | None = None, device_type: str | None = None) -> Test | None:
    """The filter of the v1 lists: each text must be contained, in any letter case; None without a filter."""
    tests: list[Test] = []
    if name:
        in_name = rules.contains(name)
        tests.append(lambda item: in_name(item.name))
    if description:
        in_description = rules.contains(description)
        tests.append(lambda item: in_description(item.description))
    if device_type:
        in_type = rules.contains(device_type)
        tests.append(lambda item: any(map(in_type, item.content["device_types_compatible"])))
    return (lambda item: all(test(item) for test in tests)) if tests else None


def listed(
    tenant: TenantId,
    test: Test | None,
    sort: Sort,
    *,
    start: int = 0,
    stop: int | None = None,
    tags: Names | None,
) -> tuple[list[shapes.Artifact], int]:
    """Rows ``start`` to ``stop`` of the artifacts that pass ``test``, and how many there are in all.

    With ``tags``, of those whose release has one of them.

    Without a test and sorted by name it takes two round trips. Otherwise all artifacts are read, a megabyte per round
    trip.
    """
    if tags is not None:
        test = _of_releases(tenant, tags, test)
    if test is None and sort.field == "name" and stop is not None:
        total = int(usage_table.find(tenant).artifact_count)
        limit = min(stop, total)
        rows = artifact_table.by_name(tenant, descending=sort.descending, limit=limit) if start < limit else iter(())
        return [views.artifact(item) for item in islice(rows, start, None)], total
    items = [item for item in artifact_table.by_name(tenant) if test is None or test(item)]
    if sort.field == "modified":
        items.sort(key=lambda item: item.modified, reverse=sort.descending)
    elif sort.descending:
        items.reverse()
    return [views.artifact(item) for item in items[start:stop]], len(items)


def find_by_pattern(
    tenant: TenantId,
    names: tuple[Pattern, ...],
    description: Pattern | None,
    device_type: Pattern | None,
    *,
    start: int,
    stop: int,
    tags: Names | None,
) -> tuple[list[shapes.Artifact], bool]:
    """Rows ``start`` to ``stop`` of the artifacts that match, by name, and whether there are more.

    With ``tags``, of those whose release has one of them.

    ``names``: any of the exact names, or one prefix; none of them means all.
    """
    inside = _of_releases(tenant, tags, None) if tags is not None else None

    def matches(item: ArtifactItem) -> bool:
        return (
            (inside is None or inside(item))
            and (not names or any(name.matches(item.name) for name in names))
            and (description is None or description.matches(item.description))
            and (device_type is None or any(map(device_type.matches, item.content["device_types_compatible"])))
        )

    rows: Iterable[ArtifactItem]
    if names and not names[0].prefix:
        rows = _named(tenant, [name.text for name in names])
    else:
        # Read no further than the page, unless anything but the name has to be tested.
        limit = None if description or device_type or inside else stop + 1
        rows = artifact_table.by_name(tenant, prefix=names[0].text if names else "", limit=limit)
    page = list(islice(filter(matches, rows), start, stop + 1))
    return [views.artifact(item) for item in page[: stop - start]], len(page) > stop - start


def _of_releases(tenant: TenantId, tags: Collection[str], test: Test | None) -> Test:
    """A test for artifacts that pass ``test`` and whose release has one of ``tags``; all releases are read."""
    names = release_table.tagged_names(tenant, tags)
    return lambda item: item.name in names and (test is None or test(item))


def _named(tenant: TenantId, names: list[str]) -> list[ArtifactItem]:
    """The artifacts with these names, found through their releases (strongly consistent)."""
    releases = release_table.find_many(tenant, names)
    items = artifact_table.find_many(tenant, [artifact for release in releases for artifact in release.artifacts])
    return sorted(items.values(), key=lambda item: (item.name, item.artifact_id))


def describe(tenant: TenantId, artifact_id: str, description: str) -> None:
    """Change an artifact's description.

    Raises:
        BadRequest: the id is not a UUID, or the description is too long.
        NotFound: there is none with this id.
        Unprocessable: a deployment has used it.
    """
    rules.check_description(description)
    item = _found(artifact_table.find(tenant, rules.check_id(artifact_id)))
    now = clock.now()
    tx = Transaction()
    artifact_table.describe(tx, tenant, item.artifact_id, description, now)
    release_table.touch_unused(tx, tenant, item.name, now)
    if description != item.description:
        change = f"Description: {item.description!r} -> {description!r}"
        auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, audited(artifact_id, item.name), change=change)
    try:
        tx.commit()
    except ConditionFailed as error:
        if artifact_table.LABEL in error.failed:
            raise NotFound("Resource not found") from error
        raise Unprocessable("Image has already been used in deployment") from error


@retried
def delete(tenant: TenantId, artifact_id: str) -> None:
    """Delete an artifact, and its release with the last one.

    Raises:
        BadRequest: the id is not a UUID.
        NotFound: there is none with this id.
        Conflict: an unfinished deployment uses its release.
    """
    item = _found(artifact_table.find(tenant, rules.check_id(artifact_id)))
    release = release_table.find(tenant, item.name)
    if release is None or item.artifact_id not in release.artifacts:
        raise NotFound("Resource not found")
    if release.open_deployments > 0:
        raise Conflict(_IN_USE)
    remove(tenant, release, [item.artifact_id], audited(item.artifact_id, item.name))


def remove(
    tenant: TenantId, release: ReleaseItem, artifact_ids: list[str], what: auditlogs.Object, *, change: str = ""
) -> None:
    """Delete artifacts of one release, and the release with its last one.

    Args:
        tenant: the release's tenant.
        release: as it was read.
        artifact_ids: at most 40, because a transaction takes 100 writes and an artifact needs two.
        what: what the user deletes, for the audit log.
        change: a text for it.

    Raises:
        ConditionFailed: the release has changed since it was read.
    """
    now = clock.now()
    gone = {one.id: one for one in release.candidates if one.id in artifact_ids}
    left = {artifact: stored for artifact, stored in release.artifacts.items() if artifact not in gone}
    # While an upload link is valid, the object can be written again, so the schedule has to check after the deletion.
    links = {upload.upload_id: upload.link_ends for upload in upload_table.find_many(tenant, gone)}
    tx = Transaction()
    if left:
        release_table.change(tx, release, now, artifacts=left, idle=True)
    else:
        release_table.remove(tx, release)
        if release.tags:
            tags = usage_table.tags(tenant)
            usage_table.save_tags(tx, tags, rules.recount_tags(tags.counts, release.tags, ()))
    garbage = []
    for one in gone.values():
        artifact_table.remove(tx, tenant, one.id)
        due = (links.get(one.id) or now) + timedelta(seconds=limits.UPLOAD_MARGIN)
        garbage.append(upload_table.abandon(tx, tenant, one.id, one.key, due))
    size = sum(one.size for one in gone.values())
    usage_table.add(tx, tenant, size=-size, artifacts=-len(gone), releases=0 if left else -1)
    auditlogs.record(tx, tenant, auditlogs.Action.DELETE, what, change=change)
    tx.commit()
    offering.forget(tenant, release.name)
    for upload in garbage:
        s3.delete(upload.key)
        if links.get(upload.upload_id) is None:
            upload_table.forget(upload)


def download_link(tenant: TenantId, artifact_id: str) -> shapes.Link:
    """A link by which an operator reads the artifact's file, for ``settings.download_link_life``.

    Raises:
        BadRequest: the id is not a UUID.
        NotFound: there is none with this id.
    """
    item = _found(artifact_table.find(tenant, rules.check_id(artifact_id)))
    life = settings.current().download_link_life
    filename = f"{item.name}.mender"
    link = links.download(item.key, item.version, life=life, filename=filename, content_type=rules.MEDIA_TYPE)
    return shapes.Link(uri=link.uri, expire=clock.rfc3339(link.expire), method="GET", header={})


def storage(tenant: TenantId, name: str) -> shapes.StorageLimit:
    """The tenant's storage: its limit and usage.

    Raises:
        BadRequest: the limit is not ``storage``.
    """
    if name != "storage":
        raise BadRequest(f"unsupported limit {name[:64]}")
    return shapes.StorageLimit(control.get(tenant).storage_limit, int(usage_table.find(tenant).stored))


def totals(tenant: TenantId) -> tuple[int, int, int]:
    """The numbers of a tenant's artifacts and releases, and the artifacts' total size in bytes."""
    item = usage_table.find(tenant)
    return item.artifact_count, item.release_count, item.stored


def audited(artifact_id: str, name: str) -> Object:
    """An artifact as an audit entry names it."""
    return Object(ObjectType.ARTIFACT, artifact_id, {"name": name})


def audited_release(name: str) -> Object:
    """A release as an audit entry names it."""
    return Object(ObjectType.RELEASE, name, {"name": name})
