"""Reads a tar stream strictly.

``tarfile`` is not used, because its stream mode is made for trusted archives. It reads an extended header of any size
into memory, so some kilobytes of gzip become gigabytes; it takes a broken header in the middle for the end of the
archive; it applies GNU and sparse extensions that no artifact needs; and it ignores what comes after the end. Artifacts
use a small part of the format (POSIX.1-2017, pax, "ustar Interchange Format").

Accepted are regular files, in ustar or GNU headers, with the extended headers that Mender's tool writes for names over
100 bytes and sizes over 8 GiB. Everything else is refused, including anything but zeros after the two closing blocks.
The outer tar may lack one or both of these blocks and the padding of its last member: some writers omit them, and
Mender's tool reads the result. If more is missing there, the manifest shows it, since it lists every member of the
outer tar, but not those of the tars inside.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from chalicelib.artifacts.container.errors import malformed, quoted
from chalicelib.artifacts.container.source import Read, chunks, read_exactly, read_up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
EMPTY = bytes(BLOCK)
_ENDS = frozenset({EMPTY, b""})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAX_MAX = 4096  # bytes of an extended header; the allowed records need 600 at most

FILE, FILE_OLD, FOLDER, EXTENDED = b"0", b"\0", b"5", b"x"
PAX_USED = frozenset({"path", "size"})
PAX_IGNORED = frozenset({"mtime", "atime", "ctime", "uid", "gid", "uname", "gname"})

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,3}) ([A-Za-z.]+)=")
_COMPONENT = re.compile(r"[^\x00-\x1f\x7f-\U0010ffff/\\]+")


class Member:
    """One regular file of a tar: a :class:`Read` over its content, usable until the next member is read.

    ``size`` is in bytes; ``modified`` is None if the time is outside the years 1 to 9999.
    """

    def __init__(self, stream: Read, name: str, size: int, modified: datetime | None) -> None:
        self.name = name
        self.size = size
        self.modified = modified
        self._stream = stream
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; ArtifactError if the archive ends inside the member."""
        if not self._left:
            return b""
        data = self._stream.read(min(size, self._left))
        if not data:
            raise malformed("unexpected end of file")
        self._left -= len(data)
        return data


def members(stream: Read, *, most: int, name_max: int, folders: bool = False, closed: bool = True) -> Iterator[Member]:
    """The files of the tar in ``stream``, which is read to its end.

    Args:
        stream: the tar.
        most: maximum number of headers, including those of folders and extended ones.
        name_max: maximum characters of a name.
        folders: whether folders are skipped or refused.
        closed: whether the padding of the last member and the closing blocks are required.

    Raises:
        ArtifactError: the tar contains something that this module does not accept, or ends early.
    """
    seen: set[str] = set()
    extension: dict[str, str] = {}
    for count, block in enumerate(_header_blocks(stream, closed=closed), 1):
        if count > most:
            raise malformed(f"more than {most} members in a tar")
        header = _Header.read(block)
        if header.kind == EXTENDED:
            if extension:
                raise malformed("two extended tar headers in a row")
            extension = _extension(stream, header.size)
            continue
        header = header.extended(extension)
        extension = {}
        _check_name(header.name, name_max, seen)
        if header.kind == FOLDER and folders and not header.size:
            continue
        if header.kind not in {FILE, FILE_OLD}:
            raise malformed(f"{quoted(header.name)} is not a regular file")
        member = Member(stream, header.name, header.size, header.modified)
        yield member
        for _ in chunks(member):
            pass
        (read_exactly if closed else read_up_to)(stream, -header.size % BLOCK)
    if extension:
        raise malformed("a tar ends after an extended header")


def _header_blocks(stream: Read, *, closed: bool) -> Iterator[bytes]:
    """The first blocks of headers. Ends after the archive, once it is clear that nothing follows."""
    while (block := _block(stream, closed=closed)) not in _ENDS:
        yield block
    if _block(stream, closed=closed) not in _ENDS:
        raise malformed("a tar continues after an empty block")
    for rest in chunks(stream):
        if rest.count(0) != len(rest):
            raise malformed("data after the end of a tar")


def _block(stream: Read, *, closed: bool) -> bytes:
    """The next block; empty at the end, which is an error in ``closed`` archives."""
    block = read_up_to(stream, BLOCK)
    if len(block) < BLOCK and (block or closed):
        raise malformed("unexpected end of file")
    return block


class _Header(msgspec.Struct, frozen=True):
    """The fields of a header block that are used."""

    name: str
    size: int
    seconds: int
    kind: bytes

    @classmethod
    def read(cls, block: bytes) -> _Header:
        """Decode a block; ArtifactError if its checksum or magic is wrong."""
        if block[257:262] != b"ustar":
            raise malformed("not a tar header")
        if sum(block) - sum(block[148:156]) + 8 * ord(" ") != _number(block[148:156]):
            raise malformed("invalid checksum of a tar header")
        name = _text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
            name = f"{prefix}/{name}"
        return cls(name, _number(block[124:136]), _number(block[136:148]), block[156:157])

    def extended(self, records: dict[str, str]) -> _Header:
        """The header with the values of the extended header before it."""
        if not records:
            return self
        size = records.get("size", str(self.size))
        if not re.fullmatch(r"[0-9]{1,15}", size):
            raise malformed("invalid size in an extended tar header")
        return _Header(records.get("path", self.name), int(size), self.seconds, self.kind)

    @property
    def modified(self) -> datetime | None:
        """The time of the last change."""
        try:
            return EPOCH + timedelta(seconds=self.seconds)
        except OverflowError:
            return None


def _number(field: bytes) -> int:
    """A numeric field: octal digits, or (GNU, for sizes over 8 GiB) the byte 0x80 and a binary number."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    if not match:
        raise malformed("invalid number in a tar header")
    return int(match[1] or b"0", 8)


def _text(field: bytes) -> str:
    """A text field up to its closing zero. Names in artifacts are ASCII."""
    try:
        return field.partition(b"\0")[0].decode("ascii")
    except UnicodeDecodeError:
        raise malformed("a name in a tar is not ASCII") from None


def _extension(stream: Read, size: int) -> dict[str, str]:
    """The records of an extended header: length, space, key=value, newline. The length is that of the whole record."""
    if size > PAX_MAX:
        raise malformed(f"an extended tar header of more than {PAX_MAX} bytes")
    data = read_exactly(stream, size)
    read_exactly(stream, -size % BLOCK)
    records: dict[str, str] = {}
    while data:
        match = _RECORD.match(data)
        end = int(match[1]) if match else 0
        if not match or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise malformed("invalid record in an extended tar header")
        key = match[2].decode()
        if key in records or key not in PAX_USED | PAX_IGNORED:
            raise malformed(f"record {quoted(key)} in an extended tar header")
        records[key] = _text(data[match.end() : end - 1]) if key in PAX_USED else ""
        data = data[end:]
    return records


def _check_name(name: str, name_max: int, seen: set[str]) -> None:
    """Refuse names that could refer to something outside the archive, or are ambiguous."""
    path = name.removesuffix("/")
    if len(name) > name_max:
        raise malformed(f"name of more than {name_max} characters: {quoted(name)}")
    if not all(_COMPONENT.fullmatch(part) and part not in {".", ".."} for part in path.split("/")):
        raise malformed(f"forbidden name {quoted(name)}")
    if path in seen:
        raise malformed(f"{quoted(name)} occurs twice")
    seen.add(path)
