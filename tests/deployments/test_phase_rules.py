"""The sizes of phases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import limits, times
from chalicelib.deployments.rules import phases
from chalicelib.deployments.shapes import NewPhase, UniformPhases
from chalicelib.errors import BadRequest

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def listed(sizes: list[int | None], targeted: int) -> list[int]:
    """The number of devices of each phase."""
    given_phases = [
        NewPhase(batch_size=size, start_ts=NOW + timedelta(hours=hour)) for hour, size in enumerate(sizes, 1)
    ]
    found = phases.of_list(given_phases, targeted, NOW)
    bounds = [each.upto if each.upto is not None else targeted for each in found]
    return [bound - before for bound, before in zip(bounds, [0, *bounds], strict=False)]


@pytest.mark.parametrize(
    ("sizes", "targeted", "expected"),
    [
        ([13, 17, 29, None], 101, [13, 17, 29, 42]),
        ([10, 90], 11, [1, 10]),
        ([50, None], 3, [1, 2]),
        ([100], 1, [1]),
        ([None], 1, [1]),
        ([5], 1, [1]),
        ([5, 10], 100, [5, 95]),
        # If the shares add up to 100, the last phase gets the devices that rounding down has left.
        ([1, 1, 8, 30, 30, 30, None], 101, [1, 1, 8, 30, 30, 30, 1]),
    ],
)
def test_batches_are_rounded_down_and_the_last_one_gets_the_rest(
    sizes: list[int | None], targeted: int, expected: list[int]
) -> None:
    assert listed(sizes, targeted) == expected


@example([1, 1, 8, 30, 30, 30], 101)
@example([10, 90], 100)
@given(st.lists(st.integers(1, 30), max_size=8), st.integers(1, 5000))
def test_batches_include_every_device_and_none_is_empty(sizes: list[int], targeted: int) -> None:
    expected = [targeted * size // 100 for size in sizes]
    if sum(sizes) > 100 or 0 in [*expected, targeted - sum(expected)]:
        with pytest.raises(BadRequest):
            listed([*sizes, None], targeted)
        return
    found = listed([*sizes, None], targeted)
    assert sum(found) == targeted
    assert min(found) >= 1
    assert found[:-1] == expected


@given(st.integers(1, 100), st.integers(1, 5000), st.booleans())
def test_uniform_phases_are_equal_and_include_every_device(size: int, targeted: int, share: bool) -> None:
    interval = timedelta(hours=1)
    wanted = UniformPhases(interval, batch_size=size) if share else UniformPhases(interval, batch_size_devices=size)
    number = -(-100 // size) if share else -(-targeted // size)
    if number > limits.PHASES or (number > 1 and share and targeted * size < 100):
        with pytest.raises(BadRequest):
            phases.of_uniform(wanted, targeted, NOW)
        return
    found = phases.of_uniform(wanted, targeted, NOW)
    assert len(found) == number
    assert [each.start for each in found] == [NOW + index * interval for index in range(len(found))]
    assert [each.upto for each in found[:-1]] == [
        (index + 1) * (targeted * size // 100 if share else size) for index in range(len(found) - 1)
    ]


@given(st.data(), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_phases_that_open_later_keep_their_order_and_sizes(data, delay: timedelta):
    gaps = data.draw(st.lists(st.integers(1, 100), min_size=1, max_size=4))
    first = data.draw(st.one_of(st.none(), st.integers(0, 500)))
    hours = [sum(gaps[:index]) + (first or 0) for index in range(len(gaps) + 1)]
    starts = [NOW + timedelta(hours=hour) for hour in hours]
    wanted = [NewPhase(batch_size_devices=1, start_ts=start) for start in starts]
    if first is None:
        wanted[0] = NewPhase(batch_size_devices=1)
    planned = phases.of_list(wanted, 10, NOW)

    moved = phases.later(planned, phases.relative(wanted, None), delay)

    opened = NOW + delay
    assert [(each.upto, each.devices) for each in moved] == [(each.upto, each.devices) for each in planned]
    assert [each.start for each in moved] == sorted(each.start for each in moved)
    if first is None:
        assert opened - moved[0].start < timedelta(milliseconds=1)
        assert moved[0].start <= opened
    for before, after in zip(planned, moved, strict=True):
        # Nothing opens earlier than planned, and what was to open after the approval opens as planned.
        assert after.start >= before.start or after.start == moved[0].start
        assert before.start <= opened or after.start == before.start


@given(st.integers(1, 20), st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_uniform_phases_that_open_later_keep_their_intervals(hours: int, delay: timedelta):
    wanted = UniformPhases(batch_size_devices=3, time_interval=timedelta(hours=hours))

    moved = phases.later(phases.of_uniform(wanted, 10, NOW), phases.relative(None, wanted), delay)

    assert moved == phases.of_uniform(wanted, 10, NOW + delay)


def test_phases_are_not_delayed_beyond_the_end_of_time():
    start = datetime.max.replace(tzinfo=UTC, microsecond=0)
    (moved,) = phases.later([phases.Phase(start)], 1, timedelta(days=1))
    assert moved.start == times.LATEST
