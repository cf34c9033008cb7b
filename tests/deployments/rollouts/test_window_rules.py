"""Windows of rollouts: any time, any zone, with the changes of clocks that IANA's data have."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import windows
from chalicelib.deployments.rules.rollout import delay
from chalicelib.deployments.rules.windows import DAYS
from chalicelib.deployments.shapes.rollout import Window

ZONES = ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]
moments = st.datetimes(datetime(2011, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # naive bounds
any_window = st.builds(
    Window,
    start_time=st.times().map(lambda each: f"{each:%H:%M}"),
    duration=st.timedeltas(timedelta(minutes=1), timedelta(days=7)),
    days=st.lists(st.sampled_from(DAYS), unique=True),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "start_time", "now", "opens"),
    [
        ("UTC", "02:00", "2026-05-05T00:00:00+00:00", "2026-05-05T02:00:00+00:00"),
        ("Europe/Oslo", "02:00", "2026-05-05T01:00:00+00:00", "2026-05-06T00:00:00+00:00"),
        # On 29 March 2026 clocks go from 02:00 to 03:00, so 02:30 does not exist: it begins at 03:30, an hour later.
        ("Europe/Oslo", "02:30", "2026-03-29T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        ("Europe/Oslo", "02:30", "2026-03-29T01:30:00+00:00", "2026-03-30T00:30:00+00:00"),
        # On 25 October 2026 clocks go from 03:00 to 02:00, so 02:30 exists twice: it begins at the first one.
        ("Europe/Oslo", "02:30", "2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("Europe/Oslo", "02:30", "2026-10-25T00:45:00+00:00", "2026-10-26T01:30:00+00:00"),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T12:00:00+00:00", "2026-10-03T15:45:00+00:00"),
        # A leap day.
        ("UTC", "23:00", "2028-02-28T23:30:00+00:00", "2028-02-29T23:00:00+00:00"),
        ("UTC", "00:00", "2028-02-29T12:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        # 30 December 2011 did not exist in Samoa.
        ("Pacific/Apia", "12:00", "2011-12-30T00:00:00+00:00", "2011-12-30T22:00:00+00:00"),
    ],
)
def test_the_next_window(zone: str, start_time: str, now: str, opens: str) -> None:
    window = Window(start_time=start_time, duration=timedelta(hours=1))
    assert windows.next_start([window], zone, at(now)) == at(opens)
    assert windows.opened([window], zone, at(opens)) == at(opens)
    assert windows.opened([window], zone, at(opens) - timedelta(seconds=1)) is None
    assert windows.opened([window], zone, at(opens) + timedelta(hours=1)) is None


def test_days_are_those_of_the_zone() -> None:
    saturdays = [Window(start_time="01:00", duration=timedelta(hours=2), days=["sat"])]
    # 01:00 on Saturday in Auckland is Friday in UTC.
    assert windows.next_start(saturdays, "Pacific/Auckland", at("2026-06-03T00:00:00+00:00")) == at(
        "2026-06-05T13:00:00+00:00"
    )


@given(window=any_window, zone=st.sampled_from(ZONES), now=moments)
def test_a_window_is_open_from_its_start_for_its_duration(window: Window, zone: str, now: datetime) -> None:
    opens = windows.next_start([window], zone, now)
    assert opens is not None
    assert now < opens <= now + timedelta(days=8, hours=2)
    began = windows.opened([window], zone, opens)
    assert began is not None
    assert began <= opens < began + window.duration
    local = opens.astimezone(ZoneInfo(zone))
    shown = time(local.hour, local.minute).isoformat("minutes")
    if shown == window.start_time:
        assert not window.days or DAYS[local.weekday()] in window.days
    else:  # the clocks were put forward past the start
        before = (opens - timedelta(hours=3)).astimezone(ZoneInfo(zone))
        assert before.utcoffset() != local.utcoffset()


@given(several=st.lists(any_window, min_size=1, max_size=4), zone=st.sampled_from(ZONES), now=moments)
def test_several_windows_are_open_when_one_is(several: list[Window], zone: str, now: datetime) -> None:
    each = [windows.opened([window], zone, now) for window in several]
    assert windows.opened(several, zone, now) == min(filter(None, each), default=None)
    following = [windows.next_start([window], zone, now) for window in several]
    assert windows.next_start(several, zone, now) == min(filter(None, following))


@given(seconds=st.integers(1, 86_400), device=st.uuids())
def test_a_delay_is_below_the_jitter_and_always_the_same(seconds: int, device: object) -> None:
    jitter = timedelta(seconds=seconds)
    assert timedelta(0) <= delay("a", str(device), jitter) < jitter
    assert delay("a", str(device), jitter) == delay("a", str(device), jitter)


def test_delays_are_spread_evenly() -> None:
    minutes = [delay("a", str(number), timedelta(minutes=10)).total_seconds() // 60 for number in range(2_000)]
    assert all(150 <= minutes.count(minute) <= 250 for minute in range(10))
