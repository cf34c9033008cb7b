"""Tickets: browsers open a session with one, and it is valid for nothing else."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from chalicelib import settings, tokens
from chalicelib.aws import push
from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import Frame
from chalicelib.deviceconnect.rules.envelope import Message
from tests.deviceconnect.peers import SHELL, FakeDevice, user_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from websockets.sync.client import ClientConnection

BASE = "/api/management/v1/deviceconnect/devices"


@pytest.fixture
def front(server) -> str:
    """The gateway; browsers do not use the relay."""
    return str(server.url)


def new_ticket(client: httpx2.Client, device_id: str) -> dict[str, Any]:
    answer = client.post(f"{BASE}/{device_id}/connect/ticket")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@contextmanager
def opened_by(url: str) -> Iterator[ClientConnection]:
    with connect(url, subprotocols=[Subprotocol("base64.protomsg")], proxy=None) as socket:
        yield socket


def status_of(url: str) -> int:
    try:
        with opened_by(url):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def with_query(url: str, **changed: str) -> str:
    query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()} | changed
    return f"{url.partition('?')[0]}?{'&'.join(f'{name}={value}' for name, value in query.items() if value)}"


def test_a_ticket_opens_a_session_without_any_header(api, server, device, connected: FakeDevice) -> None:
    found = new_ticket(api, device.id)

    assert found["url"].startswith(f"{server.url.replace('http', 'ws', 1)}/websockets?device_id={device.id}&ticket=ey")
    assert (found["subprotocol"], found["expires_in"]) == ("base64.protomsg", 60)
    with opened_by(found["url"]) as socket:
        assert socket.subprotocol == "base64.protomsg"
        socket.send(dialect.to_server(Frame(envelope.encode(Message(SHELL, "new")), 1)))
        answer = envelope.decode(dialect.from_server(str(socket.recv(10))).data)
    assert (answer.proto, answer.typ) == (SHELL, "new")
    [heard] = [each for each in connected.heard if each.typ == "new"]
    me = api.get("/api/management/v1/useradm/users/me").json()["id"]
    assert heard.props["user_id"] == me


def test_a_ticket_is_valid_for_its_device_only(api, world, device, connected) -> None:
    other = world.device()
    with FakeDevice(str(api.base_url).rstrip("/"), other.token):
        url = new_ticket(api, device.id)["url"]

        assert status_of(with_query(url, device_id=other.id)) == 401
        assert status_of(with_query(url, device_id="")) == 401
        assert status_of(url) == 101


def test_a_ticket_is_valid_for_a_minute(api, device, connected, monkeypatch) -> None:
    url = new_ticket(api, device.id)["url"]
    late = time.time() + 60 + tokens._LEEWAY + 1
    monkeypatch.setattr("chalicelib.tokens.time.time", lambda: late)

    assert status_of(url) == 401


def test_a_ticket_cannot_be_used_as_a_token(api, http, server, device, connected) -> None:
    ticket = parse_qs(urlsplit(new_ticket(api, device.id)["url"]).query)["ticket"][0]

    for path in ("/api/management/v1/useradm/users/me", f"{BASE}/{device.id}", f"{BASE}/{device.id}/connect"):
        assert http.get(path, headers={"Authorization": f"Bearer {ticket}"}).status_code == 401
        assert http.get(path, headers={"Cookie": f"JWT={ticket}"}).status_code == 401
    poll = "/api/devices/v1/deployments/device/deployments/next"
    assert http.get(poll, headers={"Authorization": f"Bearer {ticket}"}).status_code == 401
    assert status_of(f"{server.url.replace('http', 'ws', 1)}/websockets?device_id={device.id}&jwt={ticket}") == 401
    assert status_of(f"{server.url.replace('http', 'ws', 1)}{user_path(device.id)}?jwt={ticket}") == 401


@pytest.mark.parametrize("forged", ["session", "device", "unsigned", "nonsense"])
def test_other_tokens_cannot_be_used_as_a_ticket(api, device, connected, forged: str) -> None:
    url = new_ticket(api, device.id)["url"]
    ticket = parse_qs(urlsplit(url).query)["ticket"][0]
    others = {
        "session": str(api.headers["Authorization"]).removeprefix("Bearer "),
        "device": str(device.token),
        "unsigned": f"{ticket.rpartition('.')[0]}.{'A' * 342}",
        "nonsense": "x",
    }

    assert status_of(with_query(url, ticket=others[forged])) == 401


def test_a_ticket_ends_with_the_users_session(api, device, connected) -> None:
    url = new_ticket(api, device.id)["url"]
    assert api.post("/api/management/v1/useradm/auth/logout").status_code == 202

    assert status_of(url) == 401


def test_a_ticket_gives_no_more_permissions_than_its_user_has(api, tenant, device, sign_in) -> None:
    observer = sign_in(tenant, "RBAC_ROLE_OBSERVER")
    assert observer.post(f"{BASE}/{device.id}/connect/ticket").status_code == 403


def test_no_ticket_is_issued_for_an_unknown_device(api, device) -> None:
    answer = api.post(f"{BASE}/{device.id}/connect/ticket")

    assert answer.status_code == 404
    assert answer.json()["error"] == "failed to connect to device: device disconnected"


def test_no_ticket_is_issued_to_pages_of_other_sites(http, api, device, connected) -> None:
    cookie = {"Cookie": f"JWT={str(api.headers['Authorization']).removeprefix('Bearer ')}"}

    own = http.post(f"{BASE}/{device.id}/connect/ticket", headers=cookie)
    foreign = http.post(f"{BASE}/{device.id}/connect/ticket", headers=cookie | {"Origin": "https://evil.example"})
    assert (own.status_code, foreign.status_code) == (200, 401)


@pytest.mark.parametrize(
    ("server_url", "edge", "on_lambda", "setting", "expected"),
    [
        ("https://lamp.example", False, False, "", "wss://lamp.example/websockets"),
        ("http://localhost:8080", False, False, "", "ws://localhost:8080/websockets"),
        ("https://lamp.example", True, True, "", "wss://lamp.example/websockets"),
        ("https://lamp.example", False, True, "", "wss://sockets.execute-api.us-east-1.amazonaws.com/api"),
        ("https://lamp.example", True, True, "wss://ws.lamp.example/api/", "wss://ws.lamp.example/api"),
    ],
)
def test_the_answer_has_the_url_of_the_websocket(
    monkeypatch, server_url: str, edge: bool, on_lambda: bool, setting: str, expected: str
) -> None:
    known = replace(settings.current(), websocket_url=setting)
    monkeypatch.setattr(settings, "current", lambda: known)
    aws = replace(settings.aws(), region="us-east-1", domain="amazonaws.com", on_lambda=on_lambda)
    monkeypatch.setattr(settings, "aws", lambda: aws)

    assert push.public_url(server_url, "sockets/api", edge=edge) == expected
