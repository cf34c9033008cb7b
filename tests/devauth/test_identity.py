"""Identity data: the same data in any notation is the same device."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import text as texts
from chalicelib.devauth.rules import identity
from chalicelib.errors import BadRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(TEXT, VALUES, min_size=1, max_size=5)


def test_the_normal_form_and_its_hash():
    found = identity.normalise('{"sn": "A<1>", "mac": "00:11:22:33:44:55"}')
    assert found.text == '{"mac":"00:11:22:33:44:55","sn":"A\\u003c1\\u003e"}'
    assert found.hash == "c382cc9f4b217aa3f57facabad91c863dc183c9ce5d5b4356e21c78d2a5cb9c0"
    assert found.members == {"mac": "00:11:22:33:44:55", "sn": "A<1>"}


@pytest.mark.parametrize(
    ("given_text", "normal"),
    [
        ('{"b":1,"a":{"d":2,"c":3}}', '{"a":{"c":3,"d":2},"b":1}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        (' { "a" : [ 1 , "x" , null , true ] } ', '{"a":[1,"x",null,true]}'),
        ('{"a":"\\u0026\\u2028\\u2029&"}', '{"a":"\\u0026\\u2028\\u2029\\u0026"}'),
        ('{"a":"\\b\\f\\n\\r\\t\\u0001\\/\\"\\\\"}', '{"a":"\\b\\f\\n\\r\\t\\u0001/\\"\\\\"}'),
        ('{"a":"\\ud83d\\ude00 \\ud800"}', '{"a":"\U0001f600 \ufffd"}'),
        ('{"\\ud800":1,"\ufffd":2}', '{"\ufffd":2}'),
        ('{"\u00e9":1,"z":2,"Z":3}', '{"Z":3,"z":2,"\u00e9":1}'),
    ],
)
def test_other_notations_have_the_same_normal_form(given_text, normal):
    assert identity.normalise(given_text).text == normal


@pytest.mark.parametrize(
    ("number", "normal"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("-0", "-0"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        ("1.5E-10", "1.5e-10"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("12345678901234567890", "12345678901234567000"),
        ("0.1", "0.1"),
        ("-2.50", "-2.5"),
        ("1e-400", "0"),
    ],
)
def test_numbers_are_written_as_go_does(number, normal):
    assert identity.normalise(f'{{"n":{number}}}').text == f'{{"n":{normal}}}'


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", '"a"', "null", "1", "{", '{"a":1}x', '{"a":NaN}', '{"a":1e400}', "{a:1}", '{"a":01}', '{"a":"\n"}'],
)
def test_invalid_identities_are_refused(text):
    with pytest.raises(BadRequest):
        identity.normalise(text)


def test_deep_and_long_identities_are_refused():
    for text in ("[" * 100_000, '{"a":' + "[" * 70 + "]" * 70 + "}", json.dumps({"a": "x" * 20_000})):
        with pytest.raises(BadRequest):
            identity.normalise(text)


def test_invalid_utf8_becomes_replacement_characters():
    assert texts.from_bytes(b"a\xe2\x82b\xff") == "a\ufffd\ufffdb\ufffd"
    assert texts.from_bytes("é".encode()) == "é"


@given(DOCUMENTS, st.randoms(use_true_random=False), st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_order_whitespace_and_escapes_make_no_difference(document, random, ascii_only, indent):
    members = list(document.items())
    random.shuffle(members)
    text = json.dumps(dict(members), ensure_ascii=ascii_only, indent=indent)
    assert identity.normalise(text) == identity.normalise(json.dumps(document))


@given(DOCUMENTS)
def test_normalizing_twice_changes_nothing(document):
    found = identity.normalise(json.dumps(document))
    assert identity.normalise(found.text) == found
    assert json.loads(found.text, parse_int=float) == json.loads(json.dumps(document), parse_int=float)
    assert not set("<>&\u2028\u2029") & set(found.text)
    assert _sorted(json.loads(found.text, object_pairs_hook=lambda pairs: pairs))


def _sorted(value: Any) -> bool:
    if not isinstance(value, list):
        return True
    names = [item[0] for item in value if isinstance(item, tuple)]
    return names == sorted(names, key=str.encode) and all(
        _sorted(item[1] if isinstance(item, tuple) else item) for item in value
    )


@given(DOCUMENTS, DOCUMENTS)
def test_different_data_is_another_device(one, other):
    same = _exact(one) == _exact(other)
    assert (identity.normalise(json.dumps(one)).hash == identity.normalise(json.dumps(other)).hash) is same


def _exact(value: Any) -> str:
    """Text that distinguishes 0 from -0 and 1 from true, as the normal form does."""
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{_exact(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exact, value)) + "]"
    return repr(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_their_value(value):
    text = identity.go_number(value)
    assert float(text) == value
    assert math.copysign(1, float(text)) == math.copysign(1, value)
    assert ("e" in text) is (value != 0 and not 1e-6 <= abs(value) < 1e21)
