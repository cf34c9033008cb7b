"""Artifacts that claim or expand to far more than their size, and a program that measures parsing one.

Two processes joined by a pipe, so that generating a file costs neither memory of the parser nor disk space:
``python -m tests.artifacts.container.bombs make NAME | python -m tests.artifacts.container.bombs parse NAME``. The
second is limited to 256 MiB of address space and prints the result.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib.artifacts.container import DEFAULT_LIMITS, ArtifactError, Limits, parse
from tests.artifacts.container.build import MIB, ZEROS, Packed, one_stream, with_parts, zeros_tar
from tests.simulator.artifacts import Compression, Entry, compact, header_info, pack, sha256

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ADDRESS_SPACE = 256 * MIB
PROCESSOR_TIME = 30
"""CPU seconds, far more than any file needs: the limit only ends parsers that hang."""
GIB_OF_ZEROS = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
KINDS: list[Compression] = ["gzip", "lzma", "zstd"]
VERSION = b'{"format":"mender","version":3}'
INFO = Entry("header-info", compact(header_info("bomb", ["pi"], ["x"])))
HUGE = 8**11 - 1  # bytes; the largest octal size in a tar header


@dataclass(frozen=True)
class Case:
    """A file in pieces; ``text`` is in the expected error, empty if the file is valid.

    ``growth`` is how much memory parsing may use, in bytes.
    """

    chunks: Callable[[], Iterator[bytes]]
    text: str
    limits: Limits = DEFAULT_LIMITS
    growth: int = 32 * MIB


def script_of_zeros(kind: Compression) -> Iterator[bytes]:
    """A header with a script of 1 GiB."""
    return with_parts(kind, header=zeros_tar(INFO.packed(), "scripts/x", 1024, kind))


def zeros_behind_the_header(kind: Compression) -> Iterator[bytes]:
    """A header that is followed by 1 GiB of zeros."""
    return with_parts(kind, header=Packed(one_stream(pack([INFO]), kind), one_stream(ZEROS, kind), 256, b""))


def file_of_zeros(kind: Compression) -> Iterator[bytes]:
    """A valid payload of 1 GiB of zeros."""
    return with_parts(kind, data=zeros_tar(b"", "f", 1024, kind), sums={"data/0000/f": GIB_OF_ZEROS})


def many_streams(kind: Compression) -> Iterator[bytes]:
    """A million empty compressed streams."""
    return with_parts(kind, data=Packed(b"", one_stream(b"", kind) * 1000, 1000, b""))


def numbered(folder: str) -> Iterator[bytes]:
    """100,000 empty members that are named by numbers."""
    block = bytearray(Entry(f"{folder}000000").packed())
    block[148:156] = b" " * 8
    total = sum(block) - sum(b"000000")
    for number in range(100_000):
        digits = b"%06d" % number
        block[len(folder) : len(folder) + 6] = digits
        block[148:156] = b"%06o\0 " % (total + sum(digits))
        yield bytes(block)


def many_scripts() -> Iterator[bytes]:
    """100,000 scripts in a header."""
    scripts = INFO.packed() + b"".join(numbered("scripts/"))
    return with_parts("gzip", header=one_stream(scripts, "gzip"))


def many_files() -> Iterator[bytes]:
    """100,000 empty files in a payload, and as many checksums as a manifest may hold."""
    empty = sha256(b"")
    sums = {f"data/0000/{number:06d}": empty for number in range(5000)}
    return with_parts("gzip", data=one_stream(b"".join(numbered("")), "gzip"), sums=sums)


def many_folders() -> Iterator[bytes]:
    """100,000 folders in the file itself."""
    yield Entry("version", VERSION).packed()
    yield from (Entry(f"folder-{number}", kind=b"5").packed() for number in range(100_000))


def claim(kind: bytes) -> Iterator[bytes]:
    """A special member in the header that claims 8 GiB and has 1 GiB."""
    start = INFO.packed() + Entry("x", kind=kind, size=HUGE).packed()
    header = Packed(one_stream(start, "gzip"), one_stream(ZEROS, "gzip"), 256, b"")
    return with_parts("gzip", header=header)


def claimed_member(name: str) -> Iterator[bytes]:
    """A member of the file that claims 8 GiB and has 64 MiB."""
    yield Entry("version", VERSION).packed()
    if name != "manifest":
        manifest = f"{sha256(VERSION)}  version\n".encode()
        yield Entry("manifest", manifest).packed()
    yield Entry(name, size=HUGE).packed()
    yield from [ZEROS] * 16


def deep_document() -> Iterator[bytes]:
    """A header whose meta-data is nested 40,000 levels deep."""
    deep = b'{"a":' * 40_000 + b"1" + b"}" * 40_000
    entries = [INFO, Entry("headers/0000/type-info", b"{}"), Entry("headers/0000/meta-data", deep)]
    return with_parts("gzip", header=one_stream(pack(entries), "gzip"))


def wide_documents() -> Iterator[bytes]:
    """The largest allowed JSON, of the kind that grows most when it is decoded."""
    wide = b'{"a":[' + b",".join([b"{}"] * 83_000) + b"]}"
    entries = [Entry("header-info", compact(header_info("bomb", ["pi"], ["x"] * 4)))]
    for index in range(4):
        folder = f"headers/{index:04d}"
        entries += [Entry(f"{folder}/type-info", b"{}"), Entry(f"{folder}/meta-data", wide)]
    return with_parts("none", header=pack(entries))


def wide_manifest() -> Iterator[bytes]:
    """The largest allowed manifest, with unused lines."""
    lines = "".join(f"{number:064d}  {number}\n" for number in range(7000))
    manifest = f"{lines}{sha256(VERSION)}  version\n".encode()
    yield pack([Entry("version", VERSION), Entry("manifest", manifest)])


def wide_window_xz(code: int, data: bytes) -> bytes:
    """An xz stream whose LZMA2 filter asks for the window ``code``: 28 is 64 MiB, 37 is 1.5 GiB."""
    stream = bytearray(lzma.compress(data, preset=0))
    block = stream[12:20]  # after the 12 bytes of the stream header: the block header, then its checksum
    block[4] = code
    stream[12:24] = block + zlib.crc32(block).to_bytes(4, "little")
    return bytes(stream)


def wide_window_zstd(exponent: int) -> bytes:
    """An empty zstd frame with a window of 2**``exponent`` bytes: magic, no content size, one empty block."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([(exponent - 10) << 3]) + b"\x01\0\0"


def widest_window(kind: Compression) -> Iterator[bytes]:
    """A valid payload of 128 MiB in one stream with the largest accepted window, 64 MiB."""
    zeros = bytes(128 * MIB)
    tar = pack([Entry("f", zeros)])
    if kind == "lzma":
        data = wide_window_xz(28, tar)
    else:
        data = zstd.compress(tar, options={zstd.CompressionParameter.window_log: 26})
    return with_parts(kind, data=data, sums={"data/0000/f": sha256(zeros)})


def skippable_zstd() -> Iterator[bytes]:
    """256 MiB in frames that zstd readers skip."""
    frame = b"\x50\x2a\x4d\x18" + len(ZEROS).to_bytes(4, "little") + ZEROS
    return with_parts("zstd", data=Packed(b"", frame, 64, b""))


def zstd_that_claims(size: int) -> bytes:
    """A single-segment zstd frame that holds one byte but claims ``size``, which also is its window."""
    return b"\x28\xb5\x2f\xfd" + bytes([0xE0]) + size.to_bytes(8, "little") + b"\x09\0\0x"


def zstd_with_dictionary() -> bytes:
    """A zstd frame that needs a dictionary."""
    return b"\x28\xb5\x2f\xfd" + bytes([0x03, 0x00]) + b"\x01\x02\x03\x04" + b"\x09\0\0x"


def empty_blocks_zstd() -> Iterator[bytes]:
    """A zstd frame with 80 million empty blocks."""
    head, blocks = b"\x28\xb5\x2f\xfd\0\0", b"\0\0\0" * (MIB // 3)
    return with_parts("zstd", data=Packed(head, blocks, 240, b"\x01\0\0"))


def repeated_bytes_zstd() -> Iterator[bytes]:
    """A zstd frame of blocks that repeat one byte: every 4 bytes expand to 128 KiB."""
    blocks = ((131072 << 3) | 0b010).to_bytes(3, "little") + b"\0"
    return with_parts("zstd", data=Packed(b"\x28\xb5\x2f\xfd\0\x58", blocks * 1024, 300, b"\x01\0\0"))


def long_name_gzip() -> Iterator[bytes]:
    """A gzip stream whose file name is 256 MiB long."""
    head = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03"
    return with_parts("gzip", data=Packed(head, b"x" * MIB, 256, b"\0"))


def bomb_in_a_bomb() -> Iterator[bytes]:
    """A valid payload whose file could be decompressed to 1,000 times its size; files in payloads are not."""
    inner = one_stream(one_stream(ZEROS, "zstd") * 100, "zstd")
    return with_parts(
        "zstd", data=one_stream(pack([Entry("f.zst", inner)]), "zstd"), sums={"data/0000/f.zst": sha256(inner)}
    )


def endless() -> Iterator[bytes]:
    """Endless zeros after the last payload."""
    yield from with_parts("gzip", data=one_stream(pack([Entry("f")]), "gzip"), sums={"data/0000/f": sha256(b"")})
    while True:
        yield ZEROS


CASES = {
    "many-scripts": Case(many_scripts, "more than 1024 members"),
    "many-files": Case(many_files, "more than 1024 payload files"),
    "many-folders": Case(many_folders, "more than 140 members"),
    "pax-claim": Case(partial(claim, b"x"), "an extended tar header of more than"),
    "global-pax-claim": Case(partial(claim, b"g"), "not a regular file"),
    "long-name-claim": Case(partial(claim, b"L"), "not a regular file"),
    "script-claim": Case(partial(claim, b"0"), "unexpected 'x'"),
    "manifest-claim": Case(partial(claimed_member, "manifest"), "'manifest' is too large"),
    "signature-claim": Case(partial(claimed_member, "manifest.sig"), "'manifest.sig' is too large"),
    "header-claim": Case(partial(claimed_member, "header.tar"), "'header.tar' is too large"),
    "deep-document": Case(deep_document, "invalid 'headers/0000/meta-data'"),
    "wide-documents": Case(wide_documents, ""),
    "wide-manifest": Case(wide_manifest, "expected 'header.tar'"),
    "wide-window-xz": Case(lambda: with_parts("lzma", data=wide_window_xz(37, b"x")), "Memory usage limit"),
    "wide-window-zstd": Case(lambda: with_parts("zstd", data=wide_window_zstd(31)), "too much memory"),
    "widest-window-xz": Case(partial(widest_window, "lzma"), "", growth=80 * MIB),
    "widest-window-zstd": Case(partial(widest_window, "zstd"), "", growth=80 * MIB),
    "claim-zstd": Case(lambda: with_parts("zstd", data=zstd_that_claims(2**40)), "too much memory"),
    "claim-all-zstd": Case(lambda: with_parts("zstd", data=zstd_that_claims(2**64 - 1)), "too much memory"),
    "lie-zstd": Case(lambda: with_parts("zstd", data=zstd_that_claims(2**20)), "decompression failed"),
    "dictionary-zstd": Case(lambda: with_parts("zstd", data=zstd_with_dictionary()), "ictionary"),
    "empty-blocks-zstd": Case(empty_blocks_zstd, "unexpected end of file"),
    "repeated-bytes-zstd": Case(repeated_bytes_zstd, "decompresses to more than", Limits(expanded_free=100 * MIB)),
    "long-name-gzip": Case(long_name_gzip, "unexpected end of"),
    "bomb-in-a-bomb": Case(bomb_in_a_bomb, ""),
    "skippable-zstd": Case(skippable_zstd, "unexpected end of file"),
    "endless": Case(endless, "Artifact file too large", Limits(size=1024 * MIB)),
    "over": Case(partial(file_of_zeros, "gzip"), "bytes decompressed", Limits(expanded=100 * MIB)),
    "ratio": Case(partial(file_of_zeros, "zstd"), "decompresses to more than", Limits(expanded_free=100 * MIB)),
}
for _kind in KINDS:
    CASES[f"script-{_kind}"] = Case(partial(script_of_zeros, _kind), "bytes decompressed")
    CASES[f"behind-{_kind}"] = Case(partial(zeros_behind_the_header, _kind), "bytes decompressed")
    CASES[f"file-{_kind}"] = Case(partial(file_of_zeros, _kind), "")
    CASES[f"streams-{_kind}"] = Case(partial(many_streams, _kind), "too many compressed streams")


def peak() -> int:
    """The peak resident memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(case: Case) -> dict[str, Any]:
    """Parse stdin; returns the error's text (empty if there is none), memory growth in bytes, and seconds."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_TIME, PROCESSOR_TIME))
    before, began, text = peak(), time.monotonic(), ""
    try:
        parse(sys.stdin.buffer, limits=case.limits)
    except ArtifactError as error:
        text = error.text
    return {"text": text, "growth": peak() - before, "seconds": time.monotonic() - began}


def main(what: str, name: str) -> None:
    """Make a file, or parse it."""
    case = CASES[name]
    if what == "parse":
        print(json.dumps(measure(case)))
        return
    with contextlib.suppress(BrokenPipeError):  # the reader has stopped reading
        for chunk in case.chunks():
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    sys.stderr.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
