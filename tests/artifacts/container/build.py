"""Helpers for tests of the parser: a simple example, and files that no correct tool writes.

Valid artifacts come from ``tests.simulator.artifacts``.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import lzma
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chalicelib.artifacts.container import DEFAULT_LIMITS, Artifact, Limits, parse
from tests.simulator.artifacts import (
    BLOCK,
    END,
    SUFFIX,
    Compression,
    Draft,
    Entry,
    PayloadSpec,
    compact,
    draft,
    header_info,
    pack,
    placeholder_signature,
    sha256,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024
ZEROS = bytes(4 * MIB)


def parse_bytes(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Artifact:
    """The result of parsing ``data``."""
    return parse(io.BytesIO(data), limits=limits)


def example(version: int = 3, compression: Compression = "none", *, signed: bool = False) -> Draft:
    """A small artifact that uses all features of its version."""
    spec = PayloadSpec(
        type="rootfs-image" if version == 2 else "single-file",
        files={"a.txt": b"hello"} if version == 2 else {"a.txt": b"hello", "b.txt": b"world\n"},
        provides={"app.version": "1"},
        depends={"base": ["1", "2"], "libc": "musl"},
        clears=["app.*"],
        metadata={"to": "/opt", "deep": {"mode": 420}},
    )
    return draft(
        "example-1",
        ["pi4", "pi5"],
        [spec],
        version=version,
        compression=compression,
        sign=placeholder_signature if signed else None,
        scripts={"ArtifactInstall_Enter_00_x": b"#!/bin/sh\n"},
        augment=PayloadSpec(files={"key": b"device key"}, provides={"key": "7"}) if version == 3 else None,
        mtime=1_700_000_000,
    )


def edit(entry: Entry, **members: Any) -> None:
    """Set members of the JSON object in ``entry``; None deletes one."""
    document = json.loads(entry.content) | members
    entry.content = compact({key: value for key, value in document.items() if value is not None})


@dataclass(frozen=True)
class Packed:
    """Compressed bytes that are generated while they are read: the same ``piece`` repeatedly."""

    start: bytes
    piece: bytes
    times: int
    end: bytes

    def __len__(self) -> int:
        return len(self.start) + len(self.piece) * self.times + len(self.end)

    def __iter__(self) -> Iterator[bytes]:
        yield self.start
        yield from itertools.repeat(self.piece, self.times)
        yield self.end


def one_stream(data: bytes, compression: Compression) -> bytes:
    """``data`` as one complete compressed stream; several may be concatenated."""
    if compression == "gzip":
        return gzip.compress(data, mtime=0)
    if compression == "lzma":
        return lzma.compress(data, preset=6)
    return zstd.compress(data) if compression == "zstd" else data


def zeros_tar(before: bytes, name: str, mebibytes: int, compression: Compression) -> Packed:
    """A compressed tar of ``before`` and a file of zeros, whose size is a multiple of 4 MiB."""
    head = Entry(name, size=mebibytes * MIB).packed()
    return Packed(
        one_stream(before + head, compression),
        one_stream(ZEROS, compression),
        mebibytes * MIB // len(ZEROS),
        one_stream(END, compression),
    )


def with_parts(
    compression: Compression,
    *,
    header: Packed | bytes | None = None,
    data: Packed | bytes = b"",
    sums: dict[str, str] | None = None,
) -> Iterator[bytes]:
    """An artifact in pieces, with the given header or first data tar and its true size.

    ``sums`` are lines of the manifest in addition to those for `version` and, if it is the usual one, the header.
    """
    version = compact({"format": "mender", "version": 3})
    name = f"header.tar{SUFFIX[compression]}"
    spec = PayloadSpec()
    if header is None:
        entries = [Entry("header-info", compact(header_info("bomb", ["pi"], [spec.type])))]
        header = one_stream(pack(entries + spec.header_entries(0, 3)), compression)
    lines = {"version": sha256(version), name: "0" * 64} | (sums or {})
    if isinstance(header, bytes):
        lines[name] = sha256(header)
    manifest = "".join(f"{value}  {key}\n" for key, value in lines.items()).encode()
    yield pack([Entry("version", version), Entry("manifest", manifest)], b"")
    yield from _member(name, header)
    if data:
        yield from _member(f"data/0000.tar{SUFFIX[compression]}", data)
    yield END


def _member(name: str, content: Packed | bytes) -> Iterator[bytes]:
    pieces: Iterable[bytes] = [content] if isinstance(content, bytes) else content
    yield Entry(name, size=len(content)).packed()
    yield from pieces
    yield bytes(-len(content) % BLOCK)
