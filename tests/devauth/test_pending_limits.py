"""Limits of pending devices, in total and by network; the oldest silent device is removed first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.devauth.rules.device import Device as Known
from chalicelib.devauth.rules.device import is_seen_anew, to_drop
from chalicelib.devauth.rules.sets import Standing, Status
from chalicelib.deviceconfig import tables
from chalicelib.fleet import strangers
from chalicelib.tenantadm import service
from tests.devauth.fleet import DEVICES, accept, decide, find
from tests.simulator.device import Device
from tests.support.mailbox import use
from tests.support.probe import counted
from tests.support.time import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = "/api/management/v2/tenantadm/settings"
LIMIT = "/api/management/v2/devauth/limits/max_pending_devices"
EDGE = "secret of the edge"


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def new(http: httpx2.Client, tenant) -> Callable[[], Device]:
    """Create a device that is unknown to the server."""
    return lambda: Device(http, tenant.tenant_token)


@pytest.fixture
def full(api: httpx2.Client, new, moment) -> list[Device]:
    """Three pending devices, a minute apart and oldest first, of a tenant whose limit is three."""
    assert api.put(SETTINGS, json={"pending_devices": 3}).status_code == 204
    made = []
    for _ in range(3):
        made.append(new())
        assert made[-1].auth().status_code == 401
        moment.move(minutes=1)
    return made


def known(api: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(DEVICES, params={"per_page": 500}).json()
    return [each["identity_data"] for each in found]


def test_the_number_of_pending_devices_is_limited(api, new, full):
    assert api.get(LIMIT).json() == {"limit": 3}
    refused = [new().auth().status_code for _ in range(5)]

    assert refused == [401] * 5
    assert api.get(f"{DEVICES}/count", params={"status": "pending"}).json() == {"count": 3}
    assert sorted(map(str, known(api))) == sorted(str(each.identity) for each in full)


def test_a_tenant_without_its_own_limit_has_that_of_the_server(api, monkeypatch, new):
    assert api.get(LIMIT).json() == {"limit": limits.PENDING_DEVICES}
    use(monkeypatch, pending_devices=1)
    assert [new().auth().status_code for _ in range(2)] == [401] * 2
    assert len(known(api)) == 1


def test_the_oldest_device_that_never_called_again_is_removed(api, new, full, moment):
    moment.move(minutes=30)
    full[0].auth()
    moment.move(minutes=40)
    newest = new()
    newest.auth()

    assert sorted(map(str, known(api))) == sorted(str(each.identity) for each in (full[0], full[2], newest))
    # The device that called again stays for days; the other silent one is the next to be removed.
    another = new()
    another.auth()
    assert sorted(map(str, known(api))) == sorted(str(each.identity) for each in (full[0], newest, another))
    assert new().auth().status_code == 401
    assert len(known(api)) == 3


def test_a_device_that_calls_again_stays_until_it_is_silent_for_days(api, new, full, moment):
    for days in range(3):
        moment.move(days=1, minutes=1)
        for each in full[: 2 if days else 3]:
            each.auth()
    assert new().auth().status_code == 401
    assert len(known(api)) == 3
    moment.move(days=1)
    newest = new()
    newest.auth()
    assert str(full[2].identity) not in map(str, known(api))
    assert str(newest.identity) in map(str, known(api))


def test_devices_with_a_decision_are_never_removed(api, new, full, moment):
    decide(api, full[0], "rejected")
    decide(api, full[1], "accepted")
    decide(api, full[1], "pending")
    last = new()
    last.auth()
    moment.move(days=9)
    for _ in range(3):
        new().auth()

    shown = {str(each["identity_data"]): each["status"] for each in api.get(DEVICES).json()}
    assert len(shown) == 4
    assert shown[str(full[0].identity)] == "rejected"
    assert shown[str(full[1].identity)] == "pending"


def test_nothing_is_left_of_a_removed_device(api, server, tenant, new, full, moment):
    first = find(api, full[0])["id"]
    config = f"/api/management/v1/deviceconfig/configurations/device/{first}"
    assert api.put(config, json={"a": "b"}).status_code == 204
    moment.move(hours=2)
    new().auth()
    server.drain()

    assert str(full[0].identity) not in map(str, known(api))
    assert api.get(f"/api/management/v1/inventory/devices/{first}").status_code == 404
    assert tables.find(tenant.id, first) is None


def test_a_removed_device_returns_as_a_new_one(api, new, full, moment):
    moment.move(hours=2)
    new().auth()
    assert str(full[0].identity) not in map(str, known(api))
    full[0].auth()
    assert str(full[0].identity) in map(str, known(api))


def test_the_number_of_new_devices_from_one_network_per_hour_is_limited(api, http, tenant, new, monkeypatch, moment):
    moment.time = moment.time.replace(minute=5)
    use(monkeypatch, new_devices=2, edge_secret=EDGE)

    def ask(device: Device, address: str) -> httpx2.Response:
        http.headers.update({"X-Lamplighter-Edge": EDGE, "X-Lamplighter-Client": address})
        return device.auth()

    devices = [new() for _ in range(3)]
    answers = [ask(device, f"192.0.2.{number}") for number, device in enumerate(devices)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]
    # Clients before 5.0.5 mishandle a 429 with a body.
    assert answers[2].content == b""
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert ask(devices[0], "192.0.2.9").status_code == 401, "known devices are not counted"
    assert ask(devices[2], "198.51.100.1").status_code == 401, "other networks are counted separately"
    assert len(known(api)) == 3
    moment.move(hours=1)
    assert ask(new(), "192.0.2.3").status_code == 401


def test_tenants_are_counted_separately(http, tenant, monkeypatch, new):
    use(monkeypatch, new_devices=1)
    other = service.create_tenant("Other")
    assert [new().auth().status_code, Device(http, other.tenant_token).auth().status_code] == [401, 401]
    assert new().auth().status_code == 429


def test_preauthorized_devices_do_not_count(api, new, full):
    device = new()
    body = {"identity_data": device.identity, "pubkey": device.pubkey}
    assert api.post(DEVICES, json=body).status_code == 201
    assert device.auth().status_code == 200


def test_the_cost_of_a_new_device(api, new, warm):
    new().auth()
    with counted() as cost:
        assert new().auth().status_code == 401
    # Reads whether it is known, and the counts of its network and of all pending devices.
    assert cost.calls == ["GetItem", "UpdateItem", "Query", "TransactWriteItems"]


def test_the_call_of_a_pending_device_is_stored_once_a_day(device, warm, moment):
    device.auth()
    costs = []
    for minutes in (5, 6, 60, 1440, 5):
        moment.move(minutes=minutes)
        with counted() as cost:
            device.auth()
        costs.append(cost.calls)
    read, noted = ["GetItem"], ["GetItem", "UpdateItem"]
    assert costs == [read, noted, read, noted, read]


def test_accepted_devices_have_no_additional_cost(api, device, warm):
    accept(api, device)
    with counted() as cost:
        assert device.auth().status_code == 200
    assert cost.calls == ["GetItem"]


NOW = datetime(2026, 1, 1, tzinfo=UTC)
AGES = st.integers(0, 5 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds))
PENDING = st.builds(
    Known,
    id=st.uuids().map(str),
    identity_hash=st.just("x"),
    identity=st.just("{}"),
    standing=st.builds(Standing, st.sampled_from(list(Status)), st.just(()), st.integers(0, 1)),
    created=AGES,
    updated=st.just(NOW),
    seen=st.none() | AGES,
    decommissioning=st.booleans(),
)


@given(st.lists(PENDING, max_size=8))
def test_the_choice_of_the_device_to_remove(devices):
    found = to_drop(devices, NOW)
    silent = [
        each
        for each in devices
        if each.standing.status is Status.PENDING
        and not each.standing.generation
        and not each.decommissioning
        and NOW - (each.seen or each.created) >= (timedelta(days=2) if each.seen else timedelta(hours=1))
    ]
    assert (found is None) == (not silent)
    if found is not None:
        assert found in silent
        assert all((found.seen or found.created) <= (each.seen or each.created) for each in silent)
        # Devices that called again in time are not chosen.
        assert not (found.seen and is_seen_anew(found, found.seen))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::1", "2001:db8:1::/48"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_the_network_of_an_address(address: str, network: str):
    assert strangers.network(address) == network
