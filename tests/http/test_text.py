"""Untrusted text is made safe for headers and spreadsheets."""

from __future__ import annotations

import re
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import text

ANY = st.text(st.characters(), max_size=300)  # surrogates as well
HEADER = re.compile(r"""attachment; filename="[ !#$&-~]*?"(; filename\*=UTF-8''[A-Za-z0-9%._~-]+)?""")


@given(ANY)
@example("a\r\nX-Injected: 1")
@example('"; filename="b')
@example("x" * 70_000)
@example("..")
def test_a_name_in_a_header_is_printable_short_and_names_one_file(name: str):
    header = text.attachment(name)
    assert header.isascii()
    assert header.isprintable()
    assert HEADER.fullmatch(header), header
    assert len(header) < 2000
    message = EmailMessage()
    message["Content-Disposition"] = header
    saved = message["Content-Disposition"].params["filename"]
    assert saved not in {"", ".", ".."}
    assert not set(saved) & set("/\\\0\r\n")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("motd", 'attachment; filename="motd"'),
        ("größe.txt", "attachment; filename=\"gr__e.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"),
        ("a\nb.txt", 'attachment; filename="a_b.txt"'),
        ('say "hi".txt', "attachment; filename=\"say _hi_.txt\"; filename*=UTF-8''say%20%22hi%22.txt"),
        ("\u202etxt.exe", 'attachment; filename="_txt.exe"'),
        ("\ud83d.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
        ("", 'attachment; filename="file"'),
    ],
)
def test_names_keep_non_ascii_letters(name: str, header: str):
    assert text.attachment(name) == header


@given(ANY)
def test_a_header_value_is_kept_or_dropped_completely(value: str):
    header = text.header(value)
    if header is not None:
        assert header.isascii()
        assert header.isprintable()
        assert unquote(header) == text.without_surrogates(value)
    assert text.header("é" * 1000) is None


FORMULAS = ["=1+1", "+1", "-1", "@A1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201", "|calc", "%0"]
BEFORE = ["", " ", "\n", "\r", "\t", "\0", "\x0b", "\u00a0", "\u3000", "\ufeff", "\u200b", "\u202e", "\u2028", "\x1b"]


@pytest.mark.parametrize("before", BEFORE, ids=ascii)
@pytest.mark.parametrize("formula", FORMULAS, ids=ascii)
def test_cells_are_not_formulas(before: str, formula: str):
    assert text.cell(before + formula) == f"'{before}{formula}"
    assert text.cell(f"{before}{before}{formula}").startswith("'")


@given(st.text(st.sampled_from("\n\r\t =+-@\uff1d\u3000\"'a;"), max_size=6))
def test_cells_that_begin_like_a_formula_get_an_apostrophe(value: str):
    cell = text.cell(value)
    assert cell in {value, f"'{value}"}
    seen = re.sub(r"^[\s\"']+", "", value)
    assert cell.startswith("'") or not seen.startswith(("=", "+", "-", "@", "\uff1d"))


def test_a_formula_after_much_whitespace_is_escaped():
    assert text.cell(" " * 5000 + "=1").startswith("'")


def test_other_cells_are_unchanged():
    for value in ("", "a", "1", "a=b", "größe", "2024-03-01T10:00:00Z", "a@example.com", "{}", " a"):
        assert text.cell(value) == value
