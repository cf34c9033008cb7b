"""Upload forms, parsed while they arrive.

A form has some short fields and then one file, which comes last: anything after it is not read, so the file can be
stored while it arrives. Only the fields need memory, whatever the form contains.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest, TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from multipart import MultipartSegment  # type: ignore[import-untyped]  # it has annotations, no marker

    Events = Iterator[MultipartSegment | bytes | None]

_CHUNK = 256 * limits.KIB
_PARTS = 32
"""Maximum number of parts of a form; clients send four."""
_TYPES = frozenset({"multipart/form-data", "multipart/mixed"})


class Form(msgspec.Struct):
    """A form up to its file: ``fields`` by lower-case name; ``file`` in pieces, to be read once (None: no file).

    Reading the file raises BadRequest if the body ends before the file does.
    """

    fields: dict[str, str] = {}
    file: Iterator[bytes] | None = None


def read_form(stream: BinaryIO, content_type: str | None, *, fields: Collection[str], file: str) -> Form:
    """Read a form up to its file.

    Args:
        stream: the request's body.
        content_type: of the request, with the boundary; ``multipart/form-data`` or ``multipart/mixed``.
        fields: names of the fields to keep, lower case; names of parts match in any case.
        file: name of the file's part, lower case.

    Raises:
        BadRequest: the body is not such a form, or a field is not UTF-8.
        TooLarge: the parts before the file exceed ``limits.UPLOAD_FIELDS``.
    """
    events = _events(_read(stream), _boundary(content_type))
    form = Form()
    room = limits.UPLOAD_FIELDS
    for segment in events:
        name = getattr(segment, "name", "").lower()
        if name == file:
            form.file = _part(events)
            return form
        value = bytearray()
        for piece in _part(events):
            room -= len(piece)
            if room < 0:
                raise TooLarge("http: request body too large")
            value += piece
        if name in fields:
            try:
                form.fields[name] = value.decode()
            except UnicodeDecodeError as error:
                raise BadRequest(f"{name}: must be UTF-8") from error
    return form


def _boundary(content_type: str | None) -> str:
    # Imported here, as below, because only uploads need it.
    from multipart import parse_options_header

    kind, options = parse_options_header(content_type or "")
    if kind not in _TYPES:
        raise BadRequest("request Content-Type isn't multipart/form-data")
    boundary: str = options.get("boundary", "")
    if not 0 < len(boundary) <= 200 or not boundary.isascii() or not boundary.isprintable():
        raise BadRequest("no multipart boundary param in Content-Type")
    return boundary


def _read(stream: BinaryIO) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        try:
            return stream.read(size)
        except OSError as error:
            # The client disconnected, or the server stopped receiving the body.
            raise BadRequest("the request body ended before the form was complete") from error

    return read


def _events(read: Callable[[int], bytes], boundary: str) -> Events:
    # Imported here: only uploads need it.
    from multipart import MultipartError, ParserLimitReached, PushMultipartParser

    # In Latin-1 every byte is a character. Names of fields are ASCII, and the name of the file is ignored.
    parser = PushMultipartParser(boundary, max_segment_count=_PARTS, header_charset="latin-1")
    try:
        yield from parser.parse_blocking(read, _CHUNK)
    except ParserLimitReached as error:
        raise TooLarge(f"malformed multipart body: {error}") from error
    except MultipartError as error:
        raise BadRequest(f"malformed multipart body: {error}") from error


def _part(events: Events) -> Iterator[bytes]:
    """The content of the part that has just begun."""
    for event in events:
        if not isinstance(event, bytes):
            return
        yield event
