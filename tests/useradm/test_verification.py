"""Mailed secrets: resetting passwords, verifying and changing addresses, without revealing accounts to others."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chalicelib import limits
from chalicelib.errors import NotFound
from chalicelib.tenantadm import service as tenantadm_service
from chalicelib.useradm import service
from tests.conftest import PASSWORD
from tests.support.mailbox import use
from tests.support.probe import counted
from tests.useradm.conftest import LOGIN, ME, USERS, Person, bearer, later, meanwhile, new_email

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from infra.local.testing import LocalServer
    from tests.support.mailbox import Mailbox

AUTH = "/api/management/v1/useradm/auth"
RESET, VERIFY = f"{AUTH}/password-reset", f"{AUTH}/verify-email"
CHANGE = f"{ME}/email-change"
NEW_PASSWORD = "another-long-enough-one"


@pytest.fixture
def ask(server: LocalServer, http: httpx2.Client, box: Mailbox) -> Callable[[str, str], str]:
    """Start a use case for an address; returns the mailed secret."""

    def run(path: str, address: str) -> str:
        answer = http.post(f"{path}/start", json={"email": address})
        assert (answer.status_code, answer.content) == (202, b"")
        server.drain()
        return box.secret(address.lower())

    return run


# --- Reset


def test_a_forgotten_password_is_reset(http: httpx2.Client, person: Person, ask, login, box: Mailbox, server) -> None:
    before = login()
    secret = ask(RESET, person.email.upper())

    answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert (answer.status_code, answer.content) == (202, b"")
    assert http.get(ME, headers=bearer(before)).status_code == 401
    assert http.post(LOGIN, auth=(person.email, PASSWORD)).status_code == 401
    assert http.post(LOGIN, auth=(person.email, NEW_PASSWORD)).status_code == 200
    server.drain()
    assert "was changed" in box.to(person.email)[-1].get_content()


def test_a_reset_revokes_access_tokens_too(http: httpx2.Client, person: Person, ask, login) -> None:
    made = http.post(
        "/api/management/v1/useradm/settings/tokens", json={"name": "ci", "expires_in": 0}, headers=bearer(login())
    )
    http.post(f"{RESET}/complete", json={"secret_hash": ask(RESET, person.email), "password": NEW_PASSWORD})

    assert http.get(ME, headers=bearer(made.text)).status_code == 401


def test_a_secret_can_be_used_once(http: httpx2.Client, person: Person, ask) -> None:
    secret = ask(RESET, person.email)
    answers = [
        http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": f"{NEW_PASSWORD}-{n}"})
        for n in range(2)
    ]

    assert [answer.status_code for answer in answers] == [202, 400]
    assert http.post(LOGIN, auth=(person.email, f"{NEW_PASSWORD}-0")).status_code == 200


def test_a_refused_password_does_not_use_up_the_secret(http: httpx2.Client, person: Person, ask) -> None:
    secret = ask(RESET, person.email)

    short = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": "short"})
    long = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert (short.status_code, long.status_code) == (400, 202)
    assert "minimum 8" in short.json()["error"]


def test_a_newer_secret_replaces_the_one_before(http: httpx2.Client, person: Person, ask) -> None:
    old, new = ask(RESET, person.email), ask(RESET, person.email)
    body = {"password": NEW_PASSWORD}

    assert http.post(f"{RESET}/complete", json=body | {"secret_hash": old}).status_code == 400
    assert http.post(f"{RESET}/complete", json=body | {"secret_hash": new}).status_code == 202


def test_a_secret_expires(http: httpx2.Client, person: Person, ask) -> None:
    secret = ask(RESET, person.email)

    with later(3601):
        answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert answer.status_code == 400
    assert "expired" in answer.json()["error"]


@pytest.mark.parametrize("path", [f"{VERIFY}/complete", f"{CHANGE}/complete"])
def test_a_secret_is_valid_for_its_purpose_only(http: httpx2.Client, person: Person, ask, path: str) -> None:
    secret = ask(RESET, person.email)

    assert http.post(path, json={"secret_hash": secret}).status_code == 400
    body = {"secret_hash": secret, "password": NEW_PASSWORD}
    assert http.post(f"{RESET}/complete", json=body).status_code == 202


def test_a_new_password_invalidates_the_mailed_secret(http: httpx2.Client, person: Person, ask, login) -> None:
    secret = ask(RESET, person.email)
    changed = {"password": NEW_PASSWORD, "current_password": PASSWORD}
    assert http.put(ME, json=changed, headers=bearer(login())).status_code == 204

    answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": PASSWORD})

    assert answer.status_code == 400


def test_a_new_address_invalidates_the_secret_mailed_to_the_old_one(http, person: Person, ask, login) -> None:
    secret = ask(RESET, person.email)
    changed = {"email": new_email(), "current_password": PASSWORD}
    assert http.put(ME, json=changed, headers=bearer(login())).status_code == 204

    answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert answer.status_code == 400


def test_a_deleted_user_cannot_reset_the_password(http: httpx2.Client, api, person: Person, ask) -> None:
    secret = ask(RESET, person.email)
    assert api.delete(f"{USERS}/{person.id}").status_code == 204

    answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": NEW_PASSWORD})

    assert answer.status_code == 400


def test_concurrent_resets_with_one_secret_succeed_once(http: httpx2.Client, person: Person, ask) -> None:
    secret = ask(RESET, person.email)
    with meanwhile("Query", lambda: service.complete_reset(secret, f"{NEW_PASSWORD}-first")):
        answer = http.post(f"{RESET}/complete", json={"secret_hash": secret, "password": f"{NEW_PASSWORD}-second"})

    assert answer.status_code == 400
    assert http.post(LOGIN, auth=(person.email, f"{NEW_PASSWORD}-first")).status_code == 200


@pytest.mark.parametrize("path", [RESET, VERIFY])
def test_answers_do_not_reveal_which_addresses_have_accounts(
    server: LocalServer, http: httpx2.Client, person: Person, box: Mailbox, path: str
) -> None:
    seen = []
    for address in (person.email, new_email()):
        with counted() as cost:
            answer = http.post(f"{path}/start", json={"email": address})
        seen.append((answer.status_code, answer.content, cost.calls, cost.write_units, _waiting(server)))

    assert seen[0] == seen[1]
    assert seen[0][0] == 202
    server.drain()
    assert box.recipients == [[person.email]]


def _waiting(server: LocalServer) -> int:
    """The number of accepted messages, which are handled first."""
    return server.drain()


def test_a_suspended_tenant_gets_no_mail(server, http, tenant, person: Person, box: Mailbox) -> None:
    tenantadm_service.set_status(tenant.id, tenantadm_service.Status.SUSPENDED)
    assert http.post(f"{RESET}/start", json={"email": person.email}).status_code == 202
    server.drain()

    assert box.mails == []


@pytest.mark.parametrize("known", [True, False])
def test_the_number_of_mails_to_an_address_per_hour_is_limited(
    server, http, person: Person, box: Mailbox, known: bool
) -> None:
    address = person.email if known else new_email()
    answers = [http.post(f"{RESET}/start", json={"email": address}) for _ in range(4)]
    answers += [http.post(f"{VERIFY}/start", json={"email": address}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    server.drain()
    assert len(box.mails) == (5 if known else 0)


def test_a_failed_delivery_is_retried_with_a_valid_secret(server, http, person: Person, box: Mailbox) -> None:
    box.refuse[person.email] = "450 later"
    http.post(f"{RESET}/start", json={"email": person.email})
    for queue in server.workers.queues:
        queue.take(wait=0, retry=0)
    box.refuse.clear()
    server.drain()

    [mail] = box.to(person.email)
    assert "/ui/#/password/" in mail.get_content()
    body = {"secret_hash": box.secret(person.email), "password": NEW_PASSWORD}
    assert http.post(f"{RESET}/complete", json=body).status_code == 202


def test_without_a_mail_server_the_answer_is_the_same_and_the_log_says_why(
    http, person: Person, caplog, server
) -> None:
    answer = http.post(f"{RESET}/start", json={"email": person.email})

    assert answer.status_code == 202
    assert server.drain() == 0
    assert "LAMPLIGHTER_MAIL_FROM" in caplog.text


@pytest.mark.parametrize("path", [f"{RESET}/start", f"{VERIFY}/start"])
@pytest.mark.parametrize("body", [{}, {"email": ""}, {"email": "nobody"}, {"email": 1}, []])
def test_invalid_addresses_are_refused(http: httpx2.Client, path: str, body: Any) -> None:
    assert http.post(path, json=body).status_code == 400


@pytest.mark.parametrize("path", [f"{RESET}/complete", f"{VERIFY}/complete", f"{CHANGE}/complete"])
@pytest.mark.parametrize("secret", ["", "x", "é" * 3000, "SECRET#x"])
def test_invalid_secrets_are_refused(http: httpx2.Client, path: str, secret: str) -> None:
    assert http.post(path, json={"secret_hash": secret, "password": NEW_PASSWORD}).status_code == 400


def test_links_have_the_configured_url(ask, person: Person, box: Mailbox, monkeypatch) -> None:
    use(monkeypatch, ui_url="https://ui.example.com/")

    secret = ask(RESET, person.email)

    text = box.to(person.email)[-1].get_content().replace("\r\n", "\n")
    assert f"https://ui.example.com/#/password/{secret}\n" in text


def test_the_host_header_is_not_used_in_mails(server, http, person: Person, box: Mailbox) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Origin": "https://evil.example"}
    http.post(f"{RESET}/start", json={"email": person.email}, headers=headers)
    server.drain()

    assert "evil" not in box.to(person.email)[-1].as_string()


def test_secrets_are_stored_as_hashes_and_are_in_no_log(server, person: Person, ask, http, caplog) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="lamplighter")
    secrets = [ask(RESET, person.email), ask(VERIFY, person.email)]
    http.post(f"{RESET}/complete", json={"secret_hash": secrets[0], "password": NEW_PASSWORD})
    http.post(f"{VERIFY}/complete", json={"secret_hash": secrets[1]})

    dynamodb = boto3.client("dynamodb")
    stored = str(dynamodb.scan(TableName="lamplighter-local-useradm"))
    dynamodb.close()
    for secret in (*secrets, NEW_PASSWORD, PASSWORD):
        assert secret not in stored
        assert secret not in caplog.text


# --- Users that are created without a password


def test_a_new_user_sets_the_password_by_mail(server, http, api, box: Mailbox) -> None:
    email = new_email()
    assert api.post(USERS, json={"email": email, "send_reset_password": True}).status_code == 201
    assert http.post(LOGIN, auth=(email, "")).status_code == 401
    server.drain()

    body = {"secret_hash": box.secret(email), "password": NEW_PASSWORD}
    assert http.post(f"{RESET}/complete", json=body).status_code == 202
    assert http.post(LOGIN, auth=(email, NEW_PASSWORD)).status_code == 200


def test_creating_a_user_fails_if_the_mail_cannot_be_sent(api, http, box: Mailbox, server) -> None:
    email = new_email()
    for _ in range(limits.MAILS_PER_ADDRESS):
        assert http.post(f"{RESET}/start", json={"email": email}).status_code == 202

    assert api.post(USERS, json={"email": email, "send_reset_password": True}).status_code == 429

    assert email not in {user["email"] for user in api.get(USERS).json()}
    with later(limits.MAILS_WINDOW + 1):
        assert api.post(USERS, json={"email": email, "send_reset_password": True}).status_code == 201
        server.drain()
        assert box.secret(email)


def test_a_new_user_without_password_or_mail_is_refused(api: httpx2.Client) -> None:
    assert api.post(USERS, json={"email": new_email()}).status_code == 422


# --- Verification


def test_an_address_is_verified(http: httpx2.Client, person: Person, ask, login, box: Mailbox, server) -> None:
    assert http.get(ME, headers=bearer(login())).json()["verified"] is False
    secret = ask(VERIFY, person.email)

    answers = [http.post(f"{VERIFY}/complete", json={"secret_hash": secret}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 400]
    assert http.get(ME, headers=bearer(login())).json()["verified"] is True
    http.post(f"{VERIFY}/start", json={"email": person.email})
    server.drain()
    assert len(box.mails) == 1, "there is nothing to verify any more"


def test_an_expired_verification_is_refused(http: httpx2.Client, person: Person, ask) -> None:
    secret = ask(VERIFY, person.email)

    with later(86_401):
        answer = http.post(f"{VERIFY}/complete", json={"secret_hash": secret})

    assert answer.status_code == 410


def test_a_directly_changed_address_is_not_verified(http, person: Person, ask, login) -> None:
    http.post(f"{VERIFY}/complete", json={"secret_hash": ask(VERIFY, person.email)})
    token = login()
    changed = {"email": new_email(), "current_password": PASSWORD}
    assert http.put(ME, json=changed, headers=bearer(token)).status_code == 204

    assert http.get(ME, headers=bearer(token)).json()["verified"] is False


# --- The admin's command


def test_the_admin_can_create_links_and_verify_addresses(http: httpx2.Client, person: Person, server, login) -> None:
    link = service.reset_link(person.email)
    assert link.startswith(f"{server.url}/ui/#/password/")
    body = {"secret_hash": link.rpartition("/")[2], "password": PASSWORD}
    assert http.post(f"{RESET}/complete", json=body).status_code == 202
    service.verify(person.email)
    assert service.verify(person.email).verified
    assert http.get(ME, headers=bearer(login())).json()["verified"] is True
    for command in (service.reset_link, service.verify):
        with pytest.raises(NotFound):
            command(new_email())


def _from(http: httpx2.Client, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let calls come from another network, according to an edge."""
    use(monkeypatch, edge_secret="edge")
    http.headers.update({"X-Lamplighter-Edge": "edge", "X-Lamplighter-Client": address})


def test_requests_by_others_do_not_prevent_the_owners_mail(server, http, person: Person, box: Mailbox, monkeypatch):
    _from(http, monkeypatch, "192.0.2.1")
    answers = [http.post(f"{RESET}/start", json={"email": person.email}).status_code for _ in range(7)]
    assert answers == [202] * 5 + [429] * 2
    _from(http, monkeypatch, "198.51.100.1")

    assert http.post(f"{RESET}/start", json={"email": person.email}).status_code == 202
    server.drain()
    assert len(box.mails) == 6


def test_requests_from_many_networks_are_silently_limited(server, http, person: Person, box: Mailbox, monkeypatch):
    for network in range(8):
        _from(http, monkeypatch, f"192.0.{network}.1")
        answers = [http.post(f"{RESET}/start", json={"email": person.email}).status_code for _ in range(3)]
        assert answers == [202] * 3
    server.drain()
    assert len(box.mails) == limits.MAILS_TO_ADDRESS

    # The last secret is valid: later requests have not replaced it.
    body = {"secret_hash": box.secret(person.email), "password": NEW_PASSWORD}
    assert http.post(f"{RESET}/complete", json=body).status_code == 202
    # Other kinds of mail are counted separately.
    assert http.post(f"{VERIFY}/start", json={"email": person.email}).status_code == 202


def test_the_number_of_mails_requested_by_a_network_is_limited(http, monkeypatch):
    monkeypatch.setattr(limits, "MAILS_PER_NETWORK", 3)
    _from(http, monkeypatch, f"2001:db8:{uuid.uuid4().hex[:4]}::1")
    answers = [http.post(f"{RESET}/start", json={"email": new_email()}) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 3 + [429] * 2
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
