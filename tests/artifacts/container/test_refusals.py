"""Artifacts that break a rule of the format are refused, with a text that names the rule."""

from __future__ import annotations

import re

import pytest

from chalicelib.artifacts.container import ArtifactError, ArtifactTooLargeError, Limits
from chalicelib.errors import BadRequest
from chalicelib.http import refusals
from tests.artifacts.container.build import example, parse_bytes
from tests.simulator.artifacts import Draft, Entry, PayloadSpec, compact, draft, pack, sha256


def refused(data: bytes, text: str, limits: Limits | None = None) -> None:
    """Assert that ``data`` is refused with ``text`` in the error."""
    with pytest.raises(ArtifactError, match=re.escape(text)) as caught:
        parse_bytes(data, limits or Limits())
    assert len(caught.value.text) <= 300
    assert caught.value.text.isprintable()


def plain(**arguments) -> Draft:
    """A small artifact of format 3, not compressed."""
    return draft("a", ["pi"], [PayloadSpec(files={"f": b"12345"})], compression="none", **arguments)


def test_the_error_is_a_bad_request_for_the_api():
    with pytest.raises(
        ArtifactError, match=r"^reading artifact error: expected 'version', found the end of the file$"
    ) as caught:
        parse_bytes(b"")
    assert isinstance(caught.value, BadRequest)
    assert (refusals.status(caught.type), refusals.status(ArtifactTooLargeError)) == (400, 413)


# The order of the file.


@pytest.mark.parametrize("index", range(7))
def test_every_member_is_needed(index):
    """version, manifest, manifest.sig, manifest-augment, header, header-augment, data."""
    entries = example(signed=True).entries()
    name = entries.pop(index).name
    if name == "manifest.sig":
        assert not parse_bytes(pack(entries)).signed
    else:
        refused(pack(entries), "reading artifact error: ")


@pytest.mark.parametrize("index", range(6))
def test_members_in_another_order_are_refused(index):
    entries = example(signed=True).entries()
    entries[index], entries[index + 1] = entries[index + 1], entries[index]
    refused(pack(entries), "reading artifact error: ")


@pytest.mark.parametrize("index", range(8))
def test_unknown_members_are_refused(index):
    entries = example(signed=True).entries()
    entries.insert(index, Entry("README", b"hi"))
    refused(pack(entries), "found 'README'" if index < 6 else "unexpected 'README'")


def test_payloads_in_another_order_are_refused():
    parts = draft("a", ["pi"], [PayloadSpec(files={"f": b"1"}), PayloadSpec(files={"g": b"2"})])
    entries = parts.entries()
    refused(pack([*entries[:-2], entries[-1], entries[-2]]), "unexpected 'data/0000.tar.gz'")


def test_a_data_tar_without_a_payload_is_refused():
    parts = plain()
    parts.data.append([])
    refused(parts.build(), "unexpected 'data/0001.tar'")


@pytest.mark.parametrize("name", ["header.tar.bz2", "header.tar.gz.gz", "header.tarx"])
def test_unknown_compressions_are_refused(name):
    entries = plain().entries()
    entries[2].name = name
    refused(pack(entries), "expected 'header.tar'")


def test_a_suffix_of_another_compression_is_refused():
    entries = plain().entries()
    entries[2].name += ".gz"
    refused(pack(entries), "decompression failed")


def test_format_2_has_no_augmented_manifest():
    entries = example(2).entries()
    entries.insert(2, Entry("manifest-augment", b""))
    refused(pack(entries), "expected 'header.tar', found 'manifest-augment'")


# Version.


@pytest.mark.parametrize("version", [0, 1, 4, -1, 10**30])
def test_unsupported_versions(version):
    parts = plain()
    parts.version = compact({"format": "mender", "version": version})
    with pytest.raises(ArtifactError, match=r"^unsupported version: -?\d+"):
        parse_bytes(parts.build())


@pytest.mark.parametrize(
    "version",
    [
        b"",
        b"{}",
        b"[]",
        b"3",
        b'{"format":"mender"}',
        b'{"format":"mender","version":"3"}',
        b'{"format":"mender","version":3,"more":1}',
        b'{"format":"mender","version":3} x',
        b'{"format":"mender","version":3,"version":3}',
        b'{"format":"mendez","version":3}',
        b'{"format":"mender","version":NaN}',
        b'{"format":"m\xff","version":3}',
        b'{"format":"\\ud800","version":3}',
        b"[" * 100_000,
    ],
)
def test_malformed_versions_are_refused(version):
    parts = plain()
    parts.version = version
    refused(parts.build(), "reading artifact error: ")


# Manifest.


@pytest.mark.parametrize("name", ["version", "header.tar", "data/0000/f"])
def test_wrong_checksums_are_refused(name):
    parts = plain()
    parts.sums[name] = "0" * 64
    refused(parts.build(), f"invalid checksum for '{name}'; expected: [{'0' * 64}]; actual: [")


@pytest.mark.parametrize("name", ["version", "header.tar", "data/0000/f"])
def test_missing_checksums_are_refused(name):
    parts = plain()
    parts.sums[name] = None
    refused(parts.build(), f"checksum missing for file: '{name}'")


@pytest.mark.parametrize("name", ["data/0000/g", "data/0001/f", "header-augment.tar", "x"])
def test_checksums_of_missing_files_are_refused(name):
    parts = plain()
    parts.sums[name] = "0" * 64
    refused(parts.build(), f"files found in manifest(s), that were not part of artifact: '{name}'")


@pytest.mark.parametrize("name", ["key", "header-augment.tar"])
def test_augmented_parts_need_checksums_too(name):
    entries = example().entries()
    lines = entries[2].content.splitlines(keepends=True)
    entries[2].content = b"".join(b"0" * 64 + line[64:] if name.encode() in line else line for line in lines)
    refused(pack(entries), "invalid checksum for '")
    entries[2].content = b"".join(line for line in lines if name.encode() not in line)
    refused(pack(entries), "checksum missing for file: '")


@pytest.mark.parametrize("name", ["version", "header.tar", "manifest", "data/0000/", "data/0000/a/b"])
def test_original_parts_cannot_be_augmented(name):
    """A signature does not cover manifest-augment, so it must not provide checksums of original parts."""
    entries = example().entries()
    moved = [line for line in entries[1].content.splitlines(keepends=True) if line.endswith(f"  {name}\n".encode())]
    for line in moved:
        entries[1].content = entries[1].content.replace(line, b"")
    entries[2].content += moved[0] if moved else f"{'0' * 64}  {name}\n".encode()
    refused(pack(entries), "reading artifact error: ")


def test_a_file_in_both_manifests_is_refused():
    entries = example().entries()
    entries[2].content += f"{sha256(b'hello')}  data/0000/a.txt\n".encode()
    refused(pack(entries), "'data/0000/a.txt' is in the manifest twice")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"  version\n", b" version\n"),
        (b"  version\n", b"  version"),
        (b"  version\n", b"  version\r\n"),
        (b"  version\n", b"  version\n\0"),
        (b"  version\n", b"   version\n"),
        (b"  version\n", b"  ver\xffsion\n"),
        (b"  version\n", b"  version\nx\n"),
        (b"data/0000/f", b"data/0000/f f"),
    ],
)
def test_malformed_manifests_are_refused(old, new):
    entries = plain().entries()
    entries[1].content = entries[1].content.replace(old, new)
    refused(pack(entries), "manifest")


def test_upper_case_checksums_and_repeated_lines_are_refused():
    entries = plain().entries()
    content = entries[1].content
    entries[1].content = content.upper().replace(b"VERSION", b"version")
    refused(pack(entries), "malformed manifest line")
    entries[1].content = content + content.splitlines(keepends=True)[0]
    refused(pack(entries), "is in the manifest twice")
