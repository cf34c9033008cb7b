"""Walks a tar stream, strictly.

Not with ``tarfile``, whose stream mode is made for archives one trusts. It reads an extended header whole, at
the size that the header claims, so that some kilobytes of gzip become gigabytes of memory; it takes a broken
header in the middle for the end of the archive; it applies GNU and sparse extensions that no artifact needs;
and it does not look at what comes after the end. The part of the format that artifacts use is small enough to
be read here by its own rules (POSIX.1-2017, pax, "ustar Interchange Format").

Accepted: regular files, in ustar or GNU headers, with the extended headers that Mender's tool writes for
names over 100 bytes and sizes over 8 GiB. Refused: everything else, including anything but zeros behind the two
closing blocks. The file itself may end without these, after one of them, and without the padding of its last member:
some writers leave them out, and Mender's tool reads the result. What is lost with the end is found missing by the
manifest, which lists every member of the file, but not those of the tars inside of it.
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
PAX_MAX = 4096  # bytes of an extended header; the records allowed, at their longest, need 600

FILE, FILE_OLD, FOLDER, EXTENDED = b"0", b"\0", b"5", b"x"
PAX_USED = frozenset({"path", "size"})
PAX_IGNORED = frozenset({"mtime", "atime", "ctime", "uid", "gid", "uname", "gname"})

_OCTAL = re.compile(rb" *([0-7]*)[ \0]*")
_RECORD = re.compile(rb"([1-9][0-9]{0,3}) ([A-Za-z.]+)=")
_COMPONENT = re.compile(r"[^\x00-\x1f\x7f-\U0010ffff/\\]+")


class Member:
    """One regular file of a tar: a :class:`Read` over its content, good until the next member is asked for.

    ``size`` is in bytes; ``modified`` is None where the time is beyond what a date can say.
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
        most: headers that it may have, those of folders and extended ones included.
        name_max: characters of a name.
        folders: whether folders are passed over (they hold nothing) or refused.
        closed: whether the padding of the last member and the closing blocks have to be there.

    Raises:
        ArtifactError: on anything the module's text does not accept, and when the stream ends early.
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
    """The blocks that headers begin with; ends behind the archive, after seeing that nothing follows."""
    while (block := _block(stream, closed=closed)) not in _ENDS:
        yield block
    if _block(stream, closed=closed) not in _ENDS:
        raise malformed("a tar goes on after an empty block")
    for rest in chunks(stream):
        if rest.count(0) != len(rest):
            raise malformed("data after the end of a tar")


def _block(stream: Read, *, closed: bool) -> bytes:
    """The next block; none at the end, which ``closed`` archives have not reached yet."""
    block = read_up_to(stream, BLOCK)
    if len(block) < BLOCK and (block or closed):
        raise malformed("unexpected end of file")
    return block


class _Header(msgspec.Struct, frozen=True):
    """What matters of one header block."""

    name: str
    size: int
    seconds: int
    kind: bytes

    @classmethod
    def read(cls, block: bytes) -> _Header:
        """Decode a block whose sum and magic are right; ArtifactError otherwise."""
        if block[257:262] != b"ustar":
            raise malformed("not a tar header")
        if sum(block) - sum(block[148:156]) + 8 * ord(" ") != _number(block[148:156]):
            raise malformed("invalid checksum of a tar header")
        name = _text(block[:100])
        if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
            name = f"{prefix}/{name}"
        return cls(name, _number(block[124:136]), _number(block[136:148]), block[156:157])

    def extended(self, records: dict[str, str]) -> _Header:
        """The header as the records of the extended one before it have it."""
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
    """The records of an extended header: length, space, key=value, newline; the length counts it all."""
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
    """Refuse names that could mean something outside the archive, or mean two things inside it."""
    path = name.removesuffix("/")
    if len(name) > name_max:
        raise malformed(f"name of more than {name_max} characters: {quoted(name)}")
    if not all(_COMPONENT.fullmatch(part) and part not in {".", ".."} for part in path.split("/")):
        raise malformed(f"forbidden name {quoted(name)}")
    if path in seen:
        raise malformed(f"{quoted(name)} occurs twice")
    seen.add(path)
