"""Uploads: how a file becomes an artifact, while it arrives through the API, or by a worker after a direct upload.

Every upload is announced first (``tables.uploads``), so that the schedule finds what a crash leaves behind. One
transaction creates the artifact: artifact, release, totals, and the end of the announcement.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from chalicelib import clock, limits
from chalicelib.artifacts import rules, views
from chalicelib.artifacts.rules import Candidate
from chalicelib.artifacts.service import catalog, offering, trust
from chalicelib.artifacts.tables import artifacts as artifact_table
from chalicelib.artifacts.tables import releases as release_table
from chalicelib.artifacts.tables import uploads as upload_table
from chalicelib.artifacts.tables import usage as usage_table
from chalicelib.artifacts.tables.artifacts import ArtifactItem
from chalicelib.artifacts.tables.uploads import WAITING, Status, UploadItem
from chalicelib.auditlogs import service as auditlogs
from chalicelib.aws import s3
from chalicelib.errors import ArtifactExists, BadRequest, Conflict, DomainError, NotFound, TooLarge, Unavailable
from chalicelib.fleet import control, switches
from chalicelib.fleet.switches import Switch
from chalicelib.observability import logger
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chalicelib.artifacts.container import Artifact, Signature
    from chalicelib.storage.keys import TenantId

RefusalOf = Callable[[DomainError], dict[str, Any]]
"""Converts an error to the status and body of its answer."""
TOO_LARGE = "Artifact file too large"
TAKEN = "an artifact with this ID already exists"
_TIDIED = 50
"""Uploads of each partition of the index that one run of the schedule cleans up; the others wait for the next run."""
MARGIN = timedelta(seconds=limits.UPLOAD_MARGIN)


def upload(tenant: TenantId, fields: Mapping[str, str], file: Iterable[bytes]) -> str:
    """Store an artifact while it arrives. Nothing is left of one that is refused.

    Args:
        tenant: the artifact's tenant.
        fields: of the upload form, by lower-case name (``rules.read_fields``).
        file: the file in pieces of any size; read once.

    Returns:
        The new artifact's id.

    Raises:
        BadRequest: a field is not valid, or the file is not an artifact (``container.ArtifactError``).
        Conflict: an artifact with its name and dependencies exists, or one with the id that was asked for.
        TooLarge: it exceeds the limit of artifacts, or the tenant's storage limit.
        SwitchedOff: an admin has switched uploads off.
        Unprocessable: the release or its item has no capacity for it, or the tenant demands another signature.
    """
    switches.require(Switch.UPLOADS)
    about = rules.read_fields(fields)
    artifact_id = about.id or str(uuid.uuid4())
    key = s3.key(tenant, "artifacts", artifact_id)
    due = clock.now() + timedelta(seconds=limits.UPLOAD_LIFE)
    if not upload_table.start(tenant, artifact_id, key, due):
        raise Conflict(TAKEN)
    try:
        if about.id and artifact_table.find(tenant, artifact_id):
            raise Conflict(TAKEN)
        parsed, ref = _store(tenant, key, file, about.size)
        try:
            _publish(tenant, artifact_id, parsed, ref, about.description)
        except DomainError as error:
            if not isinstance(error, Unavailable):
                _quietly(lambda: s3.delete(key))
            raise
    except DomainError as error:
        # After this it is not known what was written; the schedule finds out.
        if not isinstance(error, Unavailable):
            _quietly(lambda: _forget(tenant, artifact_id))
        raise
    return artifact_id


def _store(tenant: TenantId, key: str, file: Iterable[bytes], size: int | None) -> tuple[Artifact, s3.ObjectRef]:
    """Write the file to the bucket and parse it in the same pass. After an error there is no object."""
    writer = s3.MultipartWriter(key, rules.MEDIA_TYPE)
    try:
        chunks = iter(file) if size is None else _exactly(file, size)
        parsed = _parse(tenant, chunks, tee=writer.write)
        return parsed, writer.finish()
    except BaseException:
        _quietly(writer.abort)
        raise


def _parse(tenant: TenantId, chunks: Iterable[bytes], tee: Callable[[bytes], object] | None = None) -> Artifact:
    # Imported here: only uploads need the parser.
    from chalicelib.artifacts.container import ChunkReader, Limits, parse

    return parse(ChunkReader(chunks, tee=tee), limits=Limits(size=room(tenant)))


def room(tenant: TenantId) -> int:
    """The bytes that an artifact of the tenant may have now.

    Raises:
        TooLarge: none, because the tenant's storage is full.
    """
    found = limits.ARTIFACT_UPLOAD
    limit = control.get(tenant).storage_limit
    if limit:
        found = min(found, limit - int(usage_table.find(tenant).stored))
    if found <= 0:
        raise TooLarge(TOO_LARGE)
    return found


def _exactly(file: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The first ``size`` bytes of ``file``.

    Raises:
        BadRequest: there are fewer.
    """
    left = size
    for chunk in file:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
    raise BadRequest("reading artifact error: the file is shorter than the given size")


@retried
def _publish(
    tenant: TenantId,
    artifact_id: str,
    parsed: Artifact,
    ref: s3.ObjectRef,
    description: str = "",
    link_ends: datetime | None = None,
) -> None:
    """Create the artifact of a stored and verified object."""
    item = ArtifactItem(
        name=parsed.name,
        description=description,
        content=views.content(parsed),
        size=ref.size,
        key=ref.key,
        version=ref.version,
    )
    if not artifact_table.fits(item.content):
        raise BadRequest("Metadata invalid: the artifact's metadata is too large")
    new = _candidate(artifact_id, parsed, ref)
    try:
        _transaction(tenant, item, new, parsed.signature, link_ends).commit()
    except ConditionFailed as error:
        if usage_table.LABEL in error.failed:
            raise TooLarge(TOO_LARGE) from error
        if upload_table.LABEL in error.failed:
            raise Conflict("the upload took too long; start it again") from error
        if artifact_table.LABEL in error.failed:
            raise Conflict(TAKEN) from error
        raise
    offering.forget(tenant, parsed.name)


def _candidate(artifact_id: str, parsed: Artifact, ref: s3.ObjectRef) -> Candidate:
    """The candidate of the artifact whose file is the object ``ref``."""
    depends = {
        key: (value,) if isinstance(value, str) else tuple(value)
        for key, value in parsed.depends.items()
        if key != "device_type"
    }
    types = tuple(dict.fromkeys(payload.type for payload in parsed.payloads if payload.type))
    return Candidate(artifact_id, parsed.name, parsed.device_types, depends, parsed.size, ref.key, ref.version, types)


def _transaction(
    tenant: TenantId, item: ArtifactItem, new: Candidate, signature: Signature | None, link_ends: datetime | None
) -> Transaction:
    """The transaction that creates an artifact in the release in its present state."""
    tx = Transaction()
    item.signature = trust.check(tx, tenant, signature)
    release = release_table.find(tenant, new.name)
    existing = release.candidates if release else ()
    if found := rules.conflict(existing, new):
        raise ArtifactExists(found)
    rules.check_release_takes(existing)
    stored = release_table.packed((*existing, new))
    if not artifact_table.fits(stored):
        raise BadRequest("Metadata invalid: the artifacts of this release have too many dependencies")
    now = clock.now()
    item.modified = now
    artifact_table.put_new(tx, tenant, new.id, item)
    due = max(now, link_ends + MARGIN) if link_ends else now
    upload_table.finish(tx, tenant, new.id, new.version, link_ends, due)
    usage_table.add(
        tx,
        tenant,
        size=new.size,
        artifacts=1,
        releases=0 if release else 1,
        limit=control.get(tenant).storage_limit,
    )
    if release:
        release_table.change(tx, release, now, artifacts=stored)
    else:
        release_table.put_new(tx, tenant, new.name, stored, now)
    auditlogs.record(tx, tenant, auditlogs.Action.UPLOAD, catalog.audited(new.id, new.name))
    usage_table.add_types(tx, tenant, rules.remembered_types(usage_table.types(tenant), new.types))
    return tx


def verify(tenant: TenantId, upload_id: str, refusal_of: RefusalOf) -> None:
    """Create the artifact of a direct upload, or record why it was refused. Can be run any number of times.

    Exactly one version of the object is read and becomes the artifact; later writes do not. What ``refusal_of`` gives
    is stored for clients that ask about the upload.
    """
    item = upload_table.find(tenant, upload_id)
    if item is None or item.status not in WAITING:
        return
    try:
        ref = _object(item)
        if ref.size > limits.ARTIFACT_UPLOAD:
            raise TooLarge(TOO_LARGE)
        parsed = _parse(tenant, s3.read(ref))
        # Nothing can be written by the links of parts once these are an object.
        link_ends = clock.now() if item.parts_id else item.link_ends
        _publish(tenant, upload_id, parsed, ref, item.description or "", link_ends=link_ends)
    except Unavailable:
        raise
    except DomainError as error:
        reason = NotFound("there is no object") if isinstance(error, NotFound) else error
        due = max(clock.now(), (item.link_ends or clock.now()) + MARGIN)
        if upload_table.failed(item, reason.text, due, refusal_of(reason)):
            s3.delete(item.key)


def _object(item: UploadItem) -> s3.ObjectRef:
    """The object that was uploaded, which is put together first if it arrived in parts."""
    if item.parts_id:
        with suppress(NotFound):  # an earlier run has done it
            found = s3.all_parts(item.key, item.parts_id)
            s3.assemble(item.key, item.parts_id, ((part.number, part.etag) for part in found))
    return s3.head(item.key)


def tick(now: datetime) -> None:
    """Clean up what is due: uploads that never became artifacts, and objects of deleted artifacts."""
    for item in upload_table.due_uploads(now, limit=_TIDIED):
        # A failure of one must not keep the others from being cleaned up.
        _quietly(partial(_tidy, item))


def _tidy(item: UploadItem) -> None:
    if item.status == Status.DONE:
        _restore(item)
    elif upload_table.claim(item):
        if item.parts_id:
            s3.abort(item.key, item.parts_id)
        s3.delete(item.key)
    else:
        return
    upload_table.forget(item)


def _restore(item: UploadItem) -> None:
    """Make the verified version the newest again, once the upload's link has expired.

    Links name the version, so devices have never seen another one. But the bucket deletes replaced versions after a
    while.
    """
    with suppress(NotFound):
        while item.version and (newest := s3.head(item.key)).version != item.version:
            s3.delete(item.key, newest.version)


def _forget(tenant: TenantId, upload_id: str) -> None:
    item = upload_table.find(tenant, upload_id)
    if item is not None and item.status == Status.PENDING:
        upload_table.forget(item)


def _quietly(tidy: Callable[[], object]) -> None:
    """Clean up after a failure without hiding it. If this fails too, the schedule cleans up."""
    try:
        tidy()
    except Exception:  # noqa: BLE001  # it is logged, and comes second
        logger.exception("could not clean up after an upload")
