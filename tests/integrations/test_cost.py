"""The cost of integrations: none without one, and a fixed amount for each event otherwise."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from chalicelib import clock, settings
from chalicelib.aws import queues
from chalicelib.fleet import control
from chalicelib.integrations.service import delivering, operators
from chalicelib.tenantadm import service
from tests.deployments.world import World, serves, serves_nothing
from tests.devauth.fleet import decide
from tests.integrations.conftest import Hooks
from tests.simulator.device import Device
from tests.support.probe import counted


@pytest.fixture
def listened(hooks: Hooks, world: World, tenant, monkeypatch: pytest.MonkeyPatch) -> World:
    """A tenant with an integration for all events, in a warm process."""
    hooks(scopes=["deployments", "deviceauth", "inventory"])
    known = replace(settings.current(), control_cache=3600.0)
    monkeypatch.setattr(settings, "current", lambda: known)
    control.get(tenant.id, fresh=True)
    world.upload("v2")
    return world


def test_device_calls_without_events_have_no_additional_cost(listened: World):
    device = listened.device()
    device.inventory()
    with counted() as cost:
        serves_nothing(device.poll())
        assert device.auth().status_code == 200
        assert device.inventory().status_code == 200
    assert cost.calls == ["GetItem"] * 3
    assert cost.write_units == 0

    deployment = listened.deploy("v2", [device.id])
    serves(device.poll(), deployment)
    with counted() as cost:
        assert device.report(deployment, "downloading").status_code == 204
    assert cost.calls == ["GetItem", "TransactWriteItems"]
    assert cost.write_units == 2 * 3  # row, head, counter


def test_an_event_adds_two_writes_to_the_transaction_of_the_change(listened: World):
    device = listened.device()
    deployment = listened.deploy("v2", [device.id, "another"])
    serves(device.poll(), deployment)
    with counted() as cost:
        assert device.report(deployment, "success").status_code == 204
    assert cost.calls == ["GetItem", "TransactWriteItems"]
    assert cost.write_units == 2 * (3 + 2)  # and the event, and its row in the outbox


def test_two_events_for_one_integration_send_one_message(listened: World, monkeypatch: pytest.MonkeyPatch):
    device = Device(listened.http, listened.token)
    device.auth()
    sent: list[object] = []
    monkeypatch.setattr(queues, "send", lambda *message: sent.append(message))
    assert decide(listened.api, device, "accepted").status_code == 204

    assert len(sent) == 1


def test_accepting_needs_no_additional_reads(listened: World, http, sign_in):
    quiet = service.create_tenant("Quiet")
    spent = []
    for world in (World(sign_in(quiet), http, quiet.tenant_token), listened):
        device = Device(http, world.token)
        device.auth()
        decide(world.api, device, "pending")
        with counted() as cost:
            decide(world.api, device, "accepted")
        spent.append(cost)
    assert spent[0].by_operation == spent[1].by_operation


def test_a_new_device_costs_more_only_with_an_integration(listened: World, http, sign_in):
    quiet = service.create_tenant("Quiet")
    spent = []
    for token in (quiet.tenant_token, listened.token):
        Device(http, token).auth()  # this process has now cached the tenant's items
        with counted() as cost:
            assert Device(http, token).auth().status_code == 401
        spent.append(cost)
    unheard, heard = spent
    assert unheard.calls == heard.calls, "the event is written in the transaction of the new device"
    assert heard.write_units - unheard.write_units == 2 * 2  # the event, and its row in the outbox


def test_the_cost_of_delivery_does_not_grow_with_delivered_events(listened: World, tenant, server):
    (hook,) = operators.listed(tenant.id)
    spent = []
    for _ in range(4):
        server.drain()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("chalicelib.aws.queues.send", lambda *_: None)
            listened.device()
        with counted() as cost:
            delivering.deliver(tenant.id, hook.id)
        spent.append(cost)
    assert len({(tuple(cost.calls), cost.read_units) for cost in spent}) == 1
    # Lease the outbox, read integration, rows and events, a transaction for each event, release the outbox.
    assert spent[0].calls == [
        "UpdateItem",
        "GetItem",
        "Query",
        "BatchGetItem",
        *["TransactWriteItems"] * 3,
        "UpdateItem",
    ]


def test_an_idle_run_of_the_schedule_costs_a_query_for_each_part_of_the_index(listened: World, server):
    server.drain()
    with counted() as cost:
        delivering.tick(clock.now())
    assert cost.by_operation == {"Query": 8}
    assert cost.write_units == 0
