"""Versions have a total order, and what cannot be compared is no downgrade."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import versions
from chalicelib.deployments.rules.versions import Downgrade

NUMBERS = st.lists(st.integers(0, 10**20), min_size=1, max_size=5)
WORDS = st.sampled_from(["rc", "beta", "alpha", "dev", "SNAPSHOT", "g"])
SUFFIXES = st.lists(WORDS | st.integers(0, 10**20).map(str), max_size=4).map("-".join)
NAMES = st.sampled_from(["", "gateway-os-", "a_", "os/", "v ", "rpi4-image-"])


@st.composite
def texts(draw: st.DrawFn, name: str | None = None) -> str:
    """A version, with a name before it."""
    numbers = ".".join(map(str, draw(NUMBERS)))
    suffix, build = draw(SUFFIXES), draw(st.sampled_from(["", "+7", "+git-1a"]))
    letter = draw(st.sampled_from(["", "v", "V"]))
    return (draw(NAMES) if name is None else name) + letter + numbers + (f"-{suffix}" if suffix else "") + build


IN_ORDER = [
    "0",
    "0.1-alpha",
    "0.1-alpha.1",
    "0.1-beta.2",
    "0.1-beta.11",
    "0.1-rc9",
    "0.1-RC10",
    "0.1",
    "0.1-1",
    "0.1-1-gabc",
    "0.1-2",
    "0.1-10",
    "0.1.0.1",
    "v0.2",
    "0.10",
    "1.0-dev",
    "1.0.0+7",
    "1.0.1",
    "2",
    "2024.05.1",
    "2024.11",
]


def test_the_order_of_versions():
    for index, older in enumerate(IN_ORDER):
        assert versions.is_older(older, older) is False
        for newer in IN_ORDER[index + 1 :]:
            assert versions.is_older(older, newer) is True, (older, newer)
            assert versions.is_older(newer, older) is False, (newer, older)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1.0.0"), ("1", "v1.0"), ("01.2", "1.02"), ("1.2+a", "1.2+b"), ("1-RC1", "1-rc.1"), ("0", "0.0")],
)
def test_other_ways_to_write_a_version(one, other):
    assert versions.is_older(one, other) is False
    assert versions.is_older(other, one) is False


@given(texts(""), texts(""), texts(""))
def test_versions_have_a_total_order(a, b, c):
    found = [versions.parse(each) for each in (a, b, c)]
    x, y, z = (each[1] for each in found if each is not None)
    assert (x < y) + (y < x) + (x == y) == 1
    if x <= y <= z:
        assert x <= z


@given(texts(""), texts(""), NAMES)
def test_a_name_before_both_makes_no_difference(a, b, name):
    assert versions.is_older(name + a, name + b) == versions.is_older(a, b)


@given(texts(), texts())
def test_only_one_of_two_is_older(a, b):
    there, back = versions.is_older(a, b), versions.is_older(b, a)
    assert (there is None) == (back is None)
    assert not (there and back)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=4), st.data())
def test_numbers_count_by_their_value(numbers, data):
    place = data.draw(st.integers(0, len(numbers) - 1))
    higher = [*numbers[:place], numbers[place] + data.draw(st.integers(1, 1000)), *numbers[place + 1 :]]
    assert versions.is_older(".".join(map(str, numbers)), ".".join(map(str, higher))) is True


@given(NUMBERS, WORDS, st.integers(0, 99))
def test_a_pre_release_comes_before_its_release_and_a_revision_after_it(numbers, word, number):
    release = ".".join(map(str, numbers))
    assert versions.is_older(f"{release}-{word}{number}", release) is True
    assert versions.is_older(release, f"{release}-{number}") is True


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_asked_about(a, b):
    assert versions.is_older(a, b) in {True, False, None}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ("latest", "stable"),
        ("1.0", "latest"),
        ("app-1.0", "1.0"),
        ("app-1.0", "os-2.0"),
        ("rpi4-image-1.0", "rpi3-image-2.0"),
        ("my-board-7-image-1.0", "my-board-8-image-0.9"),
        ("1.0.2k", "1.0.2"),
        ("3f2a9c", "4b1d00"),
        ("1.0 (beta)", "1.0"),
        ("1.", "1"),
        ("٣.0", "1.0"),
        ("1" * 5000, "1"),
    ],
)
def test_what_cannot_be_compared(one, other):
    assert versions.is_older(one, other) is None
    assert versions.is_older(other, one) is None


KEY = "rootfs-image.version"


@pytest.mark.parametrize(
    ("artifact", "device", "found"),
    [
        ({KEY: "1.9"}, {KEY: "2.0"}, Downgrade(KEY, "2.0", "1.9")),
        ({KEY: "2.0"}, {KEY: "2.0"}, None),
        ({KEY: "2.1"}, {KEY: "2.0"}, None),
        # Mender's tool writes the artifact's name into the version, unless it is told another one.
        ({KEY: "os-1"}, {KEY: "os-2"}, Downgrade(KEY, "os-2", "os-1")),
        # The first of several in the order of their names; an upgrade of one does not excuse another.
        ({"b.version": "1", "a.version": "3"}, {"a.version": "2", "b.version": "2"}, Downgrade("b.version", "2", "1")),
        # Only what both provide, and only versions.
        ({"a.version": "1"}, {"b.version": "2"}, None),
        ({"a.checksum": "1", "conversion": "1"}, {"a.checksum": "2", "conversion": "2"}, None),
        ({"version": "1"}, {"version": "2"}, Downgrade("version", "2", "1")),
        # Names count where no version can be compared.
        ({"artifact_name": "os-1"}, {"artifact_name": "os-2"}, Downgrade("artifact_name", "os-2", "os-1")),
        ({"artifact_name": "os-1"}, {"artifact_name": "app-2"}, None),
        ({"artifact_name": "os-1", KEY: "7"}, {"artifact_name": "os-2", KEY: "6"}, None),
        (
            {"artifact_name": "os-1", KEY: "blue"},
            {"artifact_name": "os-2", KEY: "7"},
            Downgrade("artifact_name", "os-2", "os-1"),
        ),
        ({}, {}, None),
    ],
)
def test_downgrades(artifact, device, found):
    assert versions.downgrade(artifact, device) == found


@given(st.dictionaries(st.sampled_from([KEY, "a.version", "artifact_name"]), texts()))
def test_no_software_is_older_than_itself(provides):
    assert versions.downgrade(provides, provides) is None
