"""After a power cut a whole fleet comes back at once: it is sent away for different times, and all get through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.http import throttle
from tests.deployments.world import World

DEVICES = 40
RATE = 20
"""Calls a minute of the tenant: as many at once, then one each three seconds."""


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The time by which calls are counted, to be moved."""
    now = [1000]
    monkeypatch.setattr(throttle, "time", SimpleNamespace(monotonic=lambda: float(now[0])))
    yield now
    throttle.forget()


@pytest.mark.slow
def test_a_herd_gets_through_one_after_the_other(
    api: httpx2.Client, http: httpx2.Client, tenant, seconds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(api, http, tenant.tenant_token)
    due = dict.fromkeys(range(DEVICES), seconds[0])
    devices = [world.device() for _ in due]
    known = replace(settings.current(), tenant_rate=RATE)
    monkeypatch.setattr(settings, "current", lambda: known)
    throttle.forget()
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
    # Nobody waits for long beyond the time that the limit needs for them all.
    assert max(calls) - min(calls) <= 4 * 60 * (DEVICES - RATE) / RATE
