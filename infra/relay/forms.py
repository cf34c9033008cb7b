"""Multipart forms, parsed on the event loop while they arrive: fields first, then one file at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multipart import MultipartError, PushMultipartParser, parse_options_header  # type: ignore[import-untyped]

from chalicelib import limits

if TYPE_CHECKING:
    from collections.abc import Collection

_PARTS = 16


class FormError(Exception):
    """The body is not a valid form; ``status`` is the HTTP status to answer with."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Form:
    """``fields`` are those before the file; the file comes in pieces and can be read once.

    Bytes of a field that are not UTF-8 become lone surrogates (PEP 383).
    """

    fields: dict[str, str]
    file: AsyncIterator[bytes]
    frame: int
    """Bytes of the body that are not part of the file, if the file comes last and nothing follows the form."""


async def read_form(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    *,
    fields: Collection[str],
    file: str,
    most: int,
) -> Form:
    """Read a form up to its file. Parts after the file are ignored.

    Raises:
        FormError: it is not a form, or has no such file.
    """
    header = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    kind, options = parse_options_header(header)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not 0 < len(boundary) <= 200:
        raise FormError(400, "request Content-Type isn't multipart/form-data")
    start = bytearray()
    in_file = False

    async def remembered() -> dict[str, Any]:
        message = await receive()
        if not in_file:
            start.extend(message.get("body", b""))
        return message

    events = _events(
        remembered, PushMultipartParser(boundary, max_segment_count=_PARTS, header_charset="latin-1"), most
    )
    found: dict[str, str] = {}
    parts = 0
    room = limits.UPLOAD_FIELDS
    name, value = "", bytearray()
    async for event in events:
        if event is None:
            if name in fields:
                found[name] = value.decode(errors="surrogateescape")
        elif isinstance(event, bytes | bytearray):
            room -= len(event)
            if room < 0:
                raise FormError(413, "http: request body too large")
            value += event
        elif event.name.lower() == file:
            frame = _frame(bytes(start), f"--{boundary}".encode(), parts)
            in_file = True
            start.clear()
            return Form(found, _file(events), frame)
        else:
            parts += 1
            name, value = event.name.lower(), bytearray()
    raise FormError(400, f"request does not contain the {file if file == 'file' else f'{file} file'}")


def _frame(start: bytes, delimiter: bytes, parts: int) -> int:
    """Bytes before and after a file that is preceded by so many parts. ``start``: the beginning of the body."""
    place = start.find(delimiter)
    for _ in range(parts):
        place = start.find(b"\r\n" + delimiter, place + len(delimiter))
    return start.find(b"\r\n\r\n", place) + 4 + len(b"\r\n" + delimiter + b"--\r\n")


async def _file(events: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    async for event in events:
        if event is None:
            return
        yield bytes(event)


async def _events(
    receive: Callable[[], Awaitable[dict[str, Any]]], parser: PushMultipartParser, most: int
) -> AsyncIterator[Any]:
    try:
        while not parser.closed:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise FormError(400, "the request body ended before the form was complete")
            body = message.get("body", b"")
            most -= len(body)
            if most < 0:
                raise FormError(413, "http: request body too large")
            for event in parser.parse(body):
                yield event
            if not message.get("more_body"):
                parser.close()
    except MultipartError as error:
        raise FormError(400, f"malformed multipart body: {error}") from error
