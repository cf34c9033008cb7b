"""Cursors: each is valid for the list that gave it, as it was given, and for nothing else."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import cursors
from chalicelib.cursors import Cursor
from chalicelib.errors import BadRequest

CURSORS = st.builds(Cursor, st.text(max_size=80), st.booleans(), st.integers(0, 10**9))
CONTEXTS = st.text(max_size=40)


@given(CURSORS, CONTEXTS)
def test_a_cursor_is_read_as_it_was_made(cursor: Cursor, context: str) -> None:
    text = cursors.encode(cursor, context)

    assert re.fullmatch("[A-Za-z0-9_-]+", text)
    assert cursors.decode(text, context) == cursor


@given(CURSORS, CONTEXTS, CONTEXTS)
def test_a_cursor_of_another_list_is_refused(cursor: Cursor, context: str, other: str) -> None:
    text = cursors.encode(cursor, context)

    if other != context:
        with pytest.raises(BadRequest):
            cursors.decode(text, other)


@given(CURSORS, CONTEXTS, st.data())
def test_a_changed_cursor_is_refused(cursor: Cursor, context: str, data: st.DataObject) -> None:
    text = cursors.encode(cursor, context)
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters()) + text[place + data.draw(st.integers(0, 1)) :]

    if changed != text:
        with pytest.raises(BadRequest):
            cursors.decode(changed, context)


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        cursors.decode(text, "")


def test_a_cursor_has_a_limited_length() -> None:
    with pytest.raises(BadRequest):
        cursors.decode(cursors.encode(Cursor("x" * 5_000), ""), "")
