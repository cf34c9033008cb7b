"""Writes module artifacts: format 3, one payload, uncompressed, the same bytes every time.

Files are written piece by piece, so memory stays small whatever their size. Their checksums come before them in the
file, so these must be known beforehand; then the length of the whole is known too, which devices need. Everything
except the content of payload files is ASCII.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chalicelib.artifacts.container.tar import BLOCK, EMPTY

_END = 2 * EMPTY
_MODE = 0o600


class SourceFile(msgspec.Struct, frozen=True):
    """A file to put into a payload.

    ``size`` (bytes) and ``checksum`` (SHA-256 in hexadecimal digits) are those of what ``read`` returns.
    """

    name: str
    size: int
    checksum: str
    read: Callable[[], Iterable[bytes]]


class ModuleArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a module artifact, and its files.

    ``type`` is the update module that installs it, ``metadata`` the object that the module gets.
    ``provides``, ``depends`` and ``clears_provides`` are those of the payload; the artifact itself provides its
    name and depends on the device types.
    """

    name: str
    device_types: Sequence[str]
    type: str
    provides: Mapping[str, str] = {}
    depends: Mapping[str, str | Sequence[str]] = {}
    clears_provides: Sequence[str] = ()
    metadata: Mapping[str, Any] | None = None
    files: Sequence[SourceFile] = ()

    def size(self) -> int:
        """The size of the whole file in bytes."""
        return len(self._front()) + self._data_size() + len(_END)

    def pieces(self) -> Iterator[bytes]:
        """The pieces of the file, in order.

        Raises:
            ValueError: a payload file has another size or checksum. The pieces so far are then useless.
        """
        yield self._front()
        for file in self.files:
            yield _header(file.name, file.size)
            yield from _checked(file)
            yield bytes(-file.size % BLOCK)
        yield _END + _END  # of the payload, then of the artifact

    def _front(self) -> bytes:
        """Everything before the payload's own tar."""
        version = _compact({"format": "mender", "version": 3})
        header = b"".join(_member(name, _compact(document)) for name, document in self._documents()) + _END
        sums = {f"data/0000/{file.name}": file.checksum for file in self.files}
        sums |= {"header.tar": _sum(header), "version": _sum(version)}
        manifest = "".join(f"{value}  {name}\n" for name, value in sums.items()).encode("ascii")
        return b"".join(
            [
                _member("version", version),
                _member("manifest", manifest),
                _member("header.tar", header),
                _header("data/0000.tar", self._data_size()),
            ]
        )

    def _documents(self) -> Iterator[tuple[str, Any]]:
        yield (
            "header-info",
            {
                "payloads": [{"type": self.type}],
                "artifact_provides": {"artifact_name": self.name},
                "artifact_depends": {"device_type": list(self.device_types)},
            },
        )
        optional = {
            "artifact_provides": dict(self.provides),
            "artifact_depends": {
                key: value if isinstance(value, str) else list(value) for key, value in self.depends.items()
            },
            "clears_artifact_provides": list(self.clears_provides),
        }
        yield "headers/0000/type-info", {"type": self.type} | {key: value for key, value in optional.items() if value}
        if self.metadata is not None:
            yield "headers/0000/meta-data", self.metadata

    def _data_size(self) -> int:
        return sum(len(_header(file.name, file.size)) + _padded(file.size) for file in self.files) + len(_END)


def _padded(size: int) -> int:
    return size + -size % BLOCK


def _checked(file: SourceFile) -> Iterator[bytes]:
    """The content of a file; ValueError if its size or checksum is wrong."""
    size, total = 0, hashlib.sha256()
    for piece in file.read():
        size += len(piece)
        total.update(piece)
        yield piece
    if (size, total.hexdigest()) != (file.size, file.checksum):
        raise ValueError(f"{file.name} is not the file that was announced")


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _compact(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _member(name: str, content: bytes) -> bytes:
    return _header(name, len(content)) + content + bytes(-len(content) % BLOCK)


def _header(name: str, size: int) -> bytes:
    """The header of a regular file, after an extended header if the name is long or the size huge."""
    # Imported here: only generated artifacts need it.
    import tarfile

    info = tarfile.TarInfo(name)
    info.size, info.mode = size, _MODE
    return info.tobuf(tarfile.PAX_FORMAT, "ascii", "strict")
