"""Upload forms are parsed while they arrive."""

from __future__ import annotations

import io
import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import BadRequest, TooLarge
from chalicelib.http.multipart import Form, read_form
from chalicelib.limits import UPLOAD_FIELDS

BOUNDARY = "----boundary"
TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'
FIELDS = ("description", "size")


def body(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    written = b""
    for name, content in parts:
        written += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n'.encode()
        written += b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n"
    return written + f"--{BOUNDARY}".encode() + end


class Trickle(io.BytesIO):
    """A body that arrives in pieces of various sizes."""

    def __init__(self, data: bytes, seed: int) -> None:
        super().__init__(data)
        self._random = random.Random(seed)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, self._random.choice([1, 2, 3, 17, 64, 1000])))


class Broken(io.BytesIO):
    """A body whose sender disconnects."""

    def read(self, size: int | None = -1, /) -> bytes:
        if data := super().read(size):
            return data
        raise ConnectionResetError("gone")


def form_of(data: bytes, content_type: str | None = TYPE) -> Form:
    return read_form(io.BytesIO(data), content_type, fields=FIELDS, file="artifact")


NEARLY = st.sampled_from([b"\r\n", b"\r", b"--", f"\r\n--{BOUNDARY}".encode()[:-1], f"--{BOUNDARY}".encode(), b"x"])


@given(st.lists(st.one_of(NEARLY, st.binary(max_size=300)), max_size=20), st.integers(0, 1000))
def test_a_file_is_unchanged(pieces: list[bytes], seed: int) -> None:
    delimiter = f"\r\n--{BOUNDARY}".encode()
    content = b"".join(pieces)
    while delimiter in content:  # boundaries may be adjacent
        content = content.replace(delimiter, b"")
    stream = Trickle(body(("size", b"5"), ("artifact", content)), seed)

    form = read_form(stream, TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    assert (form.fields, b"".join(form.file)) == ({"size": "5"}, content)


@given(st.binary(max_size=400), st.integers(0, 1000))
def test_malformed_bodies_are_refused(data: bytes, seed: int) -> None:
    stream = Trickle(f"--{BOUNDARY}\r\n".encode() * (seed % 2) + data, seed)

    with suppress(BadRequest, TooLarge):
        form = read_form(stream, TYPE, fields=FIELDS, file="artifact")
        b"".join(form.file or ())


def test_parts_after_the_file_are_not_read() -> None:
    stream = io.BytesIO(body(("artifact", b"file"), ("description", b"x" * 10_000_000)))

    form = read_form(stream, TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    assert b"".join(form.file) == b"file"
    assert form.fields == {}
    assert stream.tell() < 1_000_000


def test_a_form_without_a_file() -> None:
    form = form_of(body(("description", b"only")))

    assert (form.fields, form.file) == ({"description": "only"}, None)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/related; b=1"],
)
def test_a_form_without_a_boundary_is_refused(content_type: str | None) -> None:
    with pytest.raises(BadRequest):
        form_of(body(("artifact", b"x")), content_type)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\nContent-Disposition: form-data"])
def test_a_form_without_an_end_is_refused(end: bytes) -> None:
    with pytest.raises(BadRequest):
        form_of(body(("description", b"x"), end=end))


def test_a_disconnecting_sender_causes_a_bad_request() -> None:
    form = read_form(Broken(body(("artifact", b"x" * 10))[:-30]), TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    with pytest.raises(BadRequest, match="ended before the form was complete"):
        b"".join(form.file)


@pytest.mark.parametrize("name", ["description", "unknown"])
def test_the_size_of_fields_is_limited(name: str) -> None:
    half = b"x" * (UPLOAD_FIELDS // 2)

    form_of(body((name, half), (name, half), ("artifact", b"x")))
    with pytest.raises(TooLarge):
        form_of(body((name, half), (name, half), (name, b"x"), ("artifact", b"x")))


def test_the_number_of_parts_and_the_size_of_headers_are_limited() -> None:
    with pytest.raises(TooLarge):
        form_of(body(*([("unknown", b"x")] * 40), ("artifact", b"x")))
    with pytest.raises(TooLarge):
        form_of(body(("n" * 10_000, b"x"), ("artifact", b"x")))


def test_a_field_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadRequest, match="description"):
        form_of(body(("description", b"\xff"), ("artifact", b"x")))
    assert form_of(body(("unknown", b"\xff"), ("artifact", b"x"))).fields == {}
