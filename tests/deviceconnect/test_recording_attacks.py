"""Attacks on recorded sessions: reading those of others, and shortening one's own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from chalicelib.deviceconnect import tables
from chalicelib.deviceconnect.rules import recording
from chalicelib.deviceconnect.rules.envelope import Message
from chalicelib.deviceconnect.service import recordings
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from tests.deviceconnect.peers import SHELL, hear, hear_all, opened, say, user_path
from tests.roles.test_roles import ROLES, role, scoped
from tests.support.waiting import until

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from tests.simulator.device import Device

SESSIONS = "/api/management/v1/deviceconnect/sessions"
INVENTORY = "/api/management/v1/inventory/devices"


def type_in(user, *lines: bytes) -> str:
    """Type lines into the terminal, which echoes them; returns the session's id."""
    session = ""
    for line in lines:
        say(user, Message(SHELL, "shell", body=line))
        heard = hear(user)
        assert heard.body == line
        session = heard.sid
    return session


def record(front: str, api: httpx2.Client, device: Device, token: str, line: bytes = b"secret") -> str:
    """Run a session in which a line is typed; returns its id."""
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        session = type_in(user, line)
    until("the session is recorded", lambda: api.get(f"{SESSIONS}/{session}/recording").status_code == 200)
    return session


def text_of(api: httpx2.Client, session: str) -> bytes:
    """The output in a recording."""
    answer = api.get(f"{SESSIONS}/{session}/recording")
    assert answer.status_code == 200, answer.text
    return b"".join(part.output for part in recording.unpack(httpx2.get(answer.json()["uri"]).content))


def refusals(front: str, client: httpx2.Client, session: str) -> tuple[int, int]:
    """The statuses with which a client is refused the recording and its playback."""
    token = client.headers["Authorization"].removeprefix("Bearer ")
    with pytest.raises(InvalidStatus) as refused, opened(front, f"{SESSIONS}/{session}/playback", token):
        pass
    return client.get(f"{SESSIONS}/{session}/recording").status_code, refused.value.response.status_code


def test_recordings_of_other_tenants_are_refused(front, api, device, connected, token, sign_in) -> None:
    session = record(front, api, device, token)
    stranger = sign_in(service.create_tenant("Other"))

    assert refusals(front, stranger, session) == refusals(front, stranger, str(uuid.uuid4())) == (404, 404)


def test_recordings_of_devices_in_other_groups_are_refused(
    front, api, tenant: Tenant, world, device, connected, token, sign_in
) -> None:
    """Only users who may open a session with a device may see recordings of it."""
    session = record(front, api, device, token)
    outside, inside, watching = (uuid.uuid4().hex for _ in range(3))
    for name, group in ((outside, "other"), (inside, "own")):
        assert api.post(ROLES, json=role(name, scoped("ConnectToDevices", group))).status_code == 201
    assert api.post(ROLES, json=role(watching, scoped("ReadDevices", "own"))).status_code == 201
    assert api.put(f"{INVENTORY}/{device.id}/group", json={"group": "own"}).status_code == 204

    assert refusals(front, sign_in(tenant, outside), session) == (404, 404)
    assert refusals(front, sign_in(tenant, watching), session) == (403, 403)
    own = sign_in(tenant, inside)
    assert text_of(own, session) == b"secret"
    assert api.put(f"{INVENTORY}/{device.id}/group", json={"group": "other"}).status_code == 204
    assert refusals(front, own, session) == (404, 404), "the device has moved"


@pytest.mark.parametrize("session", ["..", "../..", "x/../y", "%2e%2e", "a#b", "\x00", "x" * 3000])
def test_session_ids_cannot_be_paths(api: httpx2.Client, session: str) -> None:
    assert api.get(f"{SESSIONS}/{quote(session, safe='')}/recording").status_code in {400, 404, 414}


def test_a_link_is_valid_for_one_recording_only(front, api, device, connected, token) -> None:
    first, second = (record(front, api, device, token, line) for line in (b"first", b"second"))
    link = api.get(f"{SESSIONS}/{first}/recording").json()["uri"]

    assert httpx2.get(link).status_code == 200
    assert httpx2.get(link.replace(first, second)).status_code == 403
    assert httpx2.put(link, content=b"").status_code in {403, 405}
    assert httpx2.delete(link).status_code in {403, 405}


def test_reading_the_recording_of_a_running_session_does_not_shorten_it(front, api, device, connected, token) -> None:
    """A recording that was read during the session used to contain only what came later."""
    with opened(front, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        session = type_in(user, b"rm -rf evidence\n")
        until("it is recorded", lambda: b"evidence" in _text_so_far(api, session))
        type_in(user, b"uptime\n")
        until("all is recorded", lambda: b"uptime" in _text_so_far(api, session))
        type_in(user, b"exit\n")
    until("the session has ended", lambda: _has_ended(api, session))

    assert text_of(api, session) == b"rm -rf evidence\nuptime\nexit\n"
    with opened(front, f"{SESSIONS}/{session}/playback?sleep_ms=0", token) as player:
        played, _ = hear_all(player)
    assert b"evidence" in b"".join(message.body for message in played)


def _text_so_far(api: httpx2.Client, session: str) -> bytes:
    return text_of(api, session) if api.get(f"{SESSIONS}/{session}/recording").status_code == 200 else b""


def _has_ended(api: httpx2.Client, session: str) -> bool:
    tenant = TenantId(_tenant(api))
    found = tables.find_session(tenant, session)
    return found is not None and found.stored


def _tenant(api: httpx2.Client) -> str:
    found: str = api.get("/api/management/v2/tenantadm/tenants/me").json()["id"]
    return found


def test_reading_a_recording_while_it_is_archived(
    server, api, device, connected, token, tenant: Tenant, monkeypatch
) -> None:
    """Reading the remaining parts while they are deleted does not create a shorter recording."""
    with opened(server.url, user_path(device.id), token) as user:
        say(user, Message(SHELL, "new"))
        hear(user)
        session = type_in(user, b"one\n", b"two\n")
        until("it is recorded", lambda: len(list(tables.parts(tenant.id, session))) >= 2)
        real = tables.delete_parts

        def half(items: list[tables.PartItem]) -> None:
            real(items[:1])
            # A concurrent call has read the session before its recording was stored.
            recordings.store(tenant.id, session)
            real(items[1:])

        monkeypatch.setattr(tables, "delete_parts", half)
    until("the session has ended", lambda: _has_ended(api, session))

    assert text_of(api, session) == b"one\ntwo\n"
