"""Makes `.mender` artifacts: for the simulated fleet, for the demo, and for every test that needs one.

``build_artifact`` suffices for most. ``draft`` returns a :class:`Draft`, which can be made invalid before it is built
(an entry dropped, a checksum changed, a member renamed), for tests of the parser.

The format: an uncompressed tar of ``version``, ``manifest`` (SHA-256 sums of what follows), optionally
``manifest.sig`` and ``manifest-augment``, ``header.tar``, optionally ``header-augment.tar``, and one
``data/NNNN.tar`` for each payload. Header and data tars have the same compression. The same input always gives the
same bytes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import lzma
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compression = Literal["none", "gzip", "lzma", "zstd"]
Sign = Callable[[bytes], bytes]
Depends = Mapping[str, str | Sequence[str]]

BLOCK = 512
END = bytes(2 * BLOCK)
SUFFIX: dict[Compression, str] = {"none": "", "gzip": ".gz", "lzma": ".xz", "zstd": ".zst"}
COMPRESS: dict[Compression, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, compresslevel=6, mtime=0),
    "lzma": lambda data: lzma.compress(data, preset=1),
    "zstd": zstd.compress,
}


@dataclass
class Entry:
    """One member of a tar: a regular file unless ``kind`` (the type flag) says otherwise.

    ``size`` is the size in its header, by default the real one; ``link`` is the target of a link; ``pax`` are
    records of an extended header written before it.
    """

    name: str
    content: bytes = b""
    mtime: int = 0
    kind: bytes = tarfile.REGTYPE
    size: int | None = None
    link: str = ""
    pax: Mapping[str, str] = field(default_factory=dict)

    def packed(self) -> bytes:
        """Header, content and padding. Names over 100 bytes go into an extended header, as Go's writer does."""
        info = tarfile.TarInfo(self.name)
        info.mode, info.mtime, info.type, info.linkname = 0o600, self.mtime, self.kind, self.link
        info.size = len(self.content) if self.size is None else self.size
        info.pax_headers = dict(self.pax)
        return info.tobuf(tarfile.PAX_FORMAT) + self.content + bytes(-len(self.content) % BLOCK)


def pack(entries: Sequence[Entry], end: bytes = END) -> bytes:
    """A tar of ``entries``, with two empty blocks at its end and no further padding."""
    return b"".join(entry.packed() for entry in entries) + end


def sha256(data: bytes) -> str:
    """The checksum as written in the manifest."""
    return hashlib.sha256(data).hexdigest()


def compact(document: Any) -> bytes:
    """JSON without spaces, as in artifacts."""
    return json.dumps(document, separators=(",", ":")).encode()


@dataclass(frozen=True)
class PayloadSpec:
    """One payload, or the additions of an augmented section to one.

    ``type`` None makes an empty payload. ``metadata`` None omits the document.
    """

    type: str | None = "single-file"
    files: Mapping[str, bytes] = field(default_factory=dict)
    provides: Mapping[str, str] = field(default_factory=dict)
    depends: Depends = field(default_factory=dict)
    clears: Sequence[str] = ()
    metadata: Mapping[str, Any] | None = None

    def type_info(self, version: int) -> dict[str, Any]:
        """The document `type-info`; in format 2 it has only the type."""
        if version < 3:
            return {"type": self.type}
        optional: dict[str, Any] = {
            "artifact_depends": dict(self.depends),
            "artifact_provides": dict(self.provides),
            "clears_artifact_provides": list(self.clears),
        }
        return {"type": self.type} | {key: value for key, value in optional.items() if value}

    def header_entries(self, index: int, version: int) -> list[Entry]:
        """The entries of the header tar for this payload."""
        folder = f"headers/{index:04d}"
        entries = [Entry(f"{folder}/type-info", compact(self.type_info(version)))]
        if version < 3:
            entries.insert(0, Entry(f"{folder}/files", compact({"files": list(self.files)})))
        if self.metadata is not None or self.type == "rootfs-image":
            empty = self.metadata is None
            entries.append(Entry(f"{folder}/meta-data", b"" if empty else compact(self.metadata)))
        return entries


@dataclass
class Draft:
    """An artifact before it is packed; every part may be changed. Checksums are computed when it is built.

    ``augmented`` names the payload files with checksums in `manifest-augment`. ``sums`` replaces checksums of the
    manifest by file name, or adds them; None drops a line.
    """

    version: bytes
    header: list[Entry]
    data: list[list[Entry]]
    compression: Compression = "gzip"
    sign: Sign | None = None
    header_augment: list[Entry] | None = None
    augmented: frozenset[str] = frozenset()
    sums: dict[str, str | None] = field(default_factory=dict)

    def entries(self) -> list[Entry]:
        """The members of the outer tar, in their order."""
        suffix, compress = SUFFIX[self.compression], COMPRESS[self.compression]
        header = Entry(f"header.tar{suffix}", compress(pack(self.header)))
        files = [
            (f"data/{index:04d}/{entry.name}", entry.content)
            for index, entries in enumerate(self.data)
            for entry in entries
        ]
        own = [(name, content) for name, content in files if name not in self.augmented]
        manifest = self._manifest([*own, (header.name, header.content), ("version", self.version)], self.sums)
        result = [Entry("version", self.version), Entry("manifest", manifest)]
        if self.sign:
            result.append(Entry("manifest.sig", self.sign(manifest)))
        if self.header_augment is None:
            result.append(header)
        else:
            augment = Entry(f"header-augment.tar{suffix}", compress(pack(self.header_augment)))
            added = [(name, content) for name, content in files if name in self.augmented]
            lines = self._manifest([*added, (augment.name, augment.content)], {})
            result += [Entry("manifest-augment", lines), header, augment]
        for index, entries in enumerate(self.data):
            result.append(Entry(f"data/{index:04d}.tar{suffix}", compress(pack(entries))))
        return result

    def build(self) -> bytes:
        """The artifact's bytes."""
        return pack(self.entries())

    @staticmethod
    def _manifest(contents: Sequence[tuple[str, bytes]], other: Mapping[str, str | None]) -> bytes:
        sums = {name: sha256(content) for name, content in contents} | dict(other)
        return "".join(f"{value}  {name}\n" for name, value in sums.items() if value is not None).encode()


def placeholder_signature(manifest: bytes) -> bytes:
    """A fake signature, for readers that do not verify it."""
    return base64.b64encode(hashlib.sha512(manifest).digest())


def header_info(
    name: str,
    device_types: Sequence[str],
    types: Sequence[str | None],
    *,
    version: int = 3,
    group: str | None = None,
    depends: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """The document `header-info` in the form of format ``version``.

    ``depends`` are the artifact's further dependencies, `artifact_name` and `artifact_group`.
    """
    payloads = [{"type": kind} for kind in types]
    if version < 3:
        return {"artifact_name": name, "updates": payloads, "device_types_compatible": list(device_types)}
    further = {key: list(values) for key, values in (depends or {}).items()}
    return {
        "payloads": payloads,
        "artifact_provides": {"artifact_name": name} | ({"artifact_group": group} if group else {}),
        "artifact_depends": {"device_type": list(device_types)} | further,
    }


def draft(
    name: str,
    device_types: Sequence[str],
    payloads: Sequence[PayloadSpec],
    *,
    version: int = 3,
    compression: Compression = "gzip",
    sign: Sign | None = None,
    group: str | None = None,
    depends: Mapping[str, Sequence[str]] | None = None,
    scripts: Mapping[str, bytes] | None = None,
    augment: PayloadSpec | None = None,
    mtime: int = 0,
) -> Draft:
    """An artifact in parts. ``augment`` adds to the first payload; ``mtime`` is that of the payload files."""
    info = header_info(
        name, device_types, [spec.type for spec in payloads], version=version, group=group, depends=depends
    )
    header = [Entry("header-info", compact(info))]
    header += [Entry(f"scripts/{script}", content) for script, content in (scripts or {}).items()]
    for index, spec in enumerate(payloads):
        header += spec.header_entries(index, version)
    data = [[Entry(file, content, mtime) for file, content in (spec.files or {}).items()] for spec in payloads]
    parts = Draft(compact({"format": "mender", "version": version}), header, data, compression, sign)
    if augment:
        augment_info = {"payloads": [{"type": spec.type} for spec in payloads]}
        parts.header_augment = [
            Entry("header-info", compact(augment_info)),
            *augment.header_entries(0, version),
        ]
        parts.augmented = frozenset(f"data/0000/{file}" for file in augment.files)
        parts.data[0] += [Entry(file, content, mtime) for file, content in augment.files.items()]
    return parts


def build_artifact(
    name: str,
    device_types: Sequence[str],
    payload: bytes | Mapping[str, bytes] = b"hello\n",
    *,
    type: str | None = "single-file",  # noqa: A002 - the format's own word
    version: int = 3,
    compression: Compression = "gzip",
    signed: bool | Sign = False,
    provides: Mapping[str, str] | None = None,
    depends: Depends | None = None,
    clears: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
    group: str | None = None,
    scripts: Mapping[str, bytes] | None = None,
    augment: PayloadSpec | None = None,
    more: Sequence[PayloadSpec] = (),
    mtime: int = 0,
) -> bytes:
    """An artifact's bytes.

    Args:
        name: the artifact's name.
        device_types: its compatible device types.
        payload: the files of the first payload by name; bare bytes become the one file `payload.bin`.
        type: the update module of the first payload, or `rootfs-image`; None makes an empty payload (then
            ``payload`` is left out), as a bootstrap artifact has.
        version: of the format, 2 or 3.
        compression: of header and payloads.
        signed: True adds a placeholder, a function makes the content of `manifest.sig` from the manifest.
        provides: what the first payload provides (format 3).
        depends: what it depends on (format 3), each a value or a list of values.
        clears: patterns of the provides that it clears (format 3).
        metadata: the metadata for its update module.
        group: what the artifact provides as `artifact_group` (format 3).
        scripts: state scripts by name.
        augment: an augmented section for the first payload (format 3).
        more: further payloads.
        mtime: of the payload files, in seconds.
    """
    files = {"payload.bin": payload} if isinstance(payload, bytes) else payload
    first = PayloadSpec(type, files if type else {}, provides or {}, depends or {}, clears, metadata)
    sign = placeholder_signature if signed is True else signed or None
    return draft(
        name,
        device_types,
        [first, *more],
        version=version,
        compression=compression,
        sign=sign,
        group=group,
        scripts=scripts,
        augment=augment,
        mtime=mtime,
    ).build()
