"""The tar reader by itself: what it accepts of the format, and that it refuses everything else."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime

import pytest

from chalicelib.artifacts.container.errors import ArtifactError
from chalicelib.artifacts.container.source import chunks
from chalicelib.artifacts.container.tar import members
from tests.simulator.artifacts import END, Entry, pack


def read(data: bytes, most: int = 100, *, folders: bool = False) -> list[tuple[str, bytes]]:
    """Names and contents of the files in ``data``."""
    found = members(io.BytesIO(data), most=most, name_max=255, folders=folders)
    return [(member.name, b"".join(chunks(member))) for member in found]


def resum(header: bytearray) -> bytes:
    """``header`` with a correct checksum."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def patched(at: int, value: bytes, content: bytes = b"12345") -> bytes:
    """A tar of the file `f` with other bytes in its header and a correct checksum."""
    packed = Entry("f", content).packed()
    header = bytearray(packed[:512])
    header[at : at + len(value)] = value
    return resum(header) + packed[512:] + END


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_other_writers(form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name in ("a", "folder/b", "f" * 90 + "/c"):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 1000, 1_700_000_000.5
            tar.addfile(info, io.BytesIO(b"x" * 1000))
    file.seek(0)
    found = [(member.name, member.size, member.modified) for member in members(file, most=9, name_max=255)]
    modified = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert found == [(name, 1000, modified) for name in ("a", "folder/b", "f" * 90 + "/c")]


def test_a_name_over_two_fields():
    info = tarfile.TarInfo("p" * 100 + "/" + "n" * 90)
    assert read(info.tobuf(tarfile.USTAR_FORMAT) + END) == [(info.name, b"")]


def test_members_that_are_not_read_are_skipped():
    data = pack([Entry("a", b"1" * 700), Entry("b", b"2")])
    assert [member.name for member in members(io.BytesIO(data), most=9, name_max=9)] == ["a", "b"]


@pytest.mark.parametrize(
    "field",
    [
        b"00000000005\0",
        b"          5\0",
        b"5\0" + bytes(10),
        b"          5 ",
        b"000000000005",
        b"\x80" + bytes(10) + b"\5",
    ],
)
def test_numbers_may_have_several_formats(field):
    assert read(patched(124, field)) == [("f", b"12345")]


@pytest.mark.parametrize(
    "field",
    [
        b"0000000000x\0",
        b"-0000000005\0",
        b"+5\0",
        b"0o5\0",
        b"0_5\0",
        b"5\0005\0",
        b"8\0",
        b"\xff" * 12,
        b"\x81" + bytes(11),
    ],
)
def test_invalid_numbers_are_refused(field):
    with pytest.raises(ArtifactError, match="invalid number"):
        read(patched(124, field.ljust(12, b"\0")))


@pytest.mark.parametrize("size", [6 + 512, 8**11 - 1])
def test_sizes_beyond_the_end_of_the_file_are_refused(size):
    with pytest.raises(ArtifactError, match="unexpected end of file"):
        read(patched(124, b"%011o\0" % size))
    with pytest.raises(ArtifactError, match="unexpected end of file"):
        read(patched(124, b"\x80" + (size + 2**80).to_bytes(11, "big")))


def test_a_blank_number_is_zero():
    assert read(patched(124, bytes(12), b"")) == [("f", b"")]


@pytest.mark.parametrize("magic", [bytes(8), b"ustaR\x0000", b"\0ustar00"])
def test_other_header_formats_are_refused(magic):
    with pytest.raises(ArtifactError, match="not a tar header"):
        read(patched(257, magic))


def test_a_wrong_checksum_of_a_header_is_refused():
    with pytest.raises(ArtifactError, match="invalid checksum of a tar header"):
        read(pack([Entry("f")]).replace(b"f", b"g", 1))


@pytest.mark.parametrize(
    "name", [b"/f\0", b"../f\0", b"a/../f\0", b"a//f\0", b"./f\0", b"a/.\0", b"\0", b"/\0", b"a\\f\0", b"a\x7f\0"]
)
def test_forbidden_names_are_refused(name):
    with pytest.raises(ArtifactError, match="forbidden name"):
        read(patched(0, name))


def test_a_folder_and_a_file_with_the_same_name_are_refused():
    data = pack([Entry("a", kind=b"5"), Entry("a")])
    with pytest.raises(ArtifactError, match="'a' occurs twice"):
        read(data, folders=True)


def extended(records: bytes, *, kind: bytes = b"x", size: int | None = None) -> bytes:
    """A tar with an extended header of these ``records`` and the file `f`."""
    return pack([Entry("ext", records, kind=kind, size=size), Entry("f", b"12345")])


def test_records_of_extended_headers_are_used():
    assert read(extended(b"15 path=g/hijk\n")) == [("g/hijk", b"12345")]
    assert read(extended(b"11 path=gh\n10 size=3\n")) == [("gh", b"123")]
    assert read(extended(b"")) == [("f", b"12345")]


@pytest.mark.parametrize(
    "records",
    [
        b"path=g\n",
        b"8 path=g\n",
        b"11 path=g\n",
        b"10 path=gx",
        b"010 path=g\n",
        b"99999 path=g\n",
        b"0 path=g\n",
        b"7 path=\n",
        b"10 path=g\n\0",
        b"10 path=g\n" * 2,
        b"12 path=\xc3\xa4\n",
        b"10 path=.\n",
        b"13 path=../f\n",
        b"11 path=/f\n",
        b"8 path=\n",
        b"11 size=-1\n",
        b"12 size=0x5\n",
        b"9 size=\n",
        b"27 size=1234567890123456\n",
        b"14 linkpath=g\n",
        b"26 GNU.sparse.realsize=123\n",
        b"19 hdrcharset=BINARY\n",
        b"20 SCHILY.dev=1234567\n",
        b"13 comment=x\n",
    ],
)
def test_invalid_records_are_refused(records):
    with pytest.raises(ArtifactError):
        read(extended(records))


def test_large_extended_headers_are_refused():
    with pytest.raises(ArtifactError, match="more than 4096 bytes"):
        read(extended(b"", size=8**11 - 1))


@pytest.mark.parametrize("kind", [b"g", b"L", b"K", b"X"])
def test_other_extended_headers_are_refused(kind):
    with pytest.raises(ArtifactError, match="not a regular file"):
        read(extended(b"10 path=g\n", kind=kind))


def test_an_extended_header_must_be_followed_by_a_member():
    extension = Entry("ext", b"10 path=g\n", kind=b"x")
    with pytest.raises(ArtifactError, match="two extended"):
        read(pack([extension, extension, Entry("f")]))
    with pytest.raises(ArtifactError, match="ends after an extended"):
        read(pack([extension]))


def test_extended_headers_count_as_members():
    data = extended(b"10 path=g\n")
    assert len(read(data, most=2)) == 1
    with pytest.raises(ArtifactError, match="more than 1 members"):
        read(data, most=1)
