"""A new address has to be confirmed by mail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import times
from tests.conftest import PASSWORD
from tests.useradm.conftest import LOGIN, ME, USERS, Person, bearer, later, meanwhile, new_email

if TYPE_CHECKING:
    import httpx2

    from tests.support.mailbox import Mailbox

CHANGE = f"{ME}/email-change"


@pytest.fixture
def me(http: httpx2.Client, login) -> Callable[..., httpx2.Response]:
    """Call a route of the signed-in user."""
    token = login()

    def call(method: str, path: str, body: Any = None) -> httpx2.Response:
        return http.request(method, path, json=body, headers=bearer(token))

    return call


def begin(me, address: str) -> httpx2.Response:
    return me("POST", f"{CHANGE}/start", {"email": address, "current_password": PASSWORD})


def test_a_change_is_confirmed_by_mail(server, http, person: Person, me, box: Mailbox) -> None:
    new = new_email()
    assert me("GET", f"{CHANGE}/pending").status_code == 204
    assert begin(me, new).status_code == 202
    pending = me("GET", f"{CHANGE}/pending").json()
    assert pending["new_email"] == new
    assert times.read(pending["valid_until"]) > times.read(pending["created_ts"])
    server.drain()

    answer = http.post(f"{CHANGE}/complete", json={"secret_hash": box.secret(new)})

    assert answer.status_code == 204
    assert me("GET", ME).status_code == 401
    assert http.post(LOGIN, auth=(person.email, PASSWORD)).status_code == 401
    token = http.post(LOGIN, auth=(new, PASSWORD)).text
    shown = http.get(ME, headers=bearer(token)).json()
    assert (shown["email"], shown["verified"], shown["id"]) == (new, True, person.id)
    server.drain()
    assert "was changed" in box.to(person.email)[-1].get_content()


def test_only_one_change_can_be_pending(server, http, me, box: Mailbox) -> None:
    first, second = new_email(), new_email()
    assert begin(me, first).status_code == 202
    server.drain()
    assert begin(me, second).status_code == 409
    assert me("POST", f"{CHANGE}/cancel").status_code == 204
    assert me("POST", f"{CHANGE}/cancel").status_code == 204

    assert http.post(f"{CHANGE}/complete", json={"secret_hash": box.secret(first)}).status_code == 400
    assert begin(me, second).status_code == 202
    with later(86_401):
        assert me("GET", f"{CHANGE}/pending").status_code == 204
        assert begin(me, first).status_code == 202


def test_an_address_in_use_gets_no_mail_and_is_not_revealed(server, api: httpx2.Client, me, box: Mailbox) -> None:
    taken = api.get(ME).json()["email"]

    assert begin(me, taken).status_code == 202
    server.drain()

    assert box.mails == []


def test_an_address_that_is_used_before_confirmation_is_a_conflict(server, http, api, me, box: Mailbox) -> None:
    new = new_email()
    begin(me, new)
    server.drain()
    assert api.post(USERS, json={"email": new, "password": PASSWORD}).status_code == 201

    assert http.post(f"{CHANGE}/complete", json={"secret_hash": box.secret(new)}).status_code == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "x@example.com", "current_password": "wrong"}, 422),
        ({"email": "nobody", "current_password": PASSWORD}, 400),
        ({"current_password": PASSWORD}, 400),
        ({"email": "own", "current_password": PASSWORD}, 400),
    ],
)
def test_invalid_changes_are_refused(person: Person, me, body: dict[str, str], status: int) -> None:
    sent = body | ({"email": person.email} if body.get("email") == "own" else {})

    assert me("POST", f"{CHANGE}/start", sent).status_code == status


def test_a_change_that_is_cancelled_while_its_mail_is_sent_stays_cancelled(server, me, box: Mailbox) -> None:
    new = new_email()
    begin(me, new)

    with meanwhile("GetItem", lambda: me("POST", f"{CHANGE}/cancel"), times=3):
        server.drain()

    assert me("GET", f"{CHANGE}/pending").status_code == 204
    assert box.mails == []
