"""A whole fleet reconnects at once after a power cut: ``Retry-After`` spreads the calls, and all succeed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import cache, settings
from chalicelib.http import throttle
from tests.deployments.world import World

DEVICES = 40
RATE = 20
"""The tenant's calls per minute: a burst of as many, then one every three seconds."""


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The clock of the rate limit, which the test moves."""
    now = [1000]
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=lambda: float(now[0])))
    yield now
    cache.forget_all()


@pytest.mark.slow
def test_all_devices_succeed_after_waiting(
    api: httpx2.Client, http: httpx2.Client, tenant, seconds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(api, http, tenant.tenant_token)
    due = dict.fromkeys(range(DEVICES), seconds[0])
    devices = [world.device() for _ in due]
    known = replace(settings.current(), tenant_rate=RATE)
    monkeypatch.setattr(settings, "current", lambda: known)
    cache.forget_all()
    calls: Counter[int] = Counter()

    with ThreadPoolExecutor(16) as threads:
        while due:
            now = seconds[0] = min(due.values())
            here = [number for number, when in due.items() if when == now]
            calls[now] = len(here)
            answers = list(threads.map(lambda number: devices[number].poll(), here))
            for number, answer in zip(here, answers, strict=True):
                if answer.status_code == 204:
                    del due[number]
                else:
                    assert answer.status_code == 429, answer.text
                    due[number] = now + int(answer.headers["Retry-After"])

    first, *later = [calls[when] for when in sorted(calls)]
    assert first == DEVICES
    assert max(later) <= DEVICES / 2, "they came back together"
    # No device waits much longer than the limit needs for all of them.
    assert max(calls) - min(calls) <= 4 * 60 * (DEVICES - RATE) / RATE
