"""Damaged files are refused, unless the damage changes nothing. There is never any other exception."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.artifacts.container import ArtifactError
from tests.artifacts.container.build import example, parse_bytes
from tests.simulator.artifacts import COMPRESS, Entry, compact, pack, sha256

COMPRESSIONS = list(COMPRESS)
VALID = [example(version, kind, signed=True).build() for version in (2, 3) for kind in COMPRESSIONS]


def survives(data: bytes) -> None:
    """Parse ``data``, which may be refused, but must not cause another error."""
    with contextlib.suppress(ArtifactError):
        parse_bytes(data)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("version", [2, 3])
def test_cut_at_every_block(version, compression):
    data = example(version, compression, signed=True).build()
    for end in range(0, end_of_content(data), 512):
        with pytest.raises(ArtifactError):
            parse_bytes(data[:end])


def test_cut_anywhere():
    data = example(3, "gzip", signed=True).build()
    for end in range(0, end_of_content(data), 5):
        with pytest.raises(ArtifactError):
            parse_bytes(data[:end])


def end_of_content(data: bytes) -> int:
    """Where the last member's content ends; padding and closing blocks follow."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        last = archive.getmembers()[-1]
    return last.offset_data + last.size


@pytest.mark.parametrize("version", [2, 3])
def test_padding_and_closing_blocks_may_be_missing(version, tmp_path):
    """If ``mender-artifact`` is installed, its ``read`` has to accept the same files."""
    data = example(version, "gzip").build()
    whole, content = parse_bytes(data), end_of_content(data)
    padded = content + -content % 512
    endings = {
        "no padding": (data[:content], True),
        "half of the padding": (data[: content + 1], True),
        "no closing block": (data[:padded], True),
        "one closing block": (data[: padded + 512], True),
        "two closing blocks": (data[: padded + 1024], True),
        "twenty closing blocks": (data[:padded] + bytes(20 * 512), True),
        "half of a closing block": (data[: padded + 100], False),
        "something else": (data[:padded] + b"x" * 512, False),
        "no last byte": (data[: content - 1], False),
    }
    assert padded > content + 1
    tool = shutil.which("mender-artifact")
    for ending, (file, good) in endings.items():
        if good:
            assert parse_bytes(file).payloads == whole.payloads, ending
        else:
            with pytest.raises(ArtifactError):
                parse_bytes(file)
        path = tmp_path / f"{ending}.mender"
        path.write_bytes(file)
        if tool is not None and version == 3:
            read = subprocess.run([tool, "read", path], capture_output=True, check=False)
            assert (read.returncode == 0) is good, (ending, read.stderr)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_data_tars_cut_anywhere(compression):
    """A data tar has no checksum of its own: a missing end is detected from its content."""
    entries = example(3, compression).entries()
    content = entries[-1].content
    for end in range(len(content)):
        entries[-1].content = content[:end]
        with pytest.raises(ArtifactError):
            parse_bytes(pack(entries))


def unverified(data: bytes) -> set[int]:
    """Offsets in an uncompressed artifact that no checksum covers, according to Python's tar reader.

    These are padding after members of the file and of its data tars, and the signature (verifying it takes a key).
    """
    free: set[int] = set()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            start, end = member.offset_data, member.offset_data + member.size
            free |= set(range(end, end + -member.size % 512))
            if member.name == "manifest.sig":
                free |= set(range(start, end))
            if member.name.startswith("data/"):
                free |= {start + offset for offset in unverified(data[start:end])}
    return free


@pytest.mark.parametrize(("version", "mask"), [(2, 0x01), (3, 0x01), (3, 0xFF)])
def test_every_byte_changed(version, mask):
    data = bytearray(example(version, "none", signed=True).build())
    whole, free = replace(parse_bytes(bytes(data)), signature=None), unverified(bytes(data))
    for offset in range(len(data)):
        data[offset] ^= mask
        if offset in free:
            assert replace(parse_bytes(bytes(data)), signature=None) == whole
        else:
            with pytest.raises(ArtifactError):
                parse_bytes(bytes(data))
        data[offset] ^= mask


@pytest.mark.parametrize("compression", ["gzip", "lzma", "zstd"])
def test_every_byte_changed_in_compressed_data(compression):
    """Fields of a compressed stream that do not affect its content may change; the result may not."""
    data = bytearray(example(3, compression).build())
    whole = parse_bytes(bytes(data))
    accepted = 0
    for offset in range(data.rindex(b"data/0000"), len(data)):
        data[offset] ^= 0x01
        with contextlib.suppress(ArtifactError):
            assert parse_bytes(bytes(data)) == whole
            accepted += 1
        data[offset] ^= 0x01
    assert accepted <= 512 + 8  # the padding, and gzip's time, system and flags


@given(data=st.binary(max_size=4096))
@settings(max_examples=200, deadline=None)
def test_random_bytes(data):
    survives(data)
    survives(pack([Entry("version", data)]))
    survives(pack([Entry("version", b'{"format":"mender","version":3}'), Entry("manifest", data)]))


@given(blocks=st.lists(st.sampled_from([bytes(512), Entry("version", b"x").packed(), b"\xff" * 512]), max_size=8))
@settings(max_examples=50, deadline=None)
def test_random_blocks(blocks):
    survives(b"".join(blocks))


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "copy"]),
        st.floats(0, 1, exclude_max=True),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=600),
    ),
    min_size=1,
    max_size=4,
)


@given(valid=st.sampled_from(VALID), changes=edits)
@settings(max_examples=400, deadline=None)
def test_random_changes(valid, changes):
    data = bytearray(valid)
    for how, place, other, piece in changes:
        at, source = int(place * len(data)), int(other * len(data))
        if how == "set":
            data[at : at + len(piece)] = piece
        elif how == "cut":
            del data[at : at + len(piece)]
        elif how == "insert":
            data[at:at] = piece
        else:
            data[at // 512 * 512 : at // 512 * 512 + 512] = data[source // 512 * 512 : source // 512 * 512 + 512]
    survives(bytes(data))


@given(
    compression=st.sampled_from(COMPRESSIONS),
    which=st.integers(0, 1),
    place=st.floats(0, 1, exclude_max=True),
    piece=st.binary(min_size=1, max_size=40),
)
@settings(max_examples=200, deadline=None)
def test_random_changes_with_a_correct_checksum(compression, which, place, piece):
    """Damage inside a header or data tar that is not detected by its checksum."""
    parts = example(3, compression)
    tar = bytearray(pack([parts.header, parts.data[0]][which]))
    at = int(place * len(tar))
    tar[at : at + len(piece)] = piece
    entries = parts.entries()
    index = next(i for i, entry in enumerate(entries) if entry.name.startswith(["header.tar", "data/"][which]))
    before = entries[index].content
    entries[index].content = COMPRESS[compression](bytes(tar))
    entries[1].content = entries[1].content.replace(sha256(before).encode(), sha256(entries[index].content).encode())
    survives(pack(entries))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
members = st.sampled_from(
    ["type", "payloads", "artifact_provides", "artifact_depends", "clears_artifact_provides", "files", "updates"]
)


@given(
    version=st.sampled_from([2, 3]),
    index=st.integers(0, 10),
    document=st.dictionaries(members, json_values, max_size=3) | json_values,
    merge=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_random_documents(version, index, document, merge):
    parts = example(version)
    entries = parts.header + (parts.header_augment or [])
    entry = entries[index % len(entries)]
    if merge and isinstance(document, dict) and entry.content[:1] == b"{":
        document = json.loads(entry.content) | document
    entry.content = compact(document)
    survives(parts.build())
