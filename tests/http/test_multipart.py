"""Upload forms, read while they arrive."""

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
    """A body that arrives in pieces of odd sizes."""

    def __init__(self, data: bytes, seed: int) -> None:
        super().__init__(data)
        self._random = random.Random(seed)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, self._random.choice([1, 2, 3, 17, 64, 1000])))


class Broken(io.BytesIO):
    """A body whose sender goes away."""

    def read(self, size: int | None = -1, /) -> bytes:
        if data := super().read(size):
            return data
        raise ConnectionResetError("gone")


def form_of(data: bytes, content_type: str | None = TYPE) -> Form:
    return read_form(io.BytesIO(data), content_type, fields=FIELDS, file="artifact")


NEARLY = st.sampled_from([b"\r\n", b"\r", b"--", f"\r\n--{BOUNDARY}".encode()[:-1], f"--{BOUNDARY}".encode(), b"x"])


@given(st.lists(st.one_of(NEARLY, st.binary(max_size=300)), max_size=20), st.integers(0, 1000))
def test_a_file_comes_out_as_it_went_in(pieces: list[bytes], seed: int) -> None:
    delimiter = f"\r\n--{BOUNDARY}".encode()
    content = b"".join(pieces)
    while delimiter in content:  # what is left and right of one may be another
        content = content.replace(delimiter, b"")
    stream = Trickle(body(("size", b"5"), ("artifact", content)), seed)

    form = read_form(stream, TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    assert (form.fields, b"".join(form.file)) == ({"size": "5"}, content)


@given(st.binary(max_size=400), st.integers(0, 1000))
def test_no_body_breaks_the_reader(data: bytes, seed: int) -> None:
    stream = Trickle(f"--{BOUNDARY}\r\n".encode() * (seed % 2) + data, seed)

    with suppress(BadRequest, TooLarge):
        form = read_form(stream, TYPE, fields=FIELDS, file="artifact")
        b"".join(form.file or ())


def test_what_is_behind_the_file_is_not_read() -> None:
    stream = io.BytesIO(body(("artifact", b"file"), ("description", b"x" * 10_000_000)))

    form = read_form(stream, TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    assert b"".join(form.file) == b"file"
    assert form.fields == {}
    assert stream.tell() < 1_000_000


def test_a_form_without_a_file_ends() -> None:
    form = form_of(body(("description", b"only")))

    assert (form.fields, form.file) == ({"description": "only"}, None)


@pytest.mark.parametrize(
    "content_type",
    [None, "", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "multipart/related; b=1"],
)
def test_a_form_names_its_boundary(content_type: str | None) -> None:
    with pytest.raises(BadRequest):
        form_of(body(("artifact", b"x")), content_type)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\nContent-Disposition: form-data"])
def test_a_form_has_an_end(end: bytes) -> None:
    with pytest.raises(BadRequest):
        form_of(body(("description", b"x"), end=end))


def test_a_sender_that_goes_away_is_a_bad_request() -> None:
    form = read_form(Broken(body(("artifact", b"x" * 10))[:-30]), TYPE, fields=FIELDS, file="artifact")

    assert form.file is not None
    with pytest.raises(BadRequest, match="ended before the form was complete"):
        b"".join(form.file)


@pytest.mark.parametrize("name", ["description", "unknown"])
def test_fields_are_bounded(name: str) -> None:
    half = b"x" * (UPLOAD_FIELDS // 2)

    form_of(body((name, half), (name, half), ("artifact", b"x")))
    with pytest.raises(TooLarge):
        form_of(body((name, half), (name, half), (name, b"x"), ("artifact", b"x")))


def test_parts_and_their_headers_are_bounded() -> None:
    with pytest.raises(TooLarge):
        form_of(body(*([("unknown", b"x")] * 40), ("artifact", b"x")))
    with pytest.raises(TooLarge):
        form_of(body(("n" * 10_000, b"x"), ("artifact", b"x")))


def test_a_kept_field_is_text() -> None:
    with pytest.raises(BadRequest, match="description"):
        form_of(body(("description", b"\xff"), ("artifact", b"x")))
    assert form_of(body(("unknown", b"\xff"), ("artifact", b"x"))).fields == {}
