"""The work of a search does not depend on devices outside of the user's groups.

The test counts the values passed to conditions, sorting and text search.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import BadRequest
from chalicelib.inventory import service
from chalicelib.inventory.rules import columns, finding, matching, patterns, texts
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.matching import Predicate, Query
from tests.inventory.test_snapshot_rules import FLEETS, QUERIES, opened
from tests.support.probe import counted

if TYPE_CHECKING:
    from collections.abc import Callable

GROUPS = ("g", "hall")
"""The groups of the drawn devices."""


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Record the values that conditions, sorting and text search read, except the groups themselves."""
    seen: list[tuple[Any, ...]] = []

    def watch(name: str, function: Callable[..., Any], stored: Any, *rest: Any) -> Any:
        if stored is not None and stored not in GROUPS:
            seen.append((name, str(stored)))
        return function(stored, *rest)

    for operator, function in matching.OPERATORS.items():
        monkeypatch.setitem(matching.OPERATORS, operator, partial(watch, operator, function))
    monkeypatch.setattr(columns, "rank", partial(watch, "rank", matching.rank))
    monkeypatch.setattr(texts, "text_of", partial(watch, "text", texts.text_of))
    monkeypatch.setattr(texts, "of", partial(_texts_of, seen, texts.of))
    return seen


def _texts_of(seen: list[tuple[Any, ...]], function: Callable[[Device], str], device: Device) -> str:
    seen.append(("texts", device.id))
    return function(device)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FLEETS, QUERIES, st.frozensets(st.sampled_from(GROUPS), max_size=1), st.booleans())
def test_devices_outside_of_the_scope_are_not_read(looked_at, fleet, query, groups, stored):
    inside = {each: device for each, device in fleet.items() if device.group in groups}
    observed = []
    for devices in (fleet, inside):
        snapshot = opened(devices) if stored else None
        looked_at.clear()
        found = finding.find(snapshot, {} if stored else devices, query.within(groups), 0, 9)
        observed.append((found, sorted(looked_at)))

    assert observed[0] == observed[1]


def test_a_condition_on_an_attribute_of_hidden_devices_only_reads_nothing(looked_at):
    query = Query((Predicate("system", "created_ts", "$eq", "Hall"),)).within(frozenset())
    snapshots = [opened({"a": device("a", "hall")}), opened({})]
    looked_at.clear()
    for snapshot in snapshots:
        assert finding.find(snapshot, {}, query, 0, 9) == ([], 0)
    assert looked_at == []


def device(name: str, group: str, **values: str) -> Device:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    shown = {key: [value] for key, value in values.items()}
    return Device(name, {"inventory": shown}, "accepted", now, now, group=group)


@pytest.mark.parametrize("stored", [True, False])
def test_hidden_devices_do_not_use_up_the_work_limit_of_a_pattern(monkeypatch, stored):
    hidden = [device(f"h{number}", "theirs", text=f"{number}" + "b" * 900, secret="yes") for number in range(50)]
    fleet = {each.id: each for each in [device("mine", "mine", text="ab", secret="no"), *hidden]}
    snapshot, changed = (opened(fleet), {}) if stored else (None, fleet)
    monkeypatch.setattr(patterns, "_WORK", 5_000)

    def work(secret: str | None, groups: frozenset[str] | None) -> int:
        pattern = patterns.of_filter("/(a|b)+$/")
        guess = [Predicate("inventory", "secret", "$eq", secret)] if secret else []
        query = Query((*guess, Predicate("inventory", "text", "$regex", pattern)))
        finding.find(snapshot, changed, query.within(groups), 0, 9)
        return pattern.work

    assert work("yes", frozenset({"mine"})) == work("never", frozenset({"mine"})) == 0
    assert 0 < work(None, frozenset({"mine"})) < 1_000
    with pytest.raises(BadRequest, match="too expensive"):
        work("yes", None)


def test_a_group_outside_of_the_scope_is_not_read(tenant):
    query = Query((Predicate("system", "group", "$eq", "theirs"),))
    with counted() as cost:
        assert service.search(tenant.id, query, 0, 9, frozenset({"mine"})) == ([], 0)
    assert cost.calls == []
