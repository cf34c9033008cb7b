"""The estimate of when a deployment is done, compared with devices that poll evenly."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib.deployments.rules import estimate, windows
from chalicelib.deployments.rules.estimate import Fleet
from chalicelib.deployments.rules.phases import Phase
from chalicelib.deployments.shapes.rollout import Gate, Rollout, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOW = datetime(2026, 12, 1, 10, 17, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

DEVICES = st.integers(1, 40)
POLLS = st.integers(1, 90).map(lambda minutes: minutes * MINUTE)
RATES = st.none() | st.integers(1, 8)
WINDOWS = st.lists(
    st.builds(
        Window,
        start_time=st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
        # A device that polls once in a longer time might never poll in a window.
        duration=st.integers(90, 1500).map(lambda minutes: minutes * MINUTE),
        days=st.lists(st.sampled_from(windows.DAYS), max_size=3),
    ),
    max_size=3,
)


def fleet(devices: int, poll: timedelta = HOUR / 2, update: timedelta = timedelta(0)) -> Fleet:
    return Fleet(devices, devices, poll, update)


def done(phases: Sequence[Phase], rollout: Rollout | None, devices: Fleet) -> datetime:
    found = estimate.course(phases, rollout, devices, NOW).done
    assert found is not None
    return found


def polled(phases: Sequence[Phase], rollout: Rollout, devices: Fleet) -> datetime:
    """When the last device begins, if each of them polls."""
    left = [NOW + devices.poll * number / devices.polling for number in range(devices.polling)]
    begun, in_minute = 0, dict[int, int]()
    for turn in count():
        for offset in list(left):
            time = offset + turn * devices.poll
            open_phases = [phase for phase in phases if phase.start <= time]
            upto = devices.polling if not phases else 0
            for phase in open_phases:
                upto = devices.polling if phase.upto is None else phase.upto
            minute = int(time.timestamp() // 60)
            rate = rollout.maximum_per_minute or devices.polling
            if begun < upto and in_minute.get(minute, 0) < rate:
                begun += 1
                in_minute[minute] = in_minute.get(minute, 0) + 1
                left.remove(offset)
            if not left:
                return time
    raise AssertionError


@given(DEVICES, POLLS, RATES)
def test_it_is_when_the_last_device_polls(devices: int, poll: timedelta, rate: int | None) -> None:
    rollout, wanted = Rollout(maximum_per_minute=rate), fleet(devices, poll)
    assert abs(done((), rollout, wanted) - polled((), rollout, wanted)) <= poll + MINUTE


@given(DEVICES, POLLS, WINDOWS)
def test_devices_begin_in_windows(devices: int, poll: timedelta, given_windows: list[Window]) -> None:
    rollout, wanted = Rollout(windows=given_windows, time_zone="UTC"), fleet(devices, poll)
    spans = list(islice(windows.openings(given_windows, "UTC", NOW), 3)) or [(NOW, NOW + DAY)]
    last = max(_polled_in(spans, NOW + poll * number / devices, poll) for number in range(devices))
    assume(_is_steady(rollout, wanted))
    assert abs(done((), rollout, wanted) - last) <= poll + MINUTE


def _is_steady(rollout: Rollout, devices: Fleet) -> bool:
    """Whether an interval more or less makes little difference. At the end of a window, it makes that of a day."""
    poll = devices.poll
    shorter, longer = max(MINUTE / 60, poll - poll / devices.polling - MINUTE), 2 * poll + MINUTE
    earlier, later = (done((), rollout, replace(devices, poll=each)) for each in (shorter, longer))
    return later - earlier <= 2 * poll + 3 * MINUTE


def _polled_in(spans: list[tuple[datetime, datetime]], first: datetime, poll: timedelta) -> datetime:
    """When a device polls first while a window is open; ``first`` is its first poll."""
    for begun, ended in spans:
        time = first + max(0, -((first - begun) // poll)) * poll
        if time < ended:
            return time
    raise AssertionError


ZONES = ["UTC", "Europe/Oslo", "Asia/Tokyo", "Asia/Kolkata", "America/New_York", "Pacific/Auckland"]


@settings(max_examples=60)
@given(
    DEVICES,
    POLLS,
    RATES,
    WINDOWS.filter(bool),
    st.lists(st.sampled_from(ZONES), min_size=2, max_size=4),
)
def test_devices_begin_in_windows_of_their_own_time(
    devices: int,
    poll: timedelta,
    rate: int | None,
    given_windows: list[Window],
    zones: list[str],
) -> None:
    rollout = Rollout(windows=given_windows, time_zone="UTC", device_time_zone="zone", maximum_per_minute=rate)
    own = [zones[number % len(zones)] for number in range(devices)]
    wanted = replace(fleet(devices, poll), zones=Counter(own))
    found = done((), rollout, wanted)
    assume(_is_steady(rollout, wanted))
    assert abs(found - _last_in_own_windows(rollout, wanted, own)) <= poll + MINUTE


def _last_in_own_windows(rollout: Rollout, devices: Fleet, own: Sequence[str]) -> datetime:
    """When the last device begins, if each polls and has windows in its own time zone."""
    spans = {zone: list(islice(windows.openings(rollout.windows, zone, NOW), 8)) for zone in own}
    offsets = {number: devices.poll * number / devices.polling for number in range(devices.polling)}
    polls = sorted(
        (time, number)
        for number, offset in offsets.items()
        for begun, ended in spans[own[number]]
        for time in _polls(NOW + offset, devices.poll, begun, ended)
    )
    left, in_minute = set(offsets), Counter[int]()
    for time, number in polls:
        minute = int(time.timestamp() // 60)
        if number in left and in_minute[minute] < (rollout.maximum_per_minute or devices.polling):
            in_minute[minute] += 1
            left.remove(number)
            if not left:
                return time
    raise AssertionError


def _polls(first: datetime, poll: timedelta, begun: datetime, ended: datetime) -> Iterator[datetime]:
    """The first polls of a device in a window."""
    time = first + max(0, -((first - begun) // poll)) * poll
    for turn in range(60):
        if time + turn * poll < ended:
            yield time + turn * poll


@given(st.integers(3, 40), POLLS, st.data())
def test_phases_open_by_time(devices: int, poll: timedelta, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, devices - 2))
    second = data.draw(st.integers(first + 1, devices - 1))
    later = data.draw(st.lists(st.integers(0, 300), min_size=2, max_size=2).map(sorted))
    starts = [NOW, *(NOW + minutes * MINUTE for minutes in later)]
    phases = [Phase(start, upto=upto) for start, upto in zip(starts, (first, second, None), strict=True)]
    wanted = fleet(devices, poll)
    course = estimate.course(phases, None, wanted, NOW)
    assert course.opens == starts
    assert abs(done(phases, None, wanted) - polled(phases, Rollout(), wanted)) <= poll + MINUTE


@given(DEVICES, POLLS, st.integers(1, 8), WINDOWS)
def test_more_devices_are_never_done_earlier_and_a_higher_rate_never_later(
    devices: int, poll: timedelta, rate: int, given_windows: list[Window]
) -> None:
    rollout = Rollout(maximum_per_minute=rate, windows=given_windows, time_zone="UTC")
    base = done((), rollout, fleet(devices, poll))
    assert base <= done((), rollout, fleet(devices + 1, poll))
    assert base >= done((), replace(rollout, maximum_per_minute=rate + 1), fleet(devices, poll))
    assert base >= done((), replace(rollout, maximum_per_minute=None), fleet(devices, poll))
    assert base <= done((), rollout, fleet(devices, poll, HOUR))


def test_a_phase_takes_the_devices_whose_windows_open_first() -> None:
    night = Rollout(windows=[Window(start_time="02:00", duration=2 * HOUR)], time_zone="UTC", gate=Gate())
    phases = [Phase(NOW, upto=2), Phase(NOW)]
    devices = replace(fleet(6), zones={"Asia/Tokyo": 2, "America/Bogota": 4})
    course = estimate.course(phases, night, devices, NOW)
    assert course.opens == [NOW, datetime(2026, 12, 1, 17, 31, tzinfo=UTC)]
    assert course.done == datetime(2026, 12, 2, 7, 30, tzinfo=UTC)
    # The last phase opens by time before the windows of the first one.
    course = estimate.course([Phase(NOW, upto=2), Phase(NOW + HOUR)], replace(night, gate=None), devices, NOW)
    assert course.done == datetime(2026, 12, 2, 7, 30, tzinfo=UTC)


def test_a_gate_waits_until_the_phase_before_is_updated_and_watched() -> None:
    phases = [Phase(NOW, percent=10, upto=10), Phase(NOW, percent=90)]
    rollout = Rollout(gate=Gate(soak=2 * HOUR))
    course = estimate.course(phases, rollout, fleet(100, update=10 * MINUTE), NOW)
    # A tenth of the devices polls in three minutes.
    opens = NOW + 3 * MINUTE + 10 * MINUTE + 2 * HOUR + MINUTE
    assert course.opens == [NOW, opens]
    assert course.done == opens + 30 * MINUTE + 10 * MINUTE
    assert course.unreachable is None


def test_a_gate_never_opens_with_too_few_devices_that_may_succeed() -> None:
    phases = [Phase(NOW, percent=10, upto=10), Phase(NOW, percent=90)]
    for gate, succeeding in ((Gate(minimum_devices=11), 100), (Gate(minimum_devices=2), 1)):
        course = estimate.course(phases, Rollout(gate=gate), replace(fleet(100), succeeding=succeeding), NOW)
        assert (course.opens, course.done, course.unreachable) == ([NOW, None], None, 1)


def test_each_device_is_delayed() -> None:
    assert done((), Rollout(jitter=HOUR), fleet(10)) == NOW + HOUR + HOUR / 2
    daily = [Window(start_time="12:00", duration=2 * HOUR)]
    delayed = Rollout(windows=daily, time_zone="UTC", jitter=HOUR)
    assert done((), delayed, fleet(10)) == datetime(2026, 12, 1, 13, 30, tzinfo=UTC)


def test_what_takes_more_than_a_year_is_not_estimated() -> None:
    assert estimate.course((), Rollout(maximum_per_minute=1), fleet(1_000_000), NOW).done is None
    short = Rollout(windows=[Window(start_time="12:00", duration=MINUTE, days=["mon"])], time_zone="UTC")
    assert estimate.course((), short, fleet(10, DAY), NOW).done is None
    end = datetime.max.replace(tzinfo=UTC)
    long = Rollout(windows=[Window(start_time="12:00", duration=7 * DAY)], time_zone="America/New_York")
    for rollout in (None, short, long, Rollout(jitter=DAY), Rollout(gate=Gate())):
        assert estimate.course([Phase(end, upto=1), Phase(end)], rollout, fleet(10), NOW).done is None


@settings(max_examples=40)  # each looks at some hundred days
@given(
    WINDOWS, st.sampled_from(["UTC", "Europe/Oslo", "America/New_York", "Australia/Lord_Howe"]), st.integers(0, 9000)
)
def test_the_next_openings_are_when_a_window_is_open(given_windows: list[Window], zone: str, hours: int) -> None:
    since = NOW + hours * HOUR
    found = list(islice(windows.openings(given_windows, zone, since), 3))
    assert bool(found) == bool(given_windows)
    assume(found)
    last = since - MINUTE
    for begun, ended in found:
        assert windows.opened(given_windows, zone, max(begun, since))
        assert windows.opened(given_windows, zone, ended - MINUTE / 60)
        assert not windows.opened(given_windows, zone, ended) or ended > since + 366 * DAY
        if last < begun:
            assert windows.next_start(given_windows, zone, last) == begun
        last = ended


@pytest.mark.parametrize("duration", [DAY, 7 * DAY])
def test_windows_without_a_gap_are_one_time(duration: timedelta) -> None:
    [(begun, ended)] = windows.openings([Window(start_time="12:00", duration=duration)], "UTC", NOW)
    assert begun <= NOW
    assert ended > NOW + 366 * DAY
