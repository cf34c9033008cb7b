"""The artifact bucket. Keys begin with the tenant and are built only here.

Links to objects are made by :mod:`chalicelib.aws.links`.

Objects of more than a few MiB are written with :class:`MultipartWriter`, which keeps one part in memory, whatever the
size.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import msgspec
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import settings
from chalicelib.aws import client
from chalicelib.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import urllib3

    from chalicelib.storage.keys import TenantId

PART = 8 * 1024 * 1024
"""The size of an upload's part. AWS accepts 10,000 parts: 80 GiB."""

_LISTED = 1000
"""Parts in one answer of S3, at most."""
_SILENCE = 5.0
"""Maximum silence of S3 in seconds: it may have to write a part before it answers."""
_COMPLETION = 20.0
"""The same while it assembles an object."""
_ERROR = re.compile(rb"(?:<\?xml[^>]*\?>)?\s*<Error>")
_PASSING = re.compile(rb"<Code>(?:InternalError|OperationAborted|RequestTimeout|ServiceUnavailable|SlowDown)</Code>")
_WRITER = "x-amz-meta-written-by"
"""Metadata by which a writer recognises its own object."""


def key(tenant: TenantId, kind: str, *parts: str) -> str:
    """The object key ``<tenant>/<kind>/<part>...``; slashes inside parts are escaped."""
    return "/".join(quote(part, safe="") for part in (tenant, kind, *parts))


class ObjectRef(msgspec.Struct, frozen=True):
    """One version of one object."""

    key: str
    version: str | None
    size: int


def _base() -> str:
    return f"{client.endpoint('s3')}/{settings.current().bucket}"


def _url(object_key: str, query: dict[str, str] | None = None) -> str:
    return object_url(_base(), object_key, query)


def object_url(base: str, object_key: str, query: dict[str, str] | None = None) -> str:
    """The address of an object below ``base``, which leads to the bucket."""
    return f"{base}/{quote(object_key, safe='/~')}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")


def _send(
    method: str,
    url: str,
    data: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    silence: float = _SILENCE,
) -> urllib3.BaseHTTPResponse:
    # Anybody can recreate a deleted bucket: nothing is read from or written to a bucket of another account.
    # (``docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html``)
    owner = settings.current().bucket_owner
    expected = {"x-amz-expected-bucket-owner": owner} if owner else {}
    request = AWSRequest(method, url, data=data, headers={**(headers or {}), **expected})
    auth = S3SigV4Auth(client.credentials(), "s3", settings.aws().region)
    writes = method != "GET"  # the content that is read may look like an error
    answer = client.send(auth, request, silence=silence, failed=_may_pass if writes else None)
    if answer.status >= 400 or (writes and _is_error(answer)):  # HTTP
        text = (answer.data or b"").decode(errors="replace")
        found = re.search(r"<Code>(\w+)</Code>", text)
        code = found.group(1) if found else str(answer.status)
        if answer.status == 404:  # HTTP
            raise NotFound("Resource not found")
        raise client.AwsError(code, answer.status, text[:200])
    return answer


def _is_error(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether an answer is an error, though its status is 200.

    S3 says 200 before it has copied or put together an object
    (``docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html``).
    """
    return _ERROR.match(answer.data or b"") is not None


def _may_pass(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether a retry may succeed."""
    return _is_error(answer) and _PASSING.search(answer.data) is not None


def put(
    object_key: str, data: bytes, content_type: str = "application/octet-stream", *, kept: str | None = None
) -> ObjectRef:
    """Write a small object at once. ``kept`` names the rule of the bucket's lifecycle that deletes it."""
    tags = {"x-amz-tagging": urlencode({"kept": kept})} if kept else {}
    answer = _send("PUT", _url(object_key), data, {"Content-Type": content_type, **tags})
    return ObjectRef(object_key, _version(answer), len(data))


def get(object_key: str, version: str | None = None, *, span: tuple[int, int] | None = None) -> bytes:
    """Read a small object, or its bytes between the two offsets of ``span``.

    Raises:
        NotFound: there is none.
    """
    query = {"versionId": version} if version else None
    headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} if span else None
    return bytes(_send("GET", _url(object_key, query), headers=headers).data)


def head(object_key: str) -> ObjectRef:
    """Size and newest version of an object.

    Raises:
        NotFound: there is none.
    """
    answer = _send("HEAD", _url(object_key))
    return ObjectRef(object_key, _version(answer), int(answer.headers["Content-Length"]))


def read(ref: ObjectRef, *, chunk: int = 256 * 1024) -> Iterator[bytes]:
    """One version of an object in pieces. A lost connection is resumed where it broke."""
    done = 0
    while done < ref.size:
        query = {"versionId": ref.version} if ref.version else None
        last = min(done + PART, ref.size) - 1
        answer = _send("GET", _url(ref.key, query), headers={"Range": f"bytes={done}-{last}"})
        data = bytes(answer.data)
        if not data:
            raise client.AwsError("ShortRead", answer.status, f"{ref.key} ends at {done} of {ref.size}")
        done += len(data)
        for start in range(0, len(data), chunk):
            yield data[start : start + chunk]


def delete(object_key: str, version: str | None = None) -> None:
    """Delete an object, if it exists (the bucket's lifecycle deletes older versions), or one version of it."""
    try:
        _send("DELETE", _url(object_key, {"versionId": version} if version else None))
    except NotFound:
        return


def erase(prefix: str) -> int:
    """Delete all versions of all objects below ``prefix``, and unfinished uploads; returns the number."""
    count = 0
    for object_key, version in _pages("versions", prefix, ("Version", "DeleteMarker"), "VersionId"):
        delete(object_key, version)
        count += 1
    for object_key, upload in _pages("uploads", prefix, ("Upload",), "UploadId"):
        abort(object_key, upload)
        count += 1
    return count


_PAGES = {
    "versions": ("max-keys", "version-id-marker", "NextVersionIdMarker"),
    "uploads": ("max-uploads", "upload-id-marker", "NextUploadIdMarker"),
}
"""For each kind of listing, the parameters for the size of a page and for its beginning."""


def _pages(listing: str, prefix: str, kinds: tuple[str, ...], member: str) -> Iterator[tuple[str, str]]:
    """Key and ``member`` of everything under ``prefix`` in a listing of the bucket."""
    # Imported here: only erasure and clean-up list objects.
    from xml.etree import ElementTree as ET

    most, more, next_more = _PAGES[listing]
    query = {listing: "", "prefix": prefix, most: "500"}
    while True:
        url = f"{_base()}?{urlencode(query, quote_via=quote)}"
        # S3's own answer, over TLS: no document of a stranger.
        root = ET.fromstring(_send("GET", url).data)  # noqa: S314
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        for kind in kinds:
            for found in root.iter(space + kind):
                yield found.findtext(space + "Key", ""), found.findtext(space + member, "")
        if root.findtext(space + "IsTruncated") != "true":
            return
        query["key-marker"] = root.findtext(space + "NextKeyMarker", "")
        query[more] = root.findtext(space + next_more, "")


# --- Objects in parts -----------------------------------------------------------------------------------------------


class Part(msgspec.Struct, frozen=True):
    """A part that S3 has of an object that is still being written. ``size`` in bytes."""

    number: int
    etag: str
    size: int


def begin(object_key: str, content_type: str, headers: dict[str, str] | None = None) -> str:
    """Begin to write an object in parts. Returns S3's id of this upload.

    ``headers``: additional headers of the object.
    """
    answer = _send("POST", _url(object_key) + "?uploads=", headers={"Content-Type": content_type, **(headers or {})})
    found = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.data)
    if found is None:
        raise client.AwsError("NoUploadId", answer.status, "")
    return found.group(1).decode()


def parts(object_key: str, upload: str, *, after: int = 0, most: int = _LISTED) -> tuple[list[Part], bool]:
    """The first ``most`` parts with a number above ``after``, in order, and whether there are more. One request.

    Raises:
        NotFound: the upload was completed or aborted.
    """
    # Imported here: only uploads in parts need it.
    from xml.etree import ElementTree as ET

    query = {"max-parts": str(most), "part-number-marker": str(after), "uploadId": upload}
    # S3's own answer, over TLS: no document of a stranger.
    root = ET.fromstring(_send("GET", _url(object_key, query)).data)  # noqa: S314
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    found = [
        Part(
            int(each.findtext(space + "PartNumber", "0")),
            each.findtext(space + "ETag", ""),
            int(each.findtext(space + "Size", "0")),
        )
        for each in root.iter(space + "Part")
    ]
    return found, root.findtext(space + "IsTruncated") == "true"


def all_parts(object_key: str, upload: str) -> list[Part]:
    """All stored parts, in order. One request per 1,000.

    Raises:
        NotFound: the upload was completed or aborted.
    """
    found, more = parts(object_key, upload)
    while more:
        following, more = parts(object_key, upload, after=found[-1].number)
        found += following
    return found


def assemble(object_key: str, upload: str, etags: Iterable[tuple[int, str]]) -> str | None:
    """Create the object from parts, by number and ETag in ascending order. Returns its version.

    Raises:
        NotFound: the upload was completed or aborted before.
    """
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in etags)
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    return _version(_send("POST", _url(object_key, {"uploadId": upload}), body, silence=_COMPLETION))


def abort(object_key: str, upload: str) -> None:
    """Discard an upload in parts, if it is still open."""
    try:
        _send("DELETE", _url(object_key, {"uploadId": upload}))
    except NotFound:
        return


def _version(answer: urllib3.BaseHTTPResponse) -> str | None:
    return answer.headers.get("x-amz-version-id")


class MultipartWriter:
    """Writes an object of unknown size in parts: ``write``, then ``finish``, or ``abort``, which leaves nothing."""

    def __init__(self, object_key: str, content_type: str = "application/octet-stream") -> None:
        self._key = object_key
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload: str | None = None
        self._etags: list[str] = []
        self._size = 0
        self._token = uuid.uuid4().hex

    def write(self, data: bytes) -> None:
        """Add bytes; sends a part whenever one is full."""
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) >= PART:
            self._send_part(bytes(self._buffer[:PART]))
            del self._buffer[:PART]

    def finish(self) -> ObjectRef:
        """Create the object. Below one part it is a single write."""
        if self._upload is None:
            return put(self._key, bytes(self._buffer), self._content_type)
        if self._buffer:
            self._send_part(bytes(self._buffer))
        try:
            version = assemble(self._key, self._upload, enumerate(self._etags, 1))
        except NotFound:
            # The upload does not exist any more. If this writer's object is there, it is complete, and only the
            # answer was lost.
            answer = _send("HEAD", _url(self._key))
            if answer.headers.get(_WRITER) != self._token:
                raise
            version = _version(answer)
        return ObjectRef(self._key, version, self._size)

    def abort(self) -> None:
        """Discard everything. A failure is harmless, because the bucket's lifecycle deletes unfinished uploads."""
        self._buffer.clear()
        if self._upload is not None:
            abort(self._key, self._upload)
            self._upload = None

    def _send_part(self, data: bytes) -> None:
        if self._upload is None:
            self._upload = begin(self._key, self._content_type, {_WRITER: self._token})
        query = {"partNumber": str(len(self._etags) + 1), "uploadId": self._upload}
        answer = _send("PUT", _url(self._key, query), data)
        self._etags.append(answer.headers["ETag"])
