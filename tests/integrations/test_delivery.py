"""Delivery to receivers that are down, slow or refuse events: at least once, in order, retried for a day."""

from __future__ import annotations

import json
import random
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.aws import queues
from chalicelib.errors import Unavailable
from chalicelib.integrations.service import delivering
from chalicelib.integrations.tables import outboxes
from chalicelib.integrations.tables.outboxes import DueItem, Outbox
from chalicelib.outbound import client
from chalicelib.storage import due
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from tests.deployments.world import World
from tests.devauth.fleet import decide, find
from tests.integrations.conftest import BASE, NEW_DEVICE, Hook, Hooks
from tests.simulator.device import Device
from tests.support.receivers import Received, answer, says
from tests.support.waiting import until

DOWN = says(answer("503 Service Unavailable"))
UP = says(answer())
LIFE = timedelta(seconds=limits.DELIVERY_LIFE)


def answers(hook: Hook, choose: Callable[[Received], bytes]) -> None:
    """Let the receiver's answer depend on the event."""
    hook.listener.answering = lambda sock, sent: sock.sendall(choose(sent))


def event_of(sent: Received) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(sent.body)
    return event


def due_outboxes(hook: Hook, at: datetime) -> set[str]:
    return {outbox.integration for outbox in outboxes.due_outboxes(at, limit=1000)} & {hook.id}


def waiting(hook: Hook, tenant) -> int:
    return len(list(outboxes.waiting(outboxes.Outbox(tenant.id, hook.id))))


@contextmanager
def later(hook: Hook, **more: float) -> Iterator[None]:
    """Run the schedule and its workers at a later time."""
    with time_machine.travel(clock.now() + timedelta(**more)):
        hook.server.workers.run_once()
        yield


@pytest.fixture
def other(http, sign_in) -> World:
    """Another tenant."""
    tenant = service.create_tenant("Other")
    return World(sign_in(tenant), http, tenant.tenant_token)


def test_a_receiver_that_is_down_gets_its_events_later_in_order(hooks: Hooks, world, tenant):
    hook = hooks()
    hook.listener.answering = DOWN
    first = world.device()
    assert len(hook.posted()) == 1
    second = world.device()

    assert len(hook.posted()) == 1  # it is down, so other events are not tried
    assert hook.statuses() == [{"success": False, "status_code": 503, "error": "the receiver answered 503"}]
    hook.server.workers.run_once()
    assert len(hook.posted()) == 1  # not before the next attempt is due
    with later(hook, minutes=1):
        assert len(hook.posted()) == 2
    assert waiting(hook, tenant) == 6

    hook.listener.answering = UP
    with later(hook, minutes=5):
        told = hook.told()[2:]
    assert len(told) == 6
    for device in (first, second):
        mine = [kind for kind, subject in told if subject == device.id]
        assert mine == NEW_DEVICE
    assert hook.statuses() == [{"success": True, "status_code": 204}] * 6
    assert waiting(hook, tenant) == 0
    assert due_outboxes(hook, clock.now() + timedelta(days=30)) == set()


@pytest.mark.parametrize("status", ["301 Moved", "400 Bad Request", "500 Oops", "503 Down"])
def test_an_undeliverable_event_is_dropped_after_a_day(hooks: Hooks, world, tenant, status: str):
    hook = hooks()
    hook.listener.answering = says(answer(status, b"", "Location: http://127.0.0.1/"))
    world.device()
    tries = []
    for hours in (0, 1, 3, 12, 23):
        with later(hook, hours=hours):
            tries.append(len(hook.posted()))
    assert tries == sorted(set(tries))  # one more attempt each time
    assert waiting(hook, tenant) == 3

    with later(hook, hours=25), later(hook, hours=2):
        assert waiting(hook, tenant) == 0
        assert due_outboxes(hook, clock.now() + timedelta(days=30)) == set()
        done = len(hook.posted())
        assert [each["success"] for each in hook.statuses()] == [False] * 3
        hook.listener.answering = UP
        hook.server.workers.run_once()
        assert len(hook.posted()) == done  # no further attempts
        device = Device(world.http, world.token)
        device.auth()
        decide(world.api, device, "rejected")
        assert [event["data"].get("status") for event in hook.posted()[done:]] == ["pending", "rejected"]


def test_a_receiver_that_does_not_exist(hooks: Hooks, world):
    hook = hooks()
    hook.listener.__exit__()
    world.device()

    assert hook.posted() == []
    (status,) = hook.statuses()
    assert status["success"] is False
    assert "connection" in status["error"]


def test_a_refused_event_delays_only_those_of_its_device(hooks: Hooks, world, tenant):
    hook = hooks()
    odd = Device(world.http, world.token)
    odd.auth()
    found = world.api.get("/api/management/v2/devauth/devices").json()
    odd_id = found[0]["id"]
    answers(hook, lambda sent: answer("400 Bad") if event_of(sent)["data"]["id"] == odd_id else answer())
    decide(world.api, odd, "accepted")
    good = world.device()

    told = hook.told()
    assert [kind for kind, subject in told if subject == odd_id] == ["device-status-changed"]
    assert [kind for kind, subject in told if subject == good.id] == NEW_DEVICE
    another = world.device()
    assert [subject for _, subject in hook.told()].count(another.id) == 3

    hook.listener.answering = UP
    with later(hook, minutes=2):
        told = hook.told()
    kinds = [kind for kind, subject in told if subject == odd_id]
    assert kinds == ["device-status-changed", *NEW_DEVICE]
    ids = [event["id"] for event in hook.posted() if event["data"]["id"] == odd_id]
    assert ids[0] == ids[1]  # an event keeps its id in all deliveries
    assert len(set(ids)) == 3
    assert waiting(hook, tenant) == 0


def test_a_receiver_that_refuses_everything_is_called_less_often(hooks: Hooks, world, tenant):
    hook = hooks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "send", lambda *_: None)
        for _ in range(30):
            device = Device(world.http, world.token)
            device.auth()
            decide(world.api, device, "rejected")
    hook.listener.answering = says(answer("400 Bad Request"))

    with later(hook, minutes=2):
        assert 10 <= len(hook.posted()) < 30
        assert waiting(hook, tenant) == 60


def test_a_backlog_is_one_item_in_the_due_index(hooks: Hooks, world, tenant):
    hook = hooks()
    hook.listener.answering = DOWN
    for _ in range(5):
        world.device()
    hook.posted()

    assert waiting(hook, tenant) == 15
    outbox = Outbox(tenant.id, hook.id)
    assert [sk for pk, sk in due.everything(DueItem.due) if pk == outbox.partition] == ["LANE"]


def test_a_slow_receiver_does_not_delay_others(hooks: Hooks, world, other):
    slow, quick = hooks(), hooks(client=other.api)
    go_on = threading.Event()

    def wait(sock: socket.socket, _: Received) -> None:
        go_on.wait(30)
        sock.sendall(answer())

    slow.listener.answering = wait
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "send", lambda *_: None)
        device = world.device()
        quick_device = other.device()
    tenant, quick_tenant = (TenantId(each.claims["mender.tenant"]) for each in (device, quick_device))
    worker = threading.Thread(target=delivering.deliver, args=(tenant, slow.id))
    worker.start()
    until("the slow receiver has its event", lambda: slow.listener.received)

    # A second worker for the same receiver does not wait; the first one delivers new events.
    late = world.device()
    delivering.deliver(tenant, slow.id)
    assert len(slow.listener.received) == 1
    delivering.deliver(quick_tenant, quick.id)
    assert len(quick.listener.received) == 3

    go_on.set()
    worker.join()
    assert {event_of(sent)["data"]["id"] for sent in slow.listener.received} == {device.id, late.id}
    assert len(slow.listener.received) == 6


def test_a_lost_queue_message_is_replaced(hooks: Hooks, world, tenant):
    hook = hooks()

    def down(*_: object) -> None:
        raise Unavailable

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "send", down)
        world.device()
    assert hook.posted() == []
    assert due_outboxes(hook, clock.now()) == set()

    with later(hook, seconds=61):
        assert len(hook.posted()) == 3
    assert waiting(hook, tenant) == 0


def test_the_schedule_and_messages_may_be_repeated(hooks: Hooks, world, tenant):
    hook = hooks()
    world.device()
    for _ in range(3):
        queues.send(queues.Queue.DELIVERIES, queues.Delivery(tenant.id, hook.id))
    with later(hook, minutes=3):
        hook.server.workers.fire("tick")
        assert len(hook.posted()) == 3


def test_a_message_causes_at_most_one_further_message(hooks: Hooks, world, tenant):
    """For an outbox that is too long for one run, the number of messages must not grow."""
    sent: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "send", lambda *message: sent.append(message))
        hook = hooks()
        world.device()
        patch.setattr(delivering, "_RUN", 0.0)
        sent.clear()
        for messages in range(1, 21):  # more than Lambda's limit for recursive messages
            delivering.deliver(tenant.id, hook.id)
            assert sent == [(queues.Queue.DELIVERIES, queues.Delivery(tenant.id, hook.id))] * messages
        patch.setattr(delivering, "_RUN", 20.0)
        delivering.deliver(tenant.id, hook.id)

    assert len(sent) == 20, "the end of the outbox leads to none"
    assert len(hook.posted()) == 3


def test_invalid_messages_end_in_the_dead_letter_queue_and_others_are_handled(hooks: Hooks, world, server):
    hook = hooks()
    sqs = boto3.client("sqs")
    url, dead = (sqs.get_queue_url(QueueName=f"lamplighter-local-deliveries{end}")["QueueUrl"] for end in ("", "-dead"))
    sqs.purge_queue(QueueUrl=dead)
    for body in ("nonsense", "{}", '{"tenant": 1, "integration": []}'):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    # A message for an unknown integration has no effect.
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"tenant": "none", "integration": str(uuid.uuid4())}))
    world.device()

    assert len(hook.posted()) == 3
    received = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    sqs.close()
    assert {message["Body"] for message in received} == {"nonsense", "{}", '{"tenant": 1, "integration": []}'}


def test_waiting_events_of_a_removed_integration_are_dropped(hooks: Hooks, world, tenant):
    hook = hooks()
    hook.listener.answering = DOWN
    world.device()
    assert len(hook.posted()) == 1
    assert world.api.delete(f"{BASE}/integrations/{hook.id}").status_code == 204

    hook.server.drain()
    hook.listener.answering = UP
    with later(hook, minutes=5):
        assert len(hook.posted()) == 1
        assert waiting(hook, tenant) == 0
        assert due_outboxes(hook, clock.now() + timedelta(days=30)) == set()


@pytest.mark.parametrize("seed", range(3))
def test_an_unreliable_receiver_gets_all_events_in_the_order_of_each_device(hooks: Hooks, world, tenant, seed: int):
    hook = hooks()
    chance = random.Random(seed)
    moods = ["204 No Content", "200 OK", "400 Bad Request", "500 Oops", "503 Down"]
    lock = threading.Lock()
    taken: list[tuple[str, str]] = []

    def choose(sent: Received) -> bytes:
        with lock:
            mood = chance.choices(moods, [4, 4, 2, 1, 1])[0]
            if mood.startswith("2"):
                event = event_of(sent)
                taken.append((event["data"]["id"], event["data"]["status"]))
        return answer(mood)

    answers(hook, choose)
    expected: dict[str, list[str]] = {}
    for _ in range(4):
        device = Device(world.http, world.token)
        device.auth()
        for number in range(3):
            status = ("rejected", "pending")[number % 2]
            assert decide(world.api, device, status).status_code == 204
            expected.setdefault(find(world.api, device)["id"], ["pending"]).append(status)
        hook.server.drain()

    rounds = 0
    while waiting(hook, tenant):
        rounds += 1
        with later(hook, minutes=20 * rounds):
            assert rounds < 60

    told: dict[str, list[str]] = {}
    for device_id, status in taken:
        told.setdefault(device_id, []).append(status)
    assert told == expected
    assert {status["success"] for status in hook.statuses()} == {True}


def test_new_credentials_are_used_for_waiting_events(hooks: Hooks, world):
    hook = hooks()
    hook.listener.answering = DOWN
    world.device()
    assert len(hook.posted()) == 1
    credentials = {"type": "http", "http": {"url": hook.listener.url + "/new"}}
    assert world.api.put(f"{BASE}/integrations/{hook.id}/credentials", json=credentials).status_code == 204
    assert len(hook.posted()) == 2  # immediately, and still down

    hook.listener.answering = UP
    assert world.api.put(f"{BASE}/integrations/{hook.id}/credentials", json=credentials).status_code == 204
    assert len(hook.posted()) == 5
    assert [sent.line.split()[1] for sent in hook.listener.received] == ["/hook", *["/new"] * 4]


def test_a_url_that_becomes_internal_is_not_called(hooks: Hooks, world, monkeypatch):
    hook = hooks()
    credentials = {"type": "http", "http": {"url": f"http://hooks.example:{hook.listener.port}/"}}
    assert world.api.put(f"{BASE}/integrations/{hook.id}/credentials", json=credentials).status_code == 204
    monkeypatch.setattr(client, "resolve", lambda host, port: ["169.254.169.254"])
    world.device()

    assert hook.posted() == []
    assert "not public" in hook.statuses()[0]["error"]
