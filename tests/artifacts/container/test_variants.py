"""All valid variants of artifacts are read correctly."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from chalicelib.artifacts.container import Artifact, ChunkReader, Payload, PayloadFile, Signature, parse
from tests.artifacts.container.build import edit, example, one_stream, parse_bytes
from tests.simulator.artifacts import COMPRESS, Entry, PayloadSpec, build_artifact, draft, pack, sha256

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def facts_of_example(version: int, signature: Signature | None, *, size: int) -> Artifact:
    """The expected result of reading ``example``."""
    modified = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    contents = {"a.txt": b"hello", "b.txt": b"world\n", "key": b"device key"}
    if version == 2:
        del contents["b.txt"], contents["key"]
    files = tuple(PayloadFile(name, len(data), sha256(data), modified) for name, data in contents.items())
    new = version == 3
    depends: dict[str, str | tuple[str, ...]] = {"device_type": ("pi4", "pi5")}
    if new:
        depends |= {"base": ("1", "2"), "libc": "musl"}
    return Artifact(
        name="example-1",
        format_version=version,
        signature=signature,
        device_types=("pi4", "pi5"),
        payloads=(Payload("single-file" if new else "rootfs-image", files, {"to": "/opt", "deep": {"mode": 420}}),),
        provides={"artifact_name": "example-1", "app.version": "1", "key": "7"} if new else {},
        depends=depends,
        clears_provides=("app.*",) if new else (),
        group=None,
        size=size,
    )


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("signed", [False, True])
def test_versions_and_compressions(version, compression, signed):
    made = example(version, compression, signed=signed)
    data, members = made.build(), {entry.name: entry.content for entry in made.entries()}
    signature = Signature(members["manifest"], members["manifest.sig"], covers_all=version == 2) if signed else None
    artifact = parse_bytes(data)
    assert artifact == facts_of_example(version, signature, size=len(data))
    assert artifact.signed is signed


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 4096, 10_000])
@pytest.mark.parametrize("compression", COMPRESS)
def test_the_size_of_pieces_makes_no_difference(step, compression):
    data = example(3, compression, signed=True).build()

    class SmallReads:
        def __init__(self) -> None:
            self.file = io.BytesIO(data)

        def read(self, size: int, /) -> bytes:
            return self.file.read(min(size, step))

    whole = parse_bytes(data)
    assert parse(SmallReads()) == whole
    seen: list[bytes] = []
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    assert parse(ChunkReader(pieces, tee=seen.append)) == whole
    assert b"".join(seen) == data


@pytest.mark.parametrize("compression", COMPRESS)
def test_payloads_larger_than_the_read_buffer(compression):
    files = {"zeros": bytes(3_000_000), "mixed": bytes(range(256)) * 3000 + bytes(1), "empty": b""}
    payload = parse_bytes(build_artifact("a", ["pi"], files, compression=compression)).payloads[0]
    assert [(file.name, file.size, file.checksum) for file in payload.files] == [
        (name, len(content), sha256(content)) for name, content in files.items()
    ]


def test_empty_chunks_do_not_end_the_file():
    data = build_artifact("a", ["pi"])
    assert parse(ChunkReader([b"", data[:700], b"", b"", data[700:], b""])).name == "a"


def test_the_file_is_read_to_its_end():
    stream = io.BytesIO(build_artifact("a", ["pi"]) + bytes(9 * 512 + 100))
    artifact = parse(stream)
    assert stream.read() == b""
    assert artifact.size == stream.tell()


def test_reading_starts_at_the_current_position_of_the_stream():
    stream = io.BytesIO(b"before" + build_artifact("a", ["pi"]))
    stream.seek(6)
    assert parse(stream).size == stream.tell() - 6


def test_errors_of_the_stream_pass_through():
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        parse(Broken())


def test_results_are_frozen():
    artifact = parse_bytes(build_artifact("a", ["pi"]))
    with pytest.raises(AttributeError):
        artifact.name = "b"  # type: ignore[misc]


def test_several_payloads():
    more = [
        PayloadSpec("deb", {"app.deb": b"deb"}, {"deb.version": "2"}, {"libc": ["6"]}, ["deb.*"], {"x": [1]}),
        PayloadSpec("script", {"run": b"#!"}),
    ]
    artifact = parse_bytes(build_artifact("a", ["pi"], {"f": b""}, provides={"one": "1"}, more=more))
    assert [payload.type for payload in artifact.payloads] == ["single-file", "deb", "script"]
    assert [[file.name for file in payload.files] for payload in artifact.payloads] == [
        ["f"],
        ["app.deb"],
        ["run"],
    ]
    assert [payload.metadata for payload in artifact.payloads] == [None, {"x": [1]}, None]
    assert artifact.provides == {"artifact_name": "a", "one": "1", "deb.version": "2"}
    assert artifact.depends == {"device_type": ("pi",), "libc": ("6",)}
    assert artifact.clears_provides == ("deb.*",)
    assert artifact.payloads[0].files == (PayloadFile("f", 0, sha256(b""), EPOCH),)


def test_provides_and_depends_of_the_whole_artifact_are_read():
    further = {"artifact_name": ["old-1", "old-2"], "artifact_group": ["g1"]}
    parts = draft("a", ["pi"], [PayloadSpec(files={"f": b"1"})], group="stable", depends=further)
    artifact = parse_bytes(parts.build())
    assert artifact.group == "stable"
    assert artifact.provides == {"artifact_name": "a", "artifact_group": "stable"}
    assert artifact.depends == {
        "device_type": ("pi",),
        "artifact_name": ("old-1", "old-2"),
        "artifact_group": ("g1",),
    }


def test_an_empty_payload():
    artifact = parse_bytes(build_artifact("boot", ["pi"], type=None))
    assert artifact.payloads == (Payload(None, (), None),)


def test_a_payload_without_files_may_have_no_data_tar():
    parts = draft("a", ["pi"], [PayloadSpec(), PayloadSpec(files={"f": b"1"})], compression="none")
    entries = [entry for entry in parts.entries() if entry.name != "data/0000.tar"]
    assert [len(payload.files) for payload in parse_bytes(pack(entries)).payloads] == [0, 1]


@pytest.mark.parametrize("type_info", ["", None, "something-else"])
def test_the_type_is_taken_from_header_info(type_info):
    """mender-artifact 3.9 writes an empty one into the type-info of root file systems."""
    parts = draft("a", ["pi"], [PayloadSpec("rootfs-image", {"f.ext4": b"1"})])
    parts.header[1].content = b'{"type":null}'
    if type_info is not None:
        edit(parts.header[1], type=type_info)
    payload = parse_bytes(parts.build()).payloads[0]
    assert (payload.type, payload.metadata) == ("rootfs-image", None)


def test_null_in_type_info_is_treated_as_absent():
    parts = draft("a", ["pi"], [PayloadSpec()])
    parts.header[
        1
    ].content = b'{"type":"x","artifact_depends":null,"artifact_provides":null,"clears_artifact_provides":null}'
    assert parse_bytes(parts.build()).provides == {"artifact_name": "a"}


def test_augmented_headers_override_the_original():
    metadata = {"s": "x", "list": [1], "map": {"a": 1, "b": {"c": 2}}, "kept": None}
    original = PayloadSpec("m", {"f": b"1"}, {"k": "1", "l": "1"}, {"d": "1"}, ["old.*"], metadata)
    over = {"s": 5, "list": [2], "map": {"b": {"d": 3}}, "new": {}}
    added = PayloadSpec("m", {"g": b"2"}, {"k": "2"}, {"d": ["2", "3"]}, ["new.*"], over)
    artifact = parse_bytes(draft("a", ["pi"], [original, PayloadSpec("n")], augment=added).build())
    payload = artifact.payloads[0]
    assert [file.name for file in payload.files] == ["f", "g"]
    assert artifact.provides == {"artifact_name": "a", "k": "2", "l": "1"}
    assert artifact.depends == {"device_type": ("pi",), "d": ("2", "3")}
    assert artifact.clears_provides == ("new.*",)
    assert payload.metadata == {
        "s": 5,
        "list": [2],
        "map": {"a": 1, "b": {"c": 2, "d": 3}},
        "kept": None,
        "new": {},
    }


def test_an_augmented_header_may_change_the_type():
    parts = draft("a", ["pi"], [PayloadSpec("m", {"f": b"1"})], augment=PayloadSpec("n", {"g": b"2"}))
    assert parts.header_augment
    assert parse_bytes(parts.build()).payloads[0].type == "m"
    edit(parts.header_augment[0], payloads=[{"type": "n"}])
    assert parse_bytes(parts.build()).payloads[0].type == "n"


def test_an_augmented_header_may_repeat_ignored_members():
    parts = example()
    assert parts.header_augment
    edit(parts.header_augment[0], artifact_provides={"artifact_name": "zz"}, artifact_depends={"a": [1]})
    assert parse_bytes(parts.build()).name == "example-1"


def test_an_augmented_header_may_cover_only_the_first_payloads():
    parts = draft("a", ["pi"], [PayloadSpec("m"), PayloadSpec("n")], augment=PayloadSpec(provides={"k": "1"}))
    assert parts.header_augment
    edit(parts.header_augment[0], payloads=[{"type": "m"}])
    assert parse_bytes(parts.build()).provides == {"artifact_name": "a", "k": "1"}


@pytest.mark.parametrize("length", [100, 101, 255])
def test_long_names_are_in_extended_headers(length):
    name = "n" * length
    data = build_artifact("a", ["pi"], {name: b"1"}, compression="none")
    assert parse_bytes(data).payloads[0].files[0].name == name
    assert (b"path=" in data) == (length > 100)


def test_records_of_an_extended_header_that_change_nothing_are_ignored():
    parts = draft("a", ["pi"], [PayloadSpec(files={"f": b"1"})])
    parts.data[0][0].pax = {"mtime": "12.5", "atime": "1", "uname": "r\u00f6\u00f6t"}
    assert parse_bytes(parts.build()).payloads[0].files[0].modified == EPOCH


def test_folders_in_a_header_are_ignored():
    parts = example()
    parts.header.insert(1, Entry("scripts", kind=b"5"))
    parts.header.append(Entry("headers/0000", kind=b"5"))
    assert parse_bytes(parts.build()).name == "example-1"


@pytest.mark.parametrize("compression", ["gzip", "lzma", "zstd"])
def test_concatenated_streams_are_read(compression):
    """Parallel compressors write several streams into one file."""
    parts = draft("a", ["pi"], [PayloadSpec(files={"f": b"12345" * 1000})], compression=compression)
    tar = pack(parts.data[0])
    entries = parts.entries()
    entries[-1].content = b"".join(
        one_stream(piece, compression) for piece in (tar[:700], b"", tar[700:701], tar[701:])
    )
    assert parse_bytes(pack(entries)) == replace(parse_bytes(parts.build()), size=len(pack(entries)))


def test_header_and_data_may_be_compressed_differently():
    plain, packed = example(3, "none").entries(), example(3, "zstd").entries()
    assert parse_bytes(pack([*plain[:-1], packed[-1]])).payloads == parse_bytes(pack(plain)).payloads


def test_blank_lines_in_a_manifest_are_ignored():
    entries = example().entries()
    entries[1].content = entries[1].content.replace(b"\n", b"\n\n")
    assert parse_bytes(pack(entries)).name == "example-1"


def test_a_modification_time_out_of_range_is_ignored():
    entry = Entry("f", b"1", mtime=2**60)
    parts = draft("a", ["pi"], [PayloadSpec(files={"f": b"1"})])
    header = bytearray(entry.packed()[-1024:-512])  # after the extended header that has it as a decimal number
    header[136:148] = b"\x80" + (2**60).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    entries = parts.entries()
    entries[-1].content = one_stream(bytes(header) + b"1" + bytes(511 + 1024), "gzip")
    assert parse_bytes(pack(entries)).payloads[0].files[0].modified is None


def test_the_builder_is_deterministic():
    assert example(3, "gzip").build() == example(3, "gzip").build()
