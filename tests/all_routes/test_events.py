"""Background work can be repeated: each worker and the schedule may run twice.

A new queue is covered here too; the test has to give it a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import limits
from chalicelib.aws import queues
from chalicelib.aws.queues import Queue
from chalicelib.fleet import control, control_items, parts
from chalicelib.fleet.tables import ControlItem
from chalicelib.tenantadm import service as tenants
from infra.manage import contents
from tests.all_routes.state import changed, state
from tests.all_routes.tenants import Tenant
from tests.deployments.world import DEVAUTH, World
from tests.integrations.conftest import BASE, register
from tests.simulator.artifacts import build_artifact
from tests.support.lag import stale_indexes
from tests.support.mailbox import SENDER, listening, use
from tests.support.receivers import Listener
from tests.support.time import Clock

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant as TenantRecord
    from infra.local.testing import LocalServer

UPLOADS = "/api/management/v1/deployments/artifacts/directupload"
MAILED = {"mails": "each mail has its own secret, and only the newest is valid; tests/useradm/test_account_crashes.py"}
"""Queues whose second delivery of a message changes something, and why that is correct."""


@pytest.fixture(scope="module")
def server(own_server: LocalServer) -> LocalServer:
    return own_server


@pytest.fixture
def mine(
    server: LocalServer, api: httpx2.Client, http: httpx2.Client, tenant: TenantRecord, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tenant]:
    """A tenant with one of everything, a receiver for its webhooks, and a server that sends mails."""
    monkeypatch.setattr(limits, "SNAPSHOT_CHANGES", 1)
    with listening() as box, Listener() as receiver:
        use(
            monkeypatch,
            mail_from=SENDER,
            mail_server=box.url,
            outbound_networks="127.0.0.0/8",
            outbound_ports=f"443,{receiver.port}",
            removal_settle=0,
        )
        made = Tenant(World(api, http, tenant.tenant_token))
        # Nothing listens at this address.
        assert api.delete(f"{BASE}/integrations/{made.integration}").status_code == 204
        register(api, receiver.url + "/hook")
        with made.connected(server.url):
            yield made
        server.drain()  # leftover messages would reach the next test


def fill_all_queues(mine: Tenant) -> None:
    """Make calls that put messages into all queues except that of removals."""
    api = mine.world.api
    assert api.delete(f"{DEVAUTH}/{mine.spare.id}").status_code == 204
    link = api.post(UPLOADS).json()
    assert httpx2.put(link["uri"], content=build_artifact("later", ("pi",))).is_success
    assert api.post(f"{UPLOADS}/{link['id']}/complete").status_code == 202
    start = "/api/management/v1/useradm/auth/password-reset/start"
    assert mine.world.http.post(start, json={"email": mine.email}).status_code == 202
    queues.send(Queue.SNAPSHOTS, queues.Snapshot(mine.tenant))
    control_items.ref(mine.tenant).update([ControlItem.parts.set(parts.LARGE)])
    control.forget(mine.tenant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "UNDIVIDED_DEVICES", 0)
        mine.world.upload("large")
        mine.world.deploy("large")


def test_a_message_may_be_delivered_twice(server: LocalServer, mine: Tenant, monkeypatch: pytest.MonkeyPatch):
    handled: Counter[str] = Counter()
    groups: dict[str, set[str | None]] = {}
    wrong: list[str] = []

    def twice(name: str, handler: Callable[..., Any]) -> Callable[..., None]:
        def run(event: dict[str, Any], context: Any) -> None:
            handler(event, context)
            once = state(mine.tenant)
            handler(event, context)
            handled[name] += 1
            groups[name] = {record["attributes"].get("MessageGroupId") for record in event["Records"]}
            if name not in MAILED:
                wrong.extend(f"{name}, {told}" for told in changed(once, state(mine.tenant)))

        return run

    server.drain()
    again = [replace(each, handler=twice(each.name, each.handler)) for each in server.workers.queues]
    monkeypatch.setattr(server.workers, "queues", again)

    fill_all_queues(mine)
    server.drain()
    tenants.start_removal(mine.tenant)
    server.drain()

    assert not wrong, "\n".join(wrong)
    assert handled.keys() == set(map(str, Queue))
    assert contents.left(mine.tenant) == {}
    # SQS serves tenants in turn. A user who has lost the password has no tenant yet.
    assert groups == {str(queue): {None if queue is Queue.MAILS else mine.tenant} for queue in Queue}


def test_the_schedule_may_run_concurrently_repeatedly_and_with_a_clock_that_goes_back(
    server: LocalServer, mine: Tenant, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    api = mine.world.api
    assert api.put("/api/management/v2/tenantadm/settings", json={"device_timeout": 3600}).is_success
    phases = [{"batch_size": 50}, {"start_ts": clock.later(hours=2)}]
    mine.world.deploy(mine.release, [str(mine.spare.id), mine.auth_set], phases=phases)
    fill_all_queues(mine)
    start = state(mine.tenant)

    for hours in (3, 30):
        clock.move(hours=hours)
        with stale_indexes():  # finished items are still in the due index
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(server.workers.fire, ["tick"] * 3))
            once = state(mine.tenant)
            server.workers.fire("tick")
        clock.move(hours=-1)
        server.workers.fire("tick")
        clock.move(hours=1)
        assert changed(once, state(mine.tenant)) == []
        assert changed(start, once)
        start = once
        server.drain()
