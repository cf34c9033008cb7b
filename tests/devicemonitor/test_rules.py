"""Rules of alerts, with generated inputs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.devicemonitor import rules
from chalicelib.devicemonitor.rules import Standing, Window
from chalicelib.devicemonitor.shapes import Level, NewAlert, Subject
from chalicelib.errors import BadRequest

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
SLOTS, SUBJECTS = 12, 4


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "ALERTS_KEPT", SLOTS)
        patch.setattr(limits, "ALERT_SUBJECTS", SUBJECTS)
        yield


def an_alert(subject: str, level: Level, minute: int) -> NewAlert:
    return NewAlert(
        name=subject,
        level=level,
        subject=Subject(name=subject, type="t", status="s"),
        timestamp=f"2024-03-01T10:{minute:02d}:00Z",
    )


def reports(names: str) -> st.SearchStrategy[list[list[NewAlert]]]:
    one = st.builds(an_alert, st.sampled_from(names), st.sampled_from(Level), st.integers(0, 59))
    return st.lists(st.lists(one, min_size=1, max_size=6), max_size=12)


@given(reports("abcd"))
def test_the_level_of_a_subject_is_that_of_its_newest_alert(given_reports: list[list[NewAlert]]):
    standing, changed = Standing(), 0
    known: dict[str, tuple[Level, int]] = {}
    seen: set[str] = set()
    for report in given_reports:
        standing, taken = rules.take(standing, report, NOW)
        if rules.report_id(report) in seen:
            assert not taken
            continue
        seen.add(rules.report_id(report))
        assert [each.alert for each in taken] == report
        for alert, each in zip(report, taken, strict=True):
            key, minute = alert.name, rules.issued(alert.timestamp)
            level, time = known.get(key, (Level.OK, -1))
            newer = minute >= time
            assert each.changes == (newer and alert.level is not level)
            changed += each.changes
            if newer:
                known[key] = alert.level, minute
    assert standing.critical == sum(level is Level.CRITICAL for level, _ in known.values())
    worst = rules.latest(standing, at_least=Level.CRITICAL, window=Window())
    assert len(worst) == standing.critical
    assert changed >= standing.critical
    # The stored form can be read back.
    assert msgspec.json.decode(msgspec.json.encode(standing), type=Standing) == standing


@given(reports("abcdefgh"))
def test_stored_state_is_limited_and_keeps_the_newest_of_each_subject(given_reports: list[list[NewAlert]]):
    standing = Standing()
    slots: dict[int, NewAlert] = {}
    for report in given_reports:
        standing, taken = rules.take(standing, report, NOW)
        assert len({each.slot for each in taken}) == len(taken)
        slots |= {each.slot: each.alert for each in taken}
        assert len(standing.subjects) <= SUBJECTS
        assert set(slots) <= set(range(SLOTS))
        for key, known in standing.subjects.items():
            kept = slots[known.slot]
            assert rules.subject_of(kept) == key
            assert (kept.level, rules.issued(kept.timestamp)) == (known.level, known.issued)


def test_the_oldest_ok_subject_is_removed_first():
    first = [an_alert("bad", Level.CRITICAL, 0), *(an_alert(f"ok{n}", Level.OK, n) for n in (3, 1, 2))]
    standing, _ = rules.take(Standing(), first, NOW)
    standing, _ = rules.take(standing, [an_alert("new", Level.OK, 4)], NOW)

    left = {rules.subject_of(alert) for alert in first} & set(standing.subjects)
    assert left == {rules.subject_of(first[n]) for n in (0, 1, 3)}


@given(st.text(max_size=40))
def test_times_are_parsed_or_refused(text: str):
    with suppress(BadRequest):
        assert rules.read_time(text, "issued_after") >= 0


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("9999-12-31T23:59:59.999Z", 253402300799999),
        ("0001-01-01T00:00:00+14:00", 0),
    ],
)
def test_times(text: str, millis: int):
    assert rules.issued(text) == millis
    assert rules.read_time(text, "issued_after") == millis


def test_an_unescaped_plus_sign_in_a_time():
    assert rules.read_time("1970-01-01T01:00:01 01:00", "issued_after") == 1000


def alert_state(**known: Any) -> Standing:
    return Standing(subjects={key: rules.Known(*value) for key, value in known.items()})


def test_the_latest_alerts_are_sorted_by_time():
    standing = alert_state(a=(Level.OK, 3, 0), b=(Level.CRITICAL, 2, 1), c=(Level.CRITICAL, 1, 2))

    def found(level: Level, window: Window) -> list[int]:
        return [known.slot for known in rules.latest(standing, at_least=level, window=window)]

    assert found(Level.CRITICAL, Window()) == [2, 1]
    assert found(Level.OK, Window()) == [2, 1, 0]
    assert found(Level.OK, Window(after=2, before=2)) == [1]
