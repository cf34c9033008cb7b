"""Headers and payloads that break a rule are refused, with a text that names the rule."""

from __future__ import annotations

import pytest

from chalicelib.artifacts.container import ArtifactTooLargeError, Limits
from tests.artifacts.container.build import edit, example, one_stream, parse_bytes
from tests.artifacts.container.test_refusals import plain, refused
from tests.simulator.artifacts import Entry, PayloadSpec, draft, pack, sha256

# Header.


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"payloads": []}, "0 payloads"),
        ({"payloads": None}, "missing required field `payloads`"),
        ({"payloads": [{}]}, "missing required field `type`"),
        ({"payloads": [{"type": ""}]}, "payload type of 0 characters"),
        ({"payloads": [{"type": "x" * 4097}]}, "payload type of 4097 characters"),
        ({"payloads": [{"type": "x", "more": 1}]}, "unknown field `more`"),
        ({"payloads": [{"type": "x"}] * 65}, "65 payloads"),
        ({"more": 1}, "unknown field `more`"),
        ({"artifact_provides": None}, "missing required field `artifact_provides`"),
        ({"artifact_provides": {}}, "missing required field `artifact_name`"),
        ({"artifact_provides": {"artifact_name": ""}}, "artifact name of 0 characters"),
        ({"artifact_provides": {"artifact_name": "x" * 4097}}, "artifact name of 4097 characters"),
        ({"artifact_provides": {"artifact_name": 1}}, "Expected `str`"),
        ({"artifact_provides": {"artifact_name": "a", "more": "1"}}, "unknown field `more`"),
        ({"artifact_depends": None}, "missing required field `artifact_depends`"),
        ({"artifact_depends": {}}, "missing required field `device_type`"),
        ({"artifact_depends": {"device_type": []}}, "no compatible device types"),
        ({"artifact_depends": {"device_type": [""]}}, "device type of 0 characters"),
        ({"artifact_depends": {"device_type": "pi"}}, "Expected `array`"),
        pytest.param(
            {"artifact_depends": {"device_type": [f"d{number}" for number in range(1001)]}},
            "1001 device types; at most 1000",
            id="s5-device-types",
        ),
        pytest.param(
            {"artifact_depends": {"device_type": ["pi"], "artifact_name": ["a"] * 1001}},
            "1001 values of artifact_name; at most 1000",
            id="s5-depends-of-the-whole",
        ),
        ({"artifact_depends": {"device_type": ["pi"], "more": ["1"]}}, "unknown field `more`"),
    ],
)
def test_header_info(members, text):
    parts = plain()
    edit(parts.header[0], **members)
    refused(parts.build(), text)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"artifact_name": ""}, "artifact name of 0 characters"),
        ({"updates": []}, "0 payloads"),
        ({"device_types_compatible": []}, "no compatible device types"),
        ({"artifact_provides": {"artifact_name": "a"}}, "unknown field `artifact_provides`"),
    ],
)
def test_header_info_of_format_2(members, text):
    parts = example(2)
    edit(parts.header[0], **members)
    refused(parts.build(), text)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"more": 1}, "unknown field `more`"),
        ({"type": 1}, "Expected `str | null`"),
        ({"artifact_provides": {"k": 1}}, "Expected `str`"),
        ({"artifact_provides": {"k": ["1"]}}, "Expected `str`"),
        ({"artifact_depends": {"k": 1}}, "Expected `str | array`"),
        ({"artifact_depends": {"k": [["1"]]}}, "Expected `str`"),
        ({"clears_artifact_provides": "x"}, "Expected `array | null`"),
        ({"artifact_provides": {"artifact_name": "x"}}, "in the provides parameters. key: 'artifact_name'"),
        ({"artifact_depends": {"device_type": "x"}}, "in the depends parameters. key: 'device_type'"),
        pytest.param(
            {"artifact_depends": {"k": ["1"] * 1001}}, "1001 values of a dependency; at most", id="s5-depends"
        ),
        pytest.param(
            {"artifact_depends": dict.fromkeys(map(str, range(1001)), "x")}, "1001 depends; at most", id="s5-keys"
        ),
        pytest.param(
            {"artifact_provides": dict.fromkeys(map(str, range(1001)), "x")}, "1001 provides; at most", id="s5-provides"
        ),
        pytest.param({"clears_artifact_provides": ["k"] * 1001}, "1001 cleared provides; at most", id="s5-clears"),
    ],
)
def test_type_info(members, text):
    parts = plain()
    edit(parts.header[1], **members)
    refused(parts.build(), text)


def test_conflicting_provides_or_depends_of_payloads_are_refused():
    provides = [PayloadSpec(kind, provides={"k": "1"}) for kind in "mn"]
    refused(draft("a", ["pi"], provides).build(), "conflicting keys not allowed in the provides parameters")
    depends = [PayloadSpec(kind, depends={"k": "1"}) for kind in "mn"]
    refused(draft("a", ["pi"], depends).build(), "conflicting keys not allowed in the depends parameters")


def test_type_info_of_format_2_has_only_the_type():
    parts = example(2)
    edit(next(entry for entry in parts.header if entry.name.endswith("type-info")), artifact_provides={})
    refused(parts.build(), "unknown field `artifact_provides`")


@pytest.mark.parametrize(
    "metadata",
    [
        b"null",
        b"[]",
        b'"x"',
        b" ",
        b"{",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' * 64 + b"{}" + b"}" * 64,
        b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_metadata(metadata):
    parts = plain()
    parts.header.append(Entry("headers/0000/meta-data", metadata))
    refused(parts.build(), "'headers/0000/meta-data'")


def test_metadata_of_the_largest_depth_is_accepted():
    parts = plain()
    parts.header.append(Entry("headers/0000/meta-data", b'{"a":' * 63 + b"{}" + b"}" * 63))
    assert parse_bytes(parts.build()).payloads[0].metadata


@pytest.mark.parametrize(
    ("at", "name", "text"),
    [
        (0, "scripts/x", "has to begin with 'header-info'"),
        (1, "header-info", "'header-info' occurs twice"),
        (2, "headers/0000/type-info", "'headers/0000/type-info' occurs twice"),
        (2, "headers/0001/type-info", "unexpected 'headers/0001/type-info'"),
        (2, "headers/000/type-info", "unexpected 'headers/000/type-info'"),
        (2, "headers/0000/more", "unexpected 'headers/0000/more'"),
        (2, "headers/0000/meta-data/x", "unexpected 'headers/0000/meta-data/x'"),
        (2, "scripts/late", "unexpected 'scripts/late'"),
        (1, "scripts/folder/x", "unexpected 'scripts/folder/x'"),
        (1, "more", "unexpected 'more'"),
        (1, "headers/0000/files", "unexpected 'headers/0000/files' in format 3"),
    ],
)
def test_members_of_the_header(at, name, text):
    parts = plain()
    parts.header.insert(at, Entry(name, b'{"files":["f"]}'))
    refused(parts.build(), text)


def test_incomplete_headers_are_refused():
    parts = plain()
    parts.header = []
    refused(parts.build(), "has to begin with 'header-info'")
    parts = plain()
    del parts.header[1]
    refused(parts.build(), "payload 0 has no type-info")
    parts = example(2)
    parts.header = [entry for entry in parts.header if not entry.name.endswith("files")]
    refused(parts.build(), "payload 0 has no list of files")


@pytest.mark.parametrize("files", [[], ["b"], ["a.txt", "b"], ["a.txt", "a.txt"]])
def test_files_of_format_2_must_be_those_listed(files):
    parts = example(2)
    edit(next(entry for entry in parts.header if entry.name.endswith("files")), files=files)
    refused(parts.build(), "not those that its header lists")


def test_augmented_headers():
    parts = example()
    assert parts.header_augment
    edit(parts.header_augment[0], payloads=[{"type": "x"}, {"type": "y"}])
    refused(parts.build(), "more payloads than the header")
    edit(parts.header_augment[0], payloads=[])
    refused(parts.build(), "0 payloads")
    parts = example()
    assert parts.header_augment
    parts.header_augment.insert(1, Entry("scripts/ArtifactInstall_Enter_00", b"#!/bin/sh"))
    refused(parts.build(), "unexpected 'scripts/ArtifactInstall_Enter_00'")


# Payloads.


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, "may only have letters, digits") for name in ("a b", "a/b", "a+b", "a~", "a:b", "a'b", "a$b", "f/")]
    + [(name, "forbidden name") for name in ("a\\b", "../f", "/f", "..", ".", "a//b")],
)
def test_names_of_payload_files(name, text):
    parts = plain()
    parts.data[0][0].name = name
    parts.sums[f"data/0000/{name}"] = None
    refused(parts.build(), text)


def test_names_that_are_not_ascii():
    parts = plain()
    parts.data[0][0].name = "\u00e4"
    parts.sums["data/0000/\u00e4"] = None
    refused(parts.build(), "not ASCII")


def test_control_characters_in_names_are_escaped_in_the_error():
    parts = plain()
    parts.data[0][0].name = "a\n\x1b[31m"
    parts.sums["data/0000/a\n\x1b[31m"] = None
    refused(parts.build(), r"forbidden name 'a\n\x1b[31m'")


def test_a_name_that_is_too_long_is_refused():
    parts = plain()
    parts.data[0][0].name = "n" * 256
    refused(parts.build(), "name of more than 255 characters")


def test_the_same_file_twice_is_refused():
    parts = plain()
    parts.data[0] *= 2
    refused(parts.build(), "'f' occurs twice")


@pytest.mark.parametrize(
    "kind", [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"D", b"M", b"V", b"Z", b"L", b"K", b"N", b"g", b"A"]
)
@pytest.mark.parametrize("where", ["file", "header", "data"])
def test_only_regular_files_are_accepted(kind, where):
    """Links, devices, folders in data, sparse files, GNU's and Solaris' extensions."""
    parts = plain()
    odd = Entry("odd", kind=kind, link="/etc/passwd", size=0)
    if where == "file":
        data = pack([*parts.entries(), odd])
        refused(data, "reading artifact error: ") if kind != b"5" else parse_bytes(data)
        return
    (parts.header if where == "header" else parts.data[0]).insert(1, odd)
    parts.sums["data/0000/odd"] = None
    if where == "header" and kind == b"5":
        parse_bytes(parts.build())
    else:
        refused(parts.build(), " is not a regular file")


@pytest.mark.parametrize("size", [1, 512])
def test_folders_with_content_are_refused(size):
    parts = plain()
    parts.header.insert(1, Entry("scripts", b"x" * size, kind=b"5"))
    refused(parts.build(), "'scripts/' is not a regular file")


def test_an_empty_payload_has_no_files():
    refused(draft("a", ["pi"], [PayloadSpec(None, {"f": b"1"})]).build(), "an empty payload has files")


def test_a_root_file_system_is_one_file():
    specs = [PayloadSpec("rootfs-image", {"f": b"1", "g": b"2"})]
    refused(draft("a", ["pi"], specs).build(), "more than one file")


# Data between and after members.


@pytest.mark.parametrize("where", ["file", "header", "data"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_damaged_ends_of_tars_are_refused(where, compression):
    for end, text in (
        # The file itself may end early: the manifest shows whether anything is missing.
        (b"", None if where == "file" else "unexpected end of"),
        (bytes(512), None if where == "file" else "unexpected end of"),
        (bytes(100), "unexpected end of"),
        (bytes(512) + b"x" * 512, "continues after an empty block"),
        (bytes(1024) + b"x", "data after the end"),
        (bytes(4096) + b"x" * 512, "data after the end"),
        (bytes(2048), None),
    ):
        parts = example(3, compression)
        entries = parts.entries()
        outer = bytes(1024)
        if where == "file":
            outer = end
        elif where == "header":
            entries[3].content = one_stream(pack(parts.header, end), compression)
            old = sha256(parts.entries()[3].content).encode()
            entries[1].content = entries[1].content.replace(old, sha256(entries[3].content).encode())
        else:
            entries[-1].content = one_stream(pack(parts.data[0], end), compression)
        if text:
            refused(pack(entries, outer), text)
        else:
            parse_bytes(pack(entries, outer))


@pytest.mark.parametrize("compression", ["gzip", "lzma", "zstd"])
@pytest.mark.parametrize("rest", [b"x", bytes(4), b"PK\x03\x04" * 100])
def test_data_after_a_compressed_stream_is_refused(compression, rest):
    entries = example(3, compression).entries()
    entries[-1].content += rest
    refused(pack(entries), "reading artifact error: ")


# Limits.


def test_limits():
    data = example(signed=True).build()
    assert parse_bytes(data, Limits(size=len(data))).size == len(data)
    for text, limits in {
        "'manifest' is too large": Limits(manifest=100),
        "'manifest.sig' is too large": Limits(signature=10),
        "'header.tar' is too large": Limits(header_packed=1000),
        "more than 3 members": Limits(header_members=3),
        "'header-info' is too large": Limits(document=100),
        "'headers/0000/meta-data' is too large": Limits(documents=300),
        "nested more than 1 levels": Limits(depth=1),
        "more than 2 payload files": Limits(files=2),
        "name of more than 7 characters": Limits(name=7),
        "artifact name of 9 characters; 1 to 8": Limits(text=8),
        "Artifact file too large": Limits(size=len(data) - 1),
    }.items():
        refused(data, text, limits)


def test_a_file_that_is_too_large_has_its_own_error():
    with pytest.raises(ArtifactTooLargeError):
        parse_bytes(example().build(), Limits(size=5000))


def test_limits_of_compressed_artifacts():
    data = draft("a", ["pi"], [PayloadSpec(files={"f": bytes(100_000)})]).build()
    refused(data, "more than 2000 bytes decompressed", Limits(header_expanded=2000))
    refused(data, "more than 100000 bytes decompressed", Limits(expanded=100_000))
    refused(data, "decompresses to more than 10 times", Limits(expanded_free=50_000, expansion=10))
    refused(data, "too many compressed streams", Limits(frames=0))
    within = Limits(expanded_free=50_000, expansion=1000, frames=1)
    assert parse_bytes(data, within).payloads[0].files[0].size == 100_000
