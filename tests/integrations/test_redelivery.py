"""Redelivery: an event that a user sends again goes to its webhook once more, independent of other events."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.integrations.tables import outboxes
from chalicelib.tenantadm import service
from tests.integrations.conftest import BASE, NEW_DEVICE, Hook, Hooks, register
from tests.support.crashes import PowerCutError, power_cut
from tests.support.receivers import Received, answer, says

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.deployments.world import World

UP = says(answer())
DOWN = says(answer("503 Service Unavailable"))
REFUSED = says(answer("400 Bad Request"))


def send_again(hook: Hook, event: dict[str, Any], **changed: Any) -> httpx2.Response:
    body = {"integration_id": hook.id, "event_id": event["id"], "event_time": event["time"], **changed}
    return hook.api.post(f"{BASE}/events", json=body)


def of_kind(hook: Hook, kind: str, subject: str) -> dict[str, Any]:
    """The newest listed event of a type about a device."""
    return next(each for each in hook.events() if each["type"] == kind and each["data"]["id"] == subject)


def status_of(hook: Hook, event: dict[str, Any]) -> dict[str, Any]:
    listed = next(each for each in hook.events(integration_id=hook.id) if each["id"] == event["id"])
    (status,) = listed["delivery_statuses"]
    assert status.pop("integration_id") == hook.id
    return dict(status)


def test_a_delivered_event_is_sent_again_with_its_id_and_one_audit_entry(hooks: Hooks, world: World):
    hook = hooks(secret="00ff")
    device = world.device()
    first = hook.posted()
    event = of_kind(hook, "device-provisioned", device.id)
    log = "/api/management/v1/auditlogs/logs"
    before = int(world.api.get(log, params={"per_page": 1}).headers["X-Total-Count"])

    assert [send_again(hook, event).status_code for _ in range(3)] == [202] * 3
    assert status_of(hook, event) == {"success": True, "status_code": 204, "queued": True}
    posted = hook.posted()
    assert posted[len(first) :] == [next(each for each in first if each["id"] == event["id"])]
    mine = [sent for sent in hook.listener.received if event["id"].encode() in sent.body]
    assert len(mine) == 2
    assert mine[0].headers["x-men-signature"] == mine[1].headers["x-men-signature"]
    assert status_of(hook, event) == {"success": True, "status_code": 204}
    entries = world.api.get(log, params={"per_page": 1})
    assert int(entries.headers["X-Total-Count"]) == before + 1
    (entry,) = entries.json()
    assert (entry["action"], entry["object"]["id"]) == ("update", hook.id)
    assert entry["change"] == f"sent again: device-provisioned {event['id']}"

    assert send_again(hook, event).status_code == 202
    assert len(hook.posted()) == len(posted) + 1


def test_a_dropped_event_is_tried_for_another_day_without_delaying_others(hooks: Hooks, world: World):
    hook = hooks()
    hook.listener.answering = REFUSED
    device = world.device()
    hook.posted()
    event = of_kind(hook, "device-provisioned", device.id)
    for hours in (13, 26):
        with time_machine.travel(clock.now() + timedelta(hours=hours)):
            hook.server.workers.run_once()
    start = clock.now() + timedelta(hours=30)
    with time_machine.travel(start):
        done = len(hook.posted())
        assert status_of(hook, event)["success"] is False
        assert send_again(hook, event).status_code == 202

        def choose(sent: Received) -> bytes:
            return answer("400 Bad Request" if event["id"].encode() in sent.body else "204 No Content")

        hook.listener.answering = lambda sock, sent: sock.sendall(choose(sent))
        hook.posted()
        assert status_of(hook, event) == {"success": False, "status_code": 400, "error": "the receiver answered 400"}
        world.api.delete(f"/api/management/v2/devauth/devices/{device.id}")
        later = hook.posted()[done:]
        assert [each["type"] for each in later] == ["device-provisioned", "device-decommissioned"]
    with time_machine.travel(start + timedelta(hours=2)):
        hook.server.workers.run_once()
        assert [each["id"] for each in hook.posted()[done + 2 :]] == [event["id"]]
    hook.listener.answering = UP
    with time_machine.travel(start + timedelta(hours=12)):
        hook.server.workers.run_once()
        assert status_of(hook, event) == {"success": True, "status_code": 204}
    with time_machine.travel(start + timedelta(hours=60)):
        done = len(hook.posted())
        hook.server.workers.run_once()
        assert len(hook.posted()) == done


def test_a_waiting_event_is_tried_now_and_in_order(hooks: Hooks, world: World):
    hook = hooks()
    hook.listener.answering = DOWN
    world.device()
    assert len(hook.posted()) == 1
    event = hook.events()[-1]
    hook.listener.answering = UP

    assert send_again(hook, event).status_code == 202
    assert [each["type"] for each in hook.posted()[1:]] == NEW_DEVICE
    assert {status["success"] for status in hook.statuses()} == {True}


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
@pytest.mark.parametrize("delivered", [True, False])
def test_redelivery_can_be_repeated_after_a_crash_at_any_call(
    hooks: Hooks, world: World, tenant: Tenant, after: bool, delivered: bool
):
    hook = hooks()
    for number in count(1):
        hook.listener.answering = UP if delivered else DOWN
        device = world.device()
        hook.posted()
        event = of_kind(hook, NEW_DEVICE[0], device.id)
        hook.listener.answering = UP
        with power_cut(number, answered=after) as cut, suppress(PowerCutError):
            send_again(hook, event)
        before = sum(each["id"] == event["id"] for each in hook.posted())
        assert send_again(hook, event).status_code == 202
        with time_machine.travel(clock.now() + timedelta(minutes=2)):
            hook.server.workers.run_once()
            assert sum(each["id"] == event["id"] for each in hook.posted()) == before + 1
        assert status_of(hook, event) == {"success": True, "status_code": 204}
        assert list(outboxes.waiting(outboxes.Outbox(tenant.id, hook.id))) == []
        if not cut.happened:
            break
    assert number > 4


def test_only_events_of_this_webhook_can_be_sent_again(
    hooks: Hooks, world: World, http: httpx2.Client, sign_in: Callable[..., httpx2.Client]
):
    hook, other = hooks(), hooks(scopes=["deployments"])
    device = world.device()
    hook.posted()
    event = of_kind(hook, "device-provisioned", device.id)

    assert send_again(other, event).status_code == 404
    for changed, status in (
        ({"event_id": str(uuid.uuid4())}, 404),
        ({"event_time": "2020-01-01T00:00:00Z"}, 404),
        ({"event_time": "yesterday"}, 400),
        ({"event_time": None}, 400),
        ({"event_id": "all"}, 404),
        ({"integration_id": None}, 400),
        ({"integration_id": "all"}, 404),
    ):
        refused = send_again(hook, event, **changed)
        assert refused.status_code == status, refused.text
    stranger = sign_in(service.create_tenant("Other"))
    body = {"event_id": event["id"], "event_time": event["time"]}
    for own in (hook.id, register(stranger, "https://stranger.example")):
        assert stranger.post(f"{BASE}/events", json={"integration_id": own, **body}).status_code == 404
    posted = len(hook.posted())
    with time_machine.travel(clock.now() + timedelta(seconds=limits.EVENT_LIFE + 60)):
        hook.server.workers.run_once()
    assert len(hook.posted()) == posted
    hook.api.delete(f"{BASE}/integrations/{hook.id}")
    assert send_again(hook, event).status_code == 404
    assert (len(hook.posted()), other.posted()) == (posted, [])
