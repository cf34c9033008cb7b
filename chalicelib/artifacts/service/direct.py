"""Direct uploads: the file goes straight to the bucket, by one link or in parts, and a worker verifies it.

By one link, a file has up to 5 GiB and arrives in one request. In parts it has up to the limit of artifacts, each part
is a request of its own, and the upload may be paused, resumed and continued by another client for some days: S3 knows
which parts it has.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib import actor, clock, limits, settings
from chalicelib.artifacts import rules, shapes, views
from chalicelib.artifacts.service.uploads import MARGIN, TAKEN, TOO_LARGE, room
from chalicelib.artifacts.tables import artifacts as artifact_table
from chalicelib.artifacts.tables import uploads as upload_table
from chalicelib.artifacts.tables.uploads import WAITING, Status
from chalicelib.aws import links, queues, s3
from chalicelib.errors import Conflict, NotFound, TooLarge
from chalicelib.fleet import switches
from chalicelib.fleet.switches import Switch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.artifacts.service.uploads import RefusalOf
    from chalicelib.artifacts.tables.uploads import UploadItem
    from chalicelib.storage.keys import TenantId

_STOPPED = "it was stopped"
_NAMED = 10
"""The number of missing parts that an error names."""


def request_link(tenant: TenantId, fields: Mapping[str, str]) -> shapes.UploadLink:
    """Announce a direct upload: a link that writes the object of the artifact with the answer's id.

    Args:
        tenant: the artifact's tenant.
        fields: those of the upload form, if any (``rules.read_fields``).

    Raises:
        BadRequest: a field is not valid.
        Conflict: there is an artifact with the id that was asked for.
        SwitchedOff: an admin has switched uploads off.
        TooLarge: the given size exceeds the limit of artifacts or what is left of the tenant's storage.
    """
    about, upload_id = _announced(tenant, fields)
    key = s3.key(tenant, "artifacts", upload_id)
    link = links.upload(key, life=settings.current().upload_link_life)
    if not upload_table.start(tenant, upload_id, key, link.expire + MARGIN, link.expire, about.description):
        raise Conflict(TAKEN)
    return shapes.UploadLink(id=upload_id, uri=link.uri, expire=clock.rfc3339(link.expire), method="PUT", header={})


def request_parts(tenant: TenantId, fields: Mapping[str, str], part_size: int) -> shapes.PartedUpload:
    """Announce a direct upload in parts; :func:`list_parts` gives their links.

    Args:
        tenant: the artifact's tenant.
        fields: as in :func:`request_link`, with the size of the file.
        part_size: bytes of each part except for the last one.

    Raises:
        BadRequest: a field is not valid, or the file can't be divided like this.
        Conflict: there is an artifact with the id that was asked for.
        SwitchedOff: an admin has switched uploads off.
        TooLarge: the size exceeds the limit of artifacts or what is left of the tenant's storage.
    """
    about, upload_id = _announced(tenant, fields)
    division = rules.divide(about.size, part_size)
    key = s3.key(tenant, "artifacts", upload_id)
    until = clock.now() + timedelta(seconds=limits.UPLOAD_PARTS_LIFE)
    # Before the announcement, which needs S3's id. If it crashes in between, the bucket's lifecycle cleans up.
    parts_id = s3.begin(key, rules.MEDIA_TYPE)
    if not upload_table.start(
        tenant, upload_id, key, until + MARGIN, until, about.description, parts=(parts_id, division)
    ):
        s3.abort(key, parts_id)
        raise Conflict(TAKEN)
    return views.parted_upload(upload_id, division, until)


def _announced(tenant: TenantId, fields: Mapping[str, str]) -> tuple[rules.UploadFields, str]:
    """The valid fields of a new upload, and its id."""
    switches.require(Switch.UPLOADS)
    about = rules.read_fields(fields)
    if about.size is not None and about.size > room(tenant):
        raise TooLarge(TOO_LARGE)
    if about.id is not None and artifact_table.find(tenant, about.id) is not None:
        raise Conflict(TAKEN)
    return about, about.id or str(uuid.uuid4())


def list_parts(tenant: TenantId, upload_id: str, *, start: int, stop: int) -> shapes.Parts:
    """Parts of an upload from index ``start`` to before ``stop``: which have arrived, and links for the others.

    One request to S3, and one read.

    Raises:
        NotFound: no upload in parts of this id is known.
        Conflict: it is complete, or was refused or stopped.
    """
    item = _known(tenant, upload_id)
    if item is None or not item.parts_id:
        raise NotFound("upload not found")
    if item.status != Status.PENDING or item.link_ends is None:
        raise Conflict(f"the upload was refused: {item.reason}" if item.reason else "the upload is complete")
    division = item.division
    shown = range(start + 1, min(stop, division.count) + 1)
    there: dict[int, int] = {}
    if shown:
        found, _ = s3.parts(item.key, item.parts_id, after=start, most=len(shown))
        there = {part.number: part.size for part in found}
    life = settings.current().upload_link_life
    about = views.parted_upload(upload_id, division, item.link_ends)
    return shapes.Parts(
        **msgspec.structs.asdict(about), parts=[_part(item, number, there.get(number), life) for number in shown]
    )


def _part(item: UploadItem, number: int, stored: int | None, life: int) -> shapes.Part:
    size = item.division.size_of(number)
    if stored == size:
        return shapes.Part(number, size, stored=True)
    link = links.part(item.key, item.parts_id, number, size=size, life=life)
    return shapes.Part(number, size, stored=False, uri=link.uri, expire=clock.rfc3339(link.expire))


def complete(tenant: TenantId, upload_id: str) -> None:
    """Have a direct upload verified, which creates its artifact. Can be repeated.

    Raises:
        NotFound: no direct upload of this id is pending.
        Conflict: it was refused, or some of its parts are missing; the text says why, or which.
    """
    item = _known(tenant, upload_id)
    if item is None or item.link_ends is None:
        raise NotFound("upload not found")
    if item.status == Status.FAILED:
        raise Conflict(f"the upload was refused: {item.reason}")
    if item.status == Status.PENDING and item.parts_id:
        _check_parts(item)
    if item.status in WAITING:
        due = clock.now() + timedelta(seconds=limits.UPLOAD_VERIFICATION)
        if upload_table.verifying(item, max(due, item.link_ends + MARGIN)):
            queues.send(queues.Queue.UPLOADS, queues.Upload(tenant, upload_id, actor.current()))


def _check_parts(item: UploadItem) -> None:
    """Refuse an upload that has parts missing; it stays pending."""
    division = item.division
    there = {part.number: part.size for part in s3.all_parts(item.key, item.parts_id)}
    missing = [number for number in range(1, division.count + 1) if there.get(number) != division.size_of(number)]
    if missing:
        named = ", ".join(map(str, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
        raise Conflict(f"{len(missing)} of {division.count} parts are missing: {named}. Upload them and complete again")


def give_up(tenant: TenantId, upload_id: str) -> None:
    """Stop a direct upload: it never becomes an artifact, and what has arrived is deleted. Can be repeated.

    Raises:
        NotFound: no direct upload of this id is known.
        Conflict: it is an artifact already.
    """
    item = _known(tenant, upload_id)
    if item is None or item.link_ends is None:
        raise NotFound("upload not found")
    if item.status == Status.FAILED:
        return
    now = clock.now()
    # A single link continues to work, so what is written with it later has to be deleted too.
    due = (now if item.parts_id else max(now, item.link_ends)) + MARGIN
    if not upload_table.failed(item, _STOPPED, due):
        raise Conflict("the upload is an artifact already; delete that instead")
    if item.parts_id:
        s3.abort(item.key, item.parts_id)
    s3.delete(item.key)


def _known(tenant: TenantId, upload_id: str) -> UploadItem | None:
    item = upload_table.find(tenant, upload_id)
    return None if item is None or item.status == Status.GARBAGE else item


def verdict(tenant: TenantId, upload_id: str, refusal_of: RefusalOf) -> shapes.Verdict:
    """The state of a direct upload. It is deleted some time after its links have expired; its artifact is not.

    Raises:
        NotFound: no direct upload of this id is known.
    """
    item = _known(tenant, upload_id)
    if item is None or item.link_ends is None:
        if artifact_table.find(tenant, upload_id) is None:
            raise NotFound("upload not found")
        return shapes.Verdict(upload_id, "accepted")
    if item.status == Status.FAILED:
        # A stopped one has only a reason.
        refusal = item.refusal or refusal_of(Conflict(item.reason or ""))
        return shapes.Verdict(upload_id, "refused", refusal)
    return shapes.Verdict(upload_id, "accepted" if item.status == Status.DONE else item.status)
