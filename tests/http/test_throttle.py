"""Rate limits: 429 with ``Retry-After``, per device, user and tenant, without a call of DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import cache, settings
from chalicelib.errors import TooManyRequests
from chalicelib.http import throttle
from tests.deployments.world import World
from tests.support.probe import counted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

ME = "/api/management/v1/useradm/users/me"

Limit = Callable[..., None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Limit]:
    """Set limits and reset the counts."""

    def set_limits(**rates: Any) -> None:
        known = replace(settings.current(), **rates)
        monkeypatch.setattr(settings, "current", lambda: known)
        cache.forget_all()

    yield set_limits
    cache.forget_all()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, which the test moves."""
    now = [1000.0]
    monkeypatch.setattr("chalicelib.http.throttle.time.monotonic", lambda: now[0])
    return now


def admitted(times: int, kind: str = "device", tenant: str = "t", subject: str = "d") -> int:
    """How many of ``number`` simultaneous calls are allowed."""
    count = 0
    for _ in range(times):
        try:
            throttle.admit(kind, tenant, subject)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_off_by_default():
    known = settings.Settings()

    assert (known.device_rate, known.user_rate, known.tenant_rate) == (0, 0, 0)
    assert admitted(10_000) == 10_000


def test_a_burst_of_a_minutes_calls_and_then_the_steady_rate(limit: Limit, clock: list[float]):
    limit(device_rate=30)

    assert admitted(100) == 30
    clock[0] += 2
    assert admitted(100) == 1
    clock[0] += 20
    assert admitted(100) == 10
    clock[0] += 3600
    assert admitted(100) == 30


def test_each_caller_has_a_separate_limit(limit: Limit, clock: list[float]):
    limit(device_rate=3, user_rate=5)

    assert admitted(9) == 3
    assert admitted(9, subject="other") == 3
    assert admitted(9, tenant="other") == 3
    assert admitted(9, kind="user") == 5


def test_too_many_calls_of_a_tenant_do_not_affect_others(limit: Limit, clock: list[float]):
    limit(tenant_rate=10, device_rate=100)

    assert sum(admitted(1, subject=str(number)) for number in range(50)) == 10
    assert admitted(5, tenant="other") == 5


def test_refused_calls_are_not_counted(limit: Limit, clock: list[float]):
    limit(tenant_rate=4, device_rate=2)

    assert admitted(50) == 2
    assert admitted(50, subject="other") == 2


def test_callers_refused_together_get_different_retry_times(limit: Limit, clock: list[float]):
    limit(tenant_rate=1)
    admitted(1)
    waits = set()
    for number in range(50):
        with pytest.raises(TooManyRequests) as refused:
            throttle.admit("device", "t", str(number))
        waits.add(refused.value.retry_after)

    assert min(waits) >= 60
    assert len(waits) > 10


def test_stored_counts_are_limited(limit: Limit, monkeypatch: pytest.MonkeyPatch):
    limit(device_rate=1)
    monkeypatch.setattr(throttle, "_buckets", cache.Store(10))

    for number in range(100):
        throttle.admit("device", "t", str(number))

    assert len(throttle._buckets) == 10


def test_a_throttled_device_gets_retry_after(
    api: httpx2.Client, http: httpx2.Client, tenant: Tenant, limit: Limit, warm
):
    device = World(api, http, tenant.tenant_token).device()
    limit(device_rate=2)
    assert [device.poll().status_code for _ in range(2)] == [204, 204]

    with counted() as cost:
        answer = device.poll()

    assert answer.status_code == 429
    assert answer.content == b""
    assert int(answer.headers["Retry-After"]) >= 1
    assert cost.calls == []


def test_a_throttled_user_gets_retry_after(api: httpx2.Client, limit: Limit):
    limit(user_rate=1)

    assert [api.get(ME).status_code for _ in range(2)] == [200, 429]
