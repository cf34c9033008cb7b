"""Attribute types: values are unchanged after storing, sort correctly, and are compressed."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.storage.base import BlobAttribute, TimeAttribute

times = TimeAttribute()
blobs = BlobAttribute()

to_the_millisecond = st.datetimes(timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)
)
documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=8),
    max_leaves=40,
)


@given(to_the_millisecond)
@example(datetime(1, 1, 1, tzinfo=UTC))
@example(datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC))
def test_a_time_is_unchanged(time: datetime):
    stored = times.serialize(time)

    assert times.deserialize(stored) == time
    assert times.deserialize(stored).tzinfo is UTC
    assert int(stored) == (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(to_the_millisecond, st.integers(0, 999))
def test_a_time_is_rounded_to_milliseconds(time: datetime, micros: int):
    finer = time.replace(microsecond=time.microsecond + micros)

    millis = int(times.serialize(finer))

    assert abs(timedelta(milliseconds=millis) - (finer - datetime(1970, 1, 1, tzinfo=UTC))) <= timedelta(
        microseconds=500
    )


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda time: time.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(-14, 14),
)
def test_a_time_in_another_zone_is_the_same_time(naive: datetime, hours: int):
    time = naive.replace(tzinfo=timezone(timedelta(hours=hours)))

    assert times.deserialize(times.serialize(time)) == time


@given(documents)
def test_a_document_is_unchanged(document: Any):
    assert blobs.deserialize(blobs.serialize(document)) == document


@given(documents)
def test_a_blob_is_never_longer_than_its_json(document: Any):
    blob = blobs.serialize(document)
    plain = zlib.decompress(blob) if blob[:1] == b"x" else blob

    assert len(blob) <= len(plain)
    assert json.loads(plain) == document


@pytest.mark.parametrize("document", ["x", "x" * 10_000, {"x": "x" * 300}, list(range(1000)), "", None, [], {}])
def test_formats_are_distinguished(document: Any):
    assert blobs.deserialize(blobs.serialize(document)) == document


def test_repetitive_documents_are_compressed():
    assert len(blobs.serialize([{"name": "a" * 20, "value": "b"}] * 50)) < 100
