"""Audit entries of account changes without a token, and of identity providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import PASSWORD
from tests.support.mailbox import Mailbox
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, ME, METADATA, USERS, Person, bearer, new_email, wanted

if TYPE_CHECKING:
    import httpx2

    from tests.support.provider import Provider

LOGS = "/api/management/v1/auditlogs/logs"


@pytest.fixture
def told(api: httpx2.Client) -> Callable[[], list[dict[str, Any]]]:
    """The entries since the last time, newest first."""
    seen = len(api.get(LOGS, params={"per_page": 500}).json())

    def run() -> list[dict[str, Any]]:
        nonlocal seen
        entries = api.get(LOGS, params={"per_page": 500}).json()
        new, seen = entries[: len(entries) - seen], len(entries)
        return new

    return run


def mailed(http: httpx2.Client, server, box: Mailbox, path: str, email: str) -> str:
    assert http.post(f"{BASE}/auth/{path}/start", json={"email": email}).status_code == 202
    server.drain()
    return box.secret(email)


@pytest.mark.parametrize(
    ("path", "body", "action"),
    [("password-reset", {"password": "another-long-enough-one"}, "password_change"), ("verify-email", {}, "update")],
)
def test_changes_confirmed_by_mail(
    server, http, box: Mailbox, person: Person, told, path: str, body: dict[str, str], action: str
) -> None:
    secret = mailed(http, server, box, path, person.email)
    told()

    assert http.post(f"{BASE}/auth/{path}/complete", json=body | {"secret_hash": secret}).is_success

    [entry] = told()
    assert (entry["action"], entry["object"]["id"]) == (action, person.id)
    assert (entry["actor"]["id"], entry["actor"]["email"]) == (person.id, person.email)
    assert secret not in str(entry)
    assert "another-long" not in str(entry)


def test_changing_the_address(server, http, box: Mailbox, person: Person, login, told) -> None:
    new, headers = new_email(), bearer(login())
    body = {"email": new, "current_password": PASSWORD}
    assert http.post(f"{ME}/email-change/start", json=body, headers=headers).status_code == 202
    server.drain()
    assert [entry["action"] for entry in told()] == ["update"]

    http.post(f"{ME}/email-change/complete", json={"secret_hash": box.secret(new)})

    [entry] = told()
    assert f"{person.email} -> {new}" in entry["change"]
    assert entry["actor"]["id"] == person.id


def test_single_sign_on(api, set_up, sign_on, person: Person, told) -> None:
    identity = set_up(auto_provision=True, allowed_domains=["example.com"])
    [entry] = told()
    assert (entry["action"], entry["object"]["id"]) == ("create", identity)
    assert "example.com" in entry["change"]

    for _ in range(2):
        sign_on(identity, email=person.email)
    [entry] = told()
    assert (entry["action"], entry["actor"]["id"]) == ("auth_method_change", person.id)

    email = new_email()
    sign_on(identity, subject="new", email=email)
    [entry] = told()
    [made] = api.get(USERS, params={"email": email}).json()
    assert (entry["action"], entry["object"]["id"], entry["actor"]["id"]) == ("create", made["id"], made["id"])


def test_configuring_identity_providers(api: httpx2.Client, provider: Provider, set_up, told) -> None:
    identity = set_up()
    told()

    assert api.put(f"{METADATA}/{identity}", json=wanted(provider)).status_code == 204
    assert api.delete(f"{METADATA}/{identity}").status_code == 204

    entries = told()
    assert [entry["action"] for entry in entries] == ["delete", "update"]
    assert wanted(provider)["client_secret"] not in str(entries)


def test_a_login_has_no_entry(http: httpx2.Client, person: Person, told) -> None:
    http.post(LOGIN, auth=(person.email, PASSWORD))
    http.post(LOGIN, auth=(person.email, "wrong"))

    assert told() == []
