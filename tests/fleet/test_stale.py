"""A warm process continues while a tenant's control item cannot be read, as long as docs/security.md says."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import call, settings
from chalicelib.cache import Cache
from chalicelib.errors import Unavailable
from chalicelib.fleet import control
from chalicelib.storage import dynamodb
from chalicelib.tenantadm import service
from chalicelib.tenantadm.service import Status
from tests.deployments.world import World, serves_nothing

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

LIFE, STALE = 5.0, 60.0
Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Move the clock of caches forward."""
    passed = [0.0]
    monkeypatch.setattr("chalicelib.cache.time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))

    def wait(seconds: float) -> None:
        passed[0] += seconds

    return wait


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Reading control items fails while this is not empty; it has the timeout of each read."""
    patience: list[float] = []
    shared = dynamodb.shared()
    real = shared.call

    def dispatch(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if patience and request.get("Key", {}).get("sk") == {"S": "CONTROL"} and operation == "GetItem":
            patience.append(call.time_left())
            raise Unavailable
        return real(operation, request)

    monkeypatch.setattr(shared, "call", dispatch)
    known = replace(settings.current(), control_cache=LIFE, control_stale=STALE)
    monkeypatch.setattr(settings, "current", lambda: known)
    return patience


def test_devices_are_served_with_an_older_copy(
    api: httpx2.Client, http: httpx2.Client, tenant: Tenant, later: Later, outage: list[float]
):
    device = World(api, http, tenant.tenant_token).device()
    serves_nothing(device.poll())
    outage.append(0)
    later(LIFE)

    for _ in range(5):
        serves_nothing(device.poll())

    assert len(outage) == 2, "while one reading has just failed, no other is tried"
    assert outage[1] <= 2, "a poll does not wait long for what it can do without"
    later(STALE)
    assert device.poll().status_code == 503
    outage.clear()
    later(10)
    serves_nothing(device.poll())


def test_a_suspension_takes_effect_when_the_item_can_be_read_again(tenant: Tenant, later: Later, outage: list[float]):
    assert control.get(tenant.id).active
    outage.append(0)
    later(LIFE)
    assert control.get(tenant.id).active
    outage.clear()
    service.set_status(tenant.id, Status.SUSPENDED)

    assert not control.get(tenant.id).active


def test_callers_that_require_the_current_item_get_no_older_copy(tenant: Tenant, outage: list[float]):
    control.get(tenant.id)
    outage.append(0)

    with pytest.raises(Unavailable):
        control.get(tenant.id, fresh=True)


def failing(error: type[Exception] = Unavailable) -> Callable[[], int]:
    def read() -> int:
        raise error

    return read


class TestCache:
    """Rules of all caches."""

    def test_stale_values_are_not_used_by_default(self, later: Later):
        cache: Cache[str, int] = Cache()
        cache.get("a", lambda: 1, life=LIFE)
        later(LIFE)

        with pytest.raises(Unavailable):
            cache.get("a", failing(), life=LIFE)

    def test_a_value_that_was_never_read_is_not_used(self):
        cache: Cache[str, int] = Cache(stale=lambda: STALE)

        with pytest.raises(Unavailable):
            cache.get("a", failing(), life=LIFE)

    def test_a_dropped_value_is_not_used(self, later: Later):
        cache: Cache[str, int] = Cache(stale=lambda: STALE)
        cache.get("a", lambda: 1, life=LIFE)
        later(LIFE)
        cache.forget("a")

        with pytest.raises(Unavailable):
            cache.get("a", failing(), life=LIFE)

    def test_other_errors_are_raised(self, later: Later):
        cache: Cache[str, int] = Cache(stale=lambda: STALE)
        cache.get("a", lambda: 1, life=LIFE)
        later(LIFE)

        with pytest.raises(ZeroDivisionError):
            cache.get("a", failing(ZeroDivisionError), life=LIFE)

    @pytest.mark.parametrize("age", [0.0, 30.0, STALE - 0.5])
    def test_the_limit_is_counted_from_the_last_read(self, later: Later, age: float):
        cache: Cache[str, int] = Cache(stale=lambda: STALE)
        cache.get("a", lambda: 1, life=LIFE)
        later(LIFE + age)

        assert cache.get("a", failing(), life=LIFE) == 1
        later(STALE)
        with pytest.raises(Unavailable):
            cache.get("a", failing(), life=LIFE)
        later(10)
        assert cache.get("a", lambda: 2, life=LIFE) == 2
