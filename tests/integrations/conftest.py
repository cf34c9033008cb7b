"""A tenant whose webhooks post to a receiver on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from chalicelib import settings
from tests.conftest import serving
from tests.deployments.world import World
from tests.support.receivers import Listener

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

BASE = "/api/management/v1/iot-manager"
SECRET = "00112233445566778899aabbccddeeff"
NEW_DEVICE = ["device-status-changed", "device-status-changed", "device-provisioned"]
"""The events of a device that is accepted: pending, accepted, and the new device."""


@pytest.fixture(scope="package")
def server() -> Iterator[LocalServer]:
    """A separate server: these tests move the clock by hours, which would make events of other tests due."""
    with serving() as running:
        yield running


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let webhooks call these loopback ports, and do not use cached control items."""
    ports: set[int] = {80, 443}

    def let(*more: int) -> None:
        ports.update(more)
        known = replace(
            settings.current(), outbound_networks="127.0.0.0/8", outbound_ports=",".join(map(str, sorted(ports)))
        )
        monkeypatch.setattr(settings, "current", lambda: known)

    return let


@pytest.fixture
def world(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> World:
    """A tenant with an administrator and nothing else."""
    return World(api, http, tenant.tenant_token)


@dataclass
class Hook:
    """A webhook and its receiver."""

    id: str
    api: httpx2.Client
    listener: Listener
    server: LocalServer

    def posted(self) -> list[dict[str, Any]]:
        """The events that the receiver has got so far, whatever it answered."""
        self.server.drain()
        return [msgspec.json.decode(sent.body) for sent in list(self.listener.received)]

    def told(self) -> list[tuple[str, str]]:
        """Type and subject of the received events."""
        return [(event["type"], event["data"].get("id", "")) for event in self.posted()]

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """The events in the API's list."""
        answer = self.api.get(f"{BASE}/events", params=query)
        assert answer.status_code == 200, answer.text
        shown: list[dict[str, Any]] = answer.json()
        return shown

    def statuses(self) -> list[dict[str, Any]]:
        """Delivery statuses of all events, the oldest first, without the integration's id."""
        found = [status for event in reversed(self.events(per_page=500)) for status in event["delivery_statuses"]]
        assert {status.pop("integration_id") for status in found} <= {self.id}
        return found


def webhook(url: str, **more: Any) -> dict[str, Any]:
    """The request body for a webhook."""
    secret = more.pop("secret", None)
    http = {"url": url} | ({"secret": secret} if secret else {})
    return {"provider": "webhook", "credentials": {"type": "http", "http": http}, **more}


def register(api: httpx2.Client, url: str, **more: Any) -> str:
    """Create a webhook; returns its id."""
    answer = api.post(f"{BASE}/integrations", json=webhook(url, **more))
    assert answer.status_code == 201, answer.text
    place: str = answer.headers["Location"]
    assert place.startswith(f"{BASE}/integrations/")
    return place.rsplit("/", 1)[-1]


Hooks = Callable[..., Hook]


@pytest.fixture
def hooks(api: httpx2.Client, server: LocalServer, allow: Callable[..., None]) -> Iterator[Hooks]:
    """Create webhooks, each with its own receiver."""
    listeners: list[Listener] = []

    def make(*, client: httpx2.Client = api, **more: Any) -> Hook:
        listener = Listener().__enter__()
        listeners.append(listener)
        allow(listener.port)
        return Hook(register(client, listener.url + "/hook", **more), client, listener, server)

    yield make
    for listener in listeners:
        listener.__exit__()
