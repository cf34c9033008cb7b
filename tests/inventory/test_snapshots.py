"""Snapshots: a search always sees the current state, even after crashes of the process that builds snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import clock, limits, settings
from chalicelib.aws import s3
from chalicelib.errors import Unavailable
from chalicelib.inventory import service
from chalicelib.inventory.rules import building as rules
from chalicelib.inventory.rules.matching import Predicate, Query
from chalicelib.inventory.service import building, snapshots
from chalicelib.inventory.shapes import AttributeInput
from chalicelib.inventory.tables import changes, devices
from chalicelib.inventory.tables import snapshots as pointers
from chalicelib.storage import dynamodb
from chalicelib.storage.transactions import Transaction
from chalicelib.tiers import Tier
from tests.inventory.fleet import fill
from tests.inventory.snapshots import EVERYONE, build, report
from tests.inventory.views import DEVICES, SEARCH, ids, path

LATER = timedelta(minutes=6)
"""A time after which an unreleased lease has expired."""


@pytest.fixture(autouse=True)
def _eager(monkeypatch):
    """Build a new snapshot after any change."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)


def found(tenant, scope: str, name: str, value: Any) -> list[str]:
    return [each.id for each in service.search(tenant, Query((Predicate(scope, name, "$eq", value),)), 0, 500, None)[0]]


def rows(tenant) -> list[str]:
    return sorted(change.device_id for change in changes.read(tenant))


def objects(server, tenant) -> list[str]:
    """Keys of the tenant's snapshots in the bucket."""
    client = boto3.client("s3", endpoint_url=server.engine.endpoint, region_name="us-east-1")
    listed = client.list_objects_v2(Bucket=settings.current().bucket, Prefix=s3.key(tenant, "snapshots"))
    return [each["Key"] for each in listed.get("Contents", [])]


def test_a_search_sees_every_change_immediately(tenant):
    some = fill(tenant.id, 6)
    build(tenant.id)
    assert rows(tenant.id) == []
    # From here on, the searching process is warm and does not hear from the writing ones.
    assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 6

    def change(write: Callable[[Transaction], None]) -> None:
        tx = Transaction()
        write(tx)
        tx.commit()

    report(tenant.id, some[0], state="new")
    service.tag(tenant.id, some[1], [AttributeInput("place", "here")], replace=False, versions=None)
    service.put(tenant.id, some[2], "g")
    change(lambda tx: service.standing_changed(tx, tenant.id, some[3], "rejected", Tier.MICRO, None))
    change(lambda tx: service.checked_in(tx, tenant.id, some[4], clock.now()))
    change(lambda tx: service.device_gone(tx, tenant.id, some[5]))
    change(lambda tx: service.device_created(tx, tenant.id, "new", '{"sn": "new"}', "pending", clock.now()))
    for _ in range(2):
        assert found(tenant.id, "inventory", "state", "new") == [some[0]]
        assert found(tenant.id, "tags", "place", "here") == [some[1]]
        assert found(tenant.id, "system", "group", "g") == [some[2]]
        assert found(tenant.id, "identity", "status", "rejected") == [some[3]]
        assert found(tenant.id, "system", "tier", "micro") == [some[3]]
        seen = Query((Predicate("system", "check_in_time", "$exists", True),))
        assert [each.id for each in service.search(tenant.id, seen, 0, 9, None)[0]] == [some[0], some[4]]
        shown, total = service.search(tenant.id, EVERYONE, 0, 9, None)
        assert ([each.id for each in shown], total) == (["new", *reversed(some[:5])], 6)
        assert service.statistics(tenant.id, frozenset({"g"}))["accepted"] == {"standard": 1, "micro": 0, "system": 0}
        counts = {(row.scope, row.name): row.count for row in service.attribute_counts(tenant.id, None)}
        assert (counts["identity", "sn"], counts["inventory", "state"]) == (6, 1)
        # Again with the next snapshot only.
        build(tenant.id)
        assert rows(tenant.id) == []


def test_a_new_process_finds_the_same_devices(tenant):
    some = fill(tenant.id, 5)
    build(tenant.id)
    report(tenant.id, some[3], state="new")
    warm = service.search(tenant.id, EVERYONE, 1, 4, None)
    snapshots._known.clear()
    assert service.search(tenant.id, EVERYONE, 1, 4, None) == warm
    assert found(tenant.id, "inventory", "state", "new") == [some[3]]


class CrashError(Exception):
    """The process crashes."""


@contextmanager
def crashing_after(calls: int, monkeypatch) -> Iterator[None]:
    """Let the process crash after the n-th call of DynamoDB or S3."""
    left = calls
    send = s3._send

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise CrashError

    def sending(*args: Any, **more: Any) -> Any:
        answer = send(*args, **more)
        count()
        return answer

    dynamodb.observers.append(count)
    monkeypatch.setattr(s3, "_send", sending)
    try:
        yield
    finally:
        dynamodb.observers.remove(count)
        monkeypatch.setattr(s3, "_send", send)


def test_building_may_crash_after_any_call(server, tenant, monkeypatch):
    some = fill(tenant.id, 4)
    build(tenant.id)
    with time_machine.travel(clock.now(), tick=False) as time:
        died = 0
        for calls in range(1, 60):
            report(tenant.id, some[calls % 4], state=calls)
            service.put(tenant.id, some[0], f"g{calls % 2}")
            with crashing_after(calls, monkeypatch), suppress(CrashError):
                building.rebuild(tenant.id)
                break
            died += 1
            assert found(tenant.id, "inventory", "state", calls) == [some[calls % 4]]
            assert found(tenant.id, "system", "group", f"g{calls % 2}") == [some[0]]
            time.shift(LATER)
            build(tenant.id)
            assert rows(tenant.id) == []
            assert found(tenant.id, "inventory", "state", calls) == [some[calls % 4]]
            assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 4
            # The snapshot, and the previous one for processes that still read it; leftovers of the crash are deleted.
            assert len(objects(server, tenant.id)) <= 2
    assert died > 12


def test_building_twice_changes_nothing(server, tenant):
    some = fill(tenant.id, 4)
    build(tenant.id)
    report(tenant.id, some[0], state="new")
    build(tenant.id)
    before = pointers.find(tenant.id)
    for _ in range(2):
        building.rebuild(tenant.id)
    assert pointers.find(tenant.id) == before
    assert len(objects(server, tenant.id)) == 2


def test_a_builder_that_lost_its_lease_changes_nothing(server, tenant, monkeypatch):
    some = fill(tenant.id, 3)
    slow = rules.build

    def build_slowly(*args: Any) -> Any:
        made = slow(*args)
        monkeypatch.setattr(rules, "build", slow)
        with time_machine.travel(clock.now() + LATER, tick=False):
            report(tenant.id, some[0], state="meanwhile")
            build(tenant.id)
        return made

    monkeypatch.setattr(rules, "build", build_slowly)
    assert not building.rebuild(tenant.id)
    assert found(tenant.id, "inventory", "state", "meanwhile") == [some[0]]
    assert rows(tenant.id) == []
    # Its own object is deleted; the one in use stays.
    assert [key for key, _ in [pointers.find(tenant.id).object or ("", None)]] == objects(server, tenant.id)


def test_a_builder_that_was_overtaken_discards_its_snapshot(tenant, monkeypatch):
    some = fill(tenant.id, 3)
    read = changes.read

    def overtaken(of) -> list[changes.Change]:
        """After this builder has read the current snapshot, another one is faster, and a device changes."""
        monkeypatch.setattr(changes, "read", read)
        build(of)
        report(of, some[0], state="new")
        return read(of)

    monkeypatch.setattr(changes, "read", overtaken)
    assert not building.rebuild(tenant.id)

    assert [each.id for each in service.search(tenant.id, EVERYONE, 0, 9, None)[0]] == some[::-1]
    build(tenant.id)
    assert [each.id for each in service.search(tenant.id, EVERYONE, 0, 9, None)[0]] == some[::-1]


def test_concurrent_builds_writes_and_searches(tenant):
    some = fill(tenant.id, 12)

    def write(device_id: str) -> None:
        for number in range(8):
            report(tenant.id, device_id, state=f"{device_id} {number}")
            assert found(tenant.id, "inventory", "state", f"{device_id} {number}") == [device_id]

    def build_often(_: int) -> None:
        for _ in range(15):
            building.rebuild(tenant.id)

    with ThreadPoolExecutor(9) as pool:
        done = [*pool.map(build_often, range(3)), *pool.map(write, some[:6])]
    assert len(done) == 9
    build(tenant.id)
    assert rows(tenant.id) == []
    states = [each.value("inventory", "state") for each in service.search(tenant.id, EVERYONE, 0, 20, None)[0]]
    assert states == [None] * 6 + [f"{device_id} 7" for device_id in reversed(some[:6])]


def test_a_partly_visible_change_is_not_cached(tenant):
    some = fill(tenant.id, 2)
    build(tenant.id)
    # As a read may find an ongoing transaction: the row is visible, the device not yet.
    half = Transaction()
    stamp = changes.note(half, tenant.id, some[0])
    half.commit()
    assert found(tenant.id, "inventory", "state", "new") == []
    build(tenant.id)
    assert rows(tenant.id) == [some[0]]
    device = devices.find(tenant.id, some[0])
    assert device is not None
    rest = Transaction()
    devices.set_attributes(rest, tenant.id, device, {"inventory": {"state": ["new"]}})
    rest._writes = [each for each in rest._writes if each[0] == "inventory"]
    values = rest._writes[0][2]["ExpressionAttributeValues"]
    (place,) = [name for name, value in values.items() if len(value.get("S", "")) == len(stamp)]
    values[place] = {"S": stamp}
    rest.commit()
    assert found(tenant.id, "inventory", "state", "new") == [some[0]]
    build(tenant.id)
    assert rows(tenant.id) == []
    assert found(tenant.id, "inventory", "state", "new") == [some[0]]


def test_a_device_decommissioned_during_a_build(tenant, monkeypatch):
    some = fill(tenant.id, 3)
    slow = rules.build

    def leave(*args: Any) -> Any:
        tx = Transaction()
        service.device_gone(tx, tenant.id, some[1])
        tx.commit()
        return slow(*args)

    monkeypatch.setattr(rules, "build", leave)
    building.rebuild(tenant.id)
    assert rows(tenant.id) == [some[1]]
    assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 2
    monkeypatch.setattr(rules, "build", slow)
    build(tenant.id)
    assert rows(tenant.id) == []
    assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 2


def test_more_changes_than_fit_into_one_build(tenant, monkeypatch):
    monkeypatch.setattr(limits, "SNAPSHOT_STEP", 4)
    fill(tenant.id, 10)
    with pytest.raises(Unavailable) as refused:
        service.search(tenant.id, EVERYONE, 0, 9, None)
    assert refused.value.retry_after == 60
    assert [building.rebuild(tenant.id) for _ in range(3)] == [True, True, False]
    assert service.search(tenant.id, EVERYONE, 0, 9, None)[1] == 10


def test_a_worker_builds_snapshots_after_changes_or_searches(server, tenant, monkeypatch):
    monkeypatch.setattr(changes, "_EVERY", 3)
    fill(tenant.id, 2)
    server.workers.fire("tick")
    server.drain()
    assert pointers.find(tenant.id).object is None
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 2)
    changes._noted.clear()
    fill(tenant.id, 3)
    assert tenant.id in list(pointers.due())
    server.workers.fire("tick")
    server.drain()
    assert tenant.id not in list(pointers.due())
    assert pointers.find(tenant.id).devices == 3
    monkeypatch.setattr(changes, "_EVERY", 1000)
    fill(tenant.id, 2)
    assert tenant.id not in list(pointers.due())
    service.search(tenant.id, EVERYONE, 0, 9, None)
    assert tenant.id in list(pointers.due())


def test_a_small_tenant_needs_no_snapshot(tenant, monkeypatch):
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 500)
    fill(tenant.id, 8)
    assert not building.rebuild(tenant.id)
    assert service.search(tenant.id, EVERYONE, 0, 3, None)[1] == 8
    assert pointers.find(tenant.id).object is None


def test_devices_that_are_no_longer_remembered_are_read_again(tenant, monkeypatch):
    monkeypatch.setattr(snapshots, "_SEEN", 3)
    some = fill(tenant.id, 5)
    build(tenant.id)
    for start in (0, 2, 3, 0):
        shown, _ = service.search(tenant.id, EVERYONE, start, start + 2, None)
        assert [device.id for device in shown] == some[::-1][start : start + 2]


def test_pages_over_http_are_consistent(api, tenant):
    some = fill(tenant.id, 30)
    build(tenant.id)
    for number, device_id in enumerate(some[10:20]):
        report(tenant.id, device_id, n=number)
    order = [{"scope": "inventory", "attribute": "n", "order": "desc"}]
    seen: list[str] = []
    for page in range(1, 5):
        answer = api.post(SEARCH, json={"sort": order, "page": page, "per_page": 9})
        assert answer.headers["x-total-count"] == "30"
        seen += ids(answer)
    assert seen == [*reversed(some[10:20]), *some[:10], *some[20:]]
    listed = api.get(DEVICES, params={"sort": "n:desc,identity/sn:desc", "per_page": 30})
    assert ids(listed) == [*reversed(some[10:20]), *reversed(some[20:]), *reversed(some[:10])]
    assert ids(api.post(SEARCH, json={"text": "00007 device"}))[0] == some[7]
    assert api.get(path(some[0])).status_code == 200
