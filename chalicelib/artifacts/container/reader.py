"""Reads a whole artifact in one pass."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, TypeVar

from chalicelib.artifacts.container import shapes
from chalicelib.artifacts.container.compression import Allowance, expand
from chalicelib.artifacts.container.errors import ArtifactError, malformed, quoted
from chalicelib.artifacts.container.header import Header, Section, read_header
from chalicelib.artifacts.container.limits import DEFAULT_LIMITS, Limits
from chalicelib.artifacts.container.manifest import Manifest
from chalicelib.artifacts.container.model import Artifact, Depends, Payload, PayloadFile, Signature
from chalicelib.artifacts.container.source import Read, Source, chunks, read_exactly
from chalicelib.artifacts.container.tar import Member, members

if TYPE_CHECKING:
    from collections.abc import Iterator

V = TypeVar("V")

_SUFFIX = r"(\.gz|\.xz|\.zst|)"
_HEADER = re.compile(r"header\.tar" + _SUFFIX)
_HEADER_AUGMENT = re.compile(r"header-augment\.tar" + _SUFFIX)
_DATA = re.compile(r"data/(\d{4})\.tar" + _SUFFIX, re.ASCII)
_FILE_NAME = re.compile(r"[\w\-.,]+", re.ASCII)
FILE_NAMES = "letters, digits, '_', '-', '.' and ','"
"""The characters of a file name."""


def is_file_name(name: str) -> bool:
    """Whether a file in a payload may have this name."""
    return _FILE_NAME.fullmatch(name) is not None and name not in {".", ".."}


def parse(stream: Read, *, limits: Limits = DEFAULT_LIMITS) -> Artifact:
    """Read and verify the artifact in ``stream``.

    The stream is read once, from its current position to its end. To store the bytes at the same time, use
    :class:`ChunkReader`. After an error the rest is not read. Errors of the stream itself are not caught.

    Raises:
        ArtifactTooLargeError: the file is larger than ``limits`` allow.
        ArtifactError: it is not an artifact of format 2 or 3, is damaged, or exceeds another limit.
    """
    return _Reader(stream, limits).read()


class _Entries:
    """The members of the file, in the order of the format."""

    def __init__(self, entries: Iterator[Member]) -> None:
        self._entries = entries
        self._next: Member | None = None

    def look(self) -> Member | None:
        """The next member, without taking it. The previously taken one can no longer be read."""
        self._next = self._next or next(self._entries, None)
        return self._next

    def take(self, pattern: str | re.Pattern[str]) -> tuple[Member, re.Match[str]] | None:
        """The next member if its name matches, else None."""
        member = self.look()
        match = re.fullmatch(pattern, member.name) if member else None
        if not member or not match:
            return None
        self._next = None
        return member, match

    def need(self, pattern: str | re.Pattern[str], what: str) -> tuple[Member, re.Match[str]]:
        """Take the next member, whose name must match; ``what`` describes it in the error."""
        taken = self.take(pattern)
        if not taken:
            raise malformed(f"expected {quoted(what)}, found {self.found()}")
        return taken

    def found(self) -> str:
        """A description of what comes next, for an error."""
        member = self.look()
        return quoted(member.name) if member else "the end of the file"


class _Hashed:
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, stream: Read) -> None:
        self._stream = stream
        self._sum = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._sum.update(data)
        return data

    def digest(self) -> str:
        return self._sum.hexdigest()


class _Reader:
    """Reads an artifact: a method for each part, called by :meth:`read` in the order of the format."""

    def __init__(self, stream: Read, limits: Limits) -> None:
        self._limits = limits
        self._source = Source(stream, limits.size)
        # Six named members and the payloads; each may have an extended header.
        most = 2 * (6 + limits.payloads)
        self._entries = _Entries(members(self._source, most=most, name_max=limits.name, folders=True, closed=False))
        self._manifest = Manifest()
        self._expansion = Allowance(limits.expanded, free=limits.expanded_free, ratio=limits.expansion)

    def read(self) -> Artifact:
        """The whole artifact."""
        version, version_sum = self._version()
        manifest = self._small("manifest", self._limits.manifest)
        self._manifest.add(manifest)
        self._manifest.check("version", version_sum)
        encoded = self._optional("manifest.sig", self._limits.signature)
        augmentation = self._optional("manifest-augment", self._limits.manifest) if version > 2 else None
        if augmentation is not None:
            self._manifest.add(augmentation, augment=True)
        header = self._header(_HEADER, "header.tar", version, augment=False)
        if augmentation is not None:
            header.augment(self._header(_HEADER_AUGMENT, "header-augment.tar", version, augment=True))
        files = self._payload_files(header)
        self._manifest.close()
        signature = None
        if encoded is not None:
            signature = Signature(manifest, encoded, covers_all=augmentation is None)
        return _artifact(version, header, files, signature, size=self._source.size)

    def _version(self) -> tuple[int, str]:
        """The format's version, and the checksum of the member that contains it."""
        raw = self._small("version", self._limits.document)
        stated = shapes.decode(raw, shapes.Version, "version")
        if stated.format != "mender":
            raise malformed(f"unsupported format {quoted(stated.format)}")
        if stated.version not in {2, 3}:
            raise ArtifactError(f"unsupported version: {stated.version}; versions 2 and 3 are supported")
        return stated.version, hashlib.sha256(raw).hexdigest()

    def _small(self, name: str, most: int) -> bytes:
        """The content of the next member, which must be ``name`` and of at most ``most`` bytes."""
        member, _ = self._entries.need(re.escape(name), name)
        if member.size > most:
            raise malformed(f"{quoted(name)} is too large")
        return read_exactly(member, member.size)

    def _optional(self, name: str, most: int) -> bytes | None:
        """As :meth:`_small`; None if something else comes next."""
        member = self._entries.look()
        return self._small(name, most) if member and member.name == name else None

    def _header(self, pattern: re.Pattern[str], what: str, version: int, *, augment: bool) -> Header:
        """The header or the augmented header, with verified checksum."""
        member, match = self._entries.need(pattern, what)
        if member.size > self._limits.header_packed:
            raise malformed(f"{quoted(member.name)} is too large")
        most = self._limits.header_expanded
        packed = _Hashed(member)
        tar = expand(packed, match[1], Allowance(most, free=most, ratio=1), self._limits)
        header = read_header(tar, version, self._limits, augment=augment)
        self._manifest.check(member.name, packed.digest())
        return header

    def _payload_files(self, header: Header) -> list[tuple[PayloadFile, ...]]:
        """The files of every payload, with verified checksums. A payload without files need not have a data tar."""
        files: list[tuple[PayloadFile, ...]] = [()] * len(header.sections)
        at = -1
        left = self._limits.files
        while taken := self._entries.take(_DATA):
            member, match = taken
            index = int(match[1])
            if not at < index < len(files):
                raise malformed(f"unexpected {quoted(member.name)}")
            at = index
            tar = expand(member, match[2], self._expansion, self._limits)
            files[index] = tuple(self._data(tar, index, left))
            left -= len(files[index])
        if self._entries.look():
            raise malformed(f"unexpected {self._entries.found()}")
        return files

    def _data(self, tar: Read, index: int, most: int) -> Iterator[PayloadFile]:
        """The files of one payload, at most ``most``."""
        for member in members(tar, most=2 * self._limits.files, name_max=self._limits.name):
            most -= 1
            if most < 0:
                raise malformed(f"more than {self._limits.files} payload files")
            if not is_file_name(member.name):
                raise malformed(f"the file name {quoted(member.name)} may only have {FILE_NAMES}")
            total = hashlib.sha256()
            for piece in chunks(member):
                total.update(piece)
            checksum = total.hexdigest()
            self._manifest.check(f"data/{index:04d}/{member.name}", checksum)
            yield PayloadFile(member.name, member.size, checksum, member.modified)


def _artifact(
    version: int, header: Header, files: list[tuple[PayloadFile, ...]], signature: Signature | None, *, size: int
) -> Artifact:
    """Combine all parts into one artifact; ArtifactError if they contradict each other."""
    provides = dict(header.provides)
    depends: Depends = dict(header.depends)
    clears: list[str] = []
    for section, own in zip(header.sections, files, strict=True):
        _check_payload(section, own)
        info = section.info or shapes.TypeInfo()
        _join(provides, info.artifact_provides or {}, "provides")
        own_depends: Depends = {
            key: value if isinstance(value, str) else tuple(value)
            for key, value in (info.artifact_depends or {}).items()
        }
        _join(depends, own_depends, "depends")
        clears += info.clears_artifact_provides or []
    return Artifact(
        name=header.name,
        format_version=version,
        signature=signature,
        device_types=header.device_types,
        payloads=tuple(
            Payload(section.type, own, section.metadata) for section, own in zip(header.sections, files, strict=True)
        ),
        provides=provides,
        depends=depends,
        clears_provides=tuple(clears),
        group=header.provides.get("artifact_group"),
        size=size,
    )


def _check_payload(section: Section, files: tuple[PayloadFile, ...]) -> None:
    """Check that a payload's files fit its type."""
    if section.type is None and files:
        raise malformed("an empty payload has files")
    if section.type == "rootfs-image" and len(files) > 1:
        raise malformed("a root file system image has more than one file")
    if section.files is not None and sorted(section.files) != sorted(file.name for file in files):
        raise malformed("the payload's files are not those that its header lists")


def _join(whole: dict[str, V], part: dict[str, V], what: str) -> None:
    """Add ``part`` to ``whole``. A key in both is an error, since it is not clear which one counts."""
    for key in part:
        if key in whole:
            raise malformed(f"conflicting keys not allowed in the {what} parameters. key: {quoted(key)}")
    whole.update(part)
