"""Creating, reading, changing and deleting users (``docs/behaviour.md#accounts``)."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import clock, settings
from chalicelib.errors import DomainError
from chalicelib.rights import EVERYTHING
from chalicelib.storage.transactions import Transaction
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service
from chalicelib.useradm.service import sessions
from chalicelib.useradm.tables import tokens, users
from tests.conftest import PASSWORD
from tests.support.mailbox import use
from tests.useradm.conftest import LOGIN, ME, USERS, Person, bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tests.conftest import SignIn

V2_ME = "/api/management/v2/useradm/users/me"


def new_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_a_new_user_can_log_in(api: httpx2.Client, http: httpx2.Client):
    email = new_email()

    answer = api.post(USERS, json={"email": email.upper(), "password": PASSWORD, "roles": [], "id": "mine"})

    assert answer.status_code == 201
    assert answer.content == b""
    place = answer.headers["location"]
    shown = api.get(place).json()
    assert place == f"{USERS}/{shown['id']}"
    assert shown["id"] != "mine"
    assert shown["email"] == email
    assert shown["created_ts"] == shown["updated_ts"]
    assert set(shown) == {"id", "email", "created_ts", "updated_ts", "verified", "tfa_status", "roles"}
    assert shown["roles"] == ["RBAC_ROLE_PERMIT_ALL"]
    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"email": "no address"}, 400, "email: must be a valid email address"),
        ({"email": "ü@example.com"}, 400, "email: must be a valid email address"),
        ({"email": "a:b@example.com"}, 400, "email: must be a valid email address"),
        ({"email": "x" * 250 + "@example.com"}, 400, "email: must be a valid email address"),
        ({"email": ""}, 400, "email: must be a valid email address"),
        ({"password": "1234567"}, 422, "password: must be minimum 8 characters long"),
        ({"password": ""}, 422, "password: must be minimum 8 characters long"),
        ({"password": "x" * 257}, 422, "password: must be maximum 256 characters long"),
        ({"password": "Someone@Example"}, 422, "password is too similar to the email"),
        ({"password": None}, 422, "password: must be minimum 8 characters long"),
        ({"password": 1}, 400, None),
        ({"email": 1}, 400, None),
    ],
)
def test_invalid_users_are_refused(api: httpx2.Client, change: dict[str, Any], status: int, text: str | None):
    answer = api.post(USERS, json={"email": "someone@example.com", "password": PASSWORD} | change)

    assert answer.status_code == status
    assert text is None or answer.json()["error"] == text


def test_values_at_the_limits_are_accepted(api: httpx2.Client):
    email = "x" * (256 - len("@example.com") - 32) + uuid.uuid4().hex + "@example.com"
    assert api.post(USERS, json={"email": email, "password": "y" * 256}).status_code == 201
    assert api.post(USERS, json={"email": new_email(), "password": "12345678"}).status_code == 201


def test_an_address_is_unique_in_all_tenants(sign_in: SignIn, person: Person):
    elsewhere = sign_in(tenantadm.create_tenant("Other"))

    answer = elsewhere.post(USERS, json={"email": person.email.upper(), "password": PASSWORD})

    assert answer.status_code == 422
    assert answer.json()["error"] == "user with a given email already exists"


def test_one_of_many_concurrent_users_with_the_same_address_is_created(tenant):
    email = new_email()

    def create(_: int) -> bool:
        try:
            service.create_user(tenant.id, email, PASSWORD, by=EVERYTHING)
        except DomainError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(create, range(8))) == 1
    assert [user.email for user in service.list_users(tenant.id)] == [email]


def test_reading_the_own_account(api: httpx2.Client, tenant):
    shown = api.get(ME).json()

    assert shown["tenant_id"] == tenant.id
    assert shown["login_ts"]
    assert api.get(f"{USERS}/{shown['id']}").json()["email"] == shown["email"]


def test_an_unknown_user_gets_404(api: httpx2.Client):
    unknown = f"{USERS}/{uuid.uuid4()}"

    assert api.get(unknown).status_code == 404
    assert api.put(unknown, json={"email": new_email()}).status_code == 404
    assert api.delete(unknown).status_code == 204


class TestList:
    """``GET users``: filters, no paging."""

    def ids(self, api: httpx2.Client, **query) -> set[str]:
        answer = api.get(USERS, params=query)
        assert answer.status_code == 200
        assert "link" not in answer.headers
        return {user["id"] for user in answer.json()}

    def test_filters_by_id_and_address(self, api: httpx2.Client, person: Person):
        me = api.get(ME).json()

        assert self.ids(api) == {me["id"], person.id}
        assert self.ids(api, id=person.id) == {person.id}
        assert self.ids(api, id=[person.id, me["id"], "other"]) == {me["id"], person.id}
        assert self.ids(api, email=person.email.upper()) == {person.id}
        assert self.ids(api, email=person.email, id=me["id"]) == set()

    def test_time_filters_are_exclusive(self, api: httpx2.Client, tenant):
        second = clock.now().replace(microsecond=0)
        tx = Transaction()
        old = users.User(str(uuid.uuid4()), tenant.id, new_email(), "", second, second, None, 0)
        users.put_new(tx, old)
        tx.commit()
        at = int(second.timestamp())

        for name in ("created", "updated"):
            assert old.id not in self.ids(api, **{f"{name}_after": at})
            assert old.id not in self.ids(api, **{f"{name}_before": at})
            assert old.id in self.ids(api, **{f"{name}_after": at - 1, f"{name}_before": at + 1})

    @pytest.mark.parametrize("value", ["x", "1.5", "9" * 40])
    def test_invalid_times_are_refused(self, api: httpx2.Client, value: str):
        assert api.get(USERS, params={"created_after": value}).status_code == 400


class TestChange:
    """``PUT users/{id}``, ``users/me`` and v2 ``users/me``."""

    def test_an_empty_change_is_refused(self, api: httpx2.Client, person: Person):
        for path in (ME, V2_ME, f"{USERS}/{person.id}"):
            answer = api.put(path, json={})
            assert (answer.status_code, answer.json()["error"]) == (400, "no update information provided")

    @pytest.mark.parametrize("path", [ME, V2_ME, "own"])
    def test_changing_the_own_password(
        self, http: httpx2.Client, login: Callable[[], str], person: Person, path: str, tenant
    ):
        used, other = login(), login()
        script = sessions.create_token(tenant.id, person.id, "script", 0)
        where = f"{USERS}/{person.id}" if path == "own" else path
        change = {"password": "a whole new one", "current_password": person.password}

        answer = http.put(where, headers=bearer(used), json=change)

        assert answer.status_code == 204
        assert http.get(ME, headers=bearer(used)).status_code == 200
        assert http.get(ME, headers=bearer(other)).status_code == 401
        assert http.get(ME, headers=bearer(script)).status_code == 401
        assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 401
        assert http.post(LOGIN, auth=(person.email, "a whole new one")).status_code == 200

    @pytest.mark.parametrize("path", [ME, V2_ME])
    @pytest.mark.parametrize("current", ["", "not the password"])
    def test_changing_it_requires_the_current_password(self, api: httpx2.Client, path: str, current: str):
        answer = api.put(path, json={"password": "a whole new one", "current_password": current})

        assert (answer.status_code, answer.json()["error"]) == (422, "current password mismatch")
        assert api.get(ME).status_code == 200

    def test_guesses_of_the_current_password_are_limited(self, api: httpx2.Client):
        """They are counted together for all routes that ask for the password, also for concurrent calls."""

        def guess(number: int) -> httpx2.Response:
            current = PASSWORD if number == 30 else f"guess {number}"
            body = {"email": new_email(), "password": "a whole new one", "current_password": current}
            return [
                lambda: api.put(ME, json=body),
                lambda: api.put(V2_ME, json=body),
                lambda: api.post(f"{ME}/email-change/start", json=body),
            ][number % 3]()

        for number in range(3):
            assert guess(number).status_code == 422
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(guess, range(3, 30)))

        assert sum(answer.status_code == 422 for answer in answers) == settings.current().login_attempts - 3
        assert {answer.status_code for answer in answers} == {422, 429}
        right = guess(30)
        assert right.status_code == 429
        assert 0 < int(right.headers["retry-after"]) <= settings.current().login_window

    def test_guesses_from_other_networks_do_not_prevent_the_change(self, api: httpx2.Client, monkeypatch):
        use(monkeypatch, edge_secret="edge")
        body = {"email": new_email(), "password": "a whole new one", "current_password": "wrong"}
        api.headers.update({"X-Lamplighter-Edge": "edge", "X-Lamplighter-Client": "192.0.2.1"})
        for _ in range(settings.current().login_attempts):
            assert api.put(ME, json=body).status_code == 422
        assert api.put(ME, json=body).status_code == 429
        api.headers["X-Lamplighter-Client"] = "198.51.100.1"
        assert api.put(ME, json=body | {"current_password": PASSWORD}).status_code == 204

    def test_the_correct_password_resets_the_count(self, api: httpx2.Client):
        for current in [*["wrong"] * 9, PASSWORD, *["wrong"] * 9, PASSWORD]:
            answer = api.put(ME, json={"password": PASSWORD, "current_password": current})
            assert answer.status_code == (204 if current == PASSWORD else 422)

    def test_invalid_new_passwords_are_refused(self, api: httpx2.Client):
        answer = api.put(ME, json={"password": "short", "current_password": PASSWORD})
        assert (answer.status_code, answer.json()["error"]) == (
            422,
            "password: must be minimum 8 characters long",
        )
        change = {"email": "someone.new@example.com", "password": "SOMEONE.NEW", "current_password": PASSWORD}
        assert api.put(ME, json=change).json()["error"] == "password is too similar to the email"

    def test_changing_the_own_address(self, api: httpx2.Client, http: httpx2.Client):
        before, after = api.get(ME).json(), new_email()
        assert api.put(ME, json={"email": after}).status_code == 422

        assert api.put(ME, json={"email": after.upper(), "current_password": PASSWORD}).status_code == 204

        shown = api.get(ME).json()
        assert shown["email"] == after
        assert datetime.fromisoformat(shown["updated_ts"]) > datetime.fromisoformat(before["updated_ts"])
        assert http.post(LOGIN, auth=(before["email"], PASSWORD)).status_code == 401
        assert http.post(LOGIN, auth=(after, PASSWORD)).status_code == 200
        # The old address can be used again.
        assert api.post(USERS, json={"email": before["email"], "password": PASSWORD}).status_code == 201

    def test_v2_does_not_change_the_address(self, api: httpx2.Client):
        answer = api.put(V2_ME, json={"email": new_email(), "current_password": PASSWORD})

        assert (answer.status_code, answer.json()["error"]) == (400, "no update information provided")

    def test_changing_the_address_of_another_user(
        self, api: httpx2.Client, http: httpx2.Client, person: Person, login: Callable[[], str]
    ):
        session, after = login(), new_email()

        assert api.put(f"{USERS}/{person.id}", json={"email": after}).status_code == 204

        assert api.get(f"{USERS}/{person.id}").json()["email"] == after
        assert http.get(ME, headers=bearer(session)).status_code == 401

    def test_passwords_of_others_cannot_be_changed(self, api: httpx2.Client, person: Person, http: httpx2.Client):
        change = {"password": "a whole new one", "current_password": person.password}
        answer = api.put(f"{USERS}/{person.id}", json=change)

        assert (answer.status_code, answer.json()["error"]) == (422, "password cannot be modified")
        assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 200

    @pytest.mark.parametrize("more", [{}, {"email": "new@example.com"}, {"roles": ["RBAC_ROLE_CI"]}])
    def test_changing_the_password_of_an_unknown_user(self, api, more):
        update = {"password": "a-quite-new-one"} | more

        assert api.put(f"{USERS}/{uuid.uuid4()}", json=update).status_code == 404

    def test_used_and_invalid_addresses_are_refused(self, api: httpx2.Client, person: Person):
        me = api.get(ME).json()

        answer = api.put(f"{USERS}/{person.id}", json={"email": me["email"]})
        assert (answer.status_code, answer.json()["error"]) == (422, "user with a given email already exists")
        assert api.put(f"{USERS}/{person.id}", json={"email": "bad"}).status_code == 400

    def test_a_user_document_can_be_sent_back_unchanged(self, api: httpx2.Client, person: Person):
        where = f"{USERS}/{person.id}"
        shown = api.get(where).json()

        sent = shown | {"id": "other", "created_ts": "2000-01-01T00:00:00Z", "tenant_id": "x", "revision": 9}
        assert api.put(where, json=sent).status_code == 204

        assert api.get(where).json() == shown | {"updated_ts": api.get(where).json()["updated_ts"]}

    def test_a_session_that_begins_during_a_password_change_ends(self, http: httpx2.Client, person: Person):
        def try_to_log_in(_: int) -> str | None:
            answer = http.post(LOGIN, auth=(person.email, person.password))
            return answer.text if answer.status_code == 200 else None

        with ThreadPoolExecutor(6) as threads:
            started = threads.map(try_to_log_in, range(24))
            service.set_password(person.tenant, person.id, "a whole new one")
            begun = [token for token in started if token]

        assert [http.get(ME, headers=bearer(token)).status_code for token in begun] == [401] * len(begun)

    def test_more_sessions_than_fit_into_a_transaction(self, person: Person, tenant):
        user, now = service.get_user(tenant.id, person.id), clock.now()
        for _ in range(2):
            tx = Transaction()
            for _ in range(60):
                row = tokens.Token(str(uuid.uuid4()), None, now, None, now + timedelta(days=1))
                tokens.put_new(tx, user, row)
            tx.commit()

        service.set_password(tenant.id, person.id, "a whole new one")

        assert tokens.of_user(tenant.id, person.id) == []


class TestDelete:
    """``DELETE users/{id}``."""

    def test_sessions_of_a_deleted_user_end_immediately(
        self, api: httpx2.Client, http: httpx2.Client, person: Person, login: Callable[[], str]
    ):
        session = login()
        http.post("/api/management/v1/useradm/settings/me", headers=bearer(session), json={"a": 1})

        for _ in range(2):
            answer = api.delete(f"{USERS}/{person.id}")
            assert (answer.status_code, answer.content) == (204, b"")

        assert http.get(ME, headers=bearer(session)).status_code == 401
        assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 401
        assert api.get(f"{USERS}/{person.id}").status_code == 404
        again = api.post(USERS, json={"email": person.email, "password": PASSWORD})
        assert again.status_code == 201
        assert not again.headers["location"].endswith(person.id)

    def test_users_can_delete_themselves(self, api: httpx2.Client, person: Person):
        assert api.delete(f"{USERS}/{api.get(ME).json()['id']}").status_code == 204
        assert api.get(ME).status_code == 401

    def test_the_last_administrator_cannot_be_deleted(self, api: httpx2.Client):
        answer = api.delete(f"{USERS}/{api.get(ME).json()['id']}")

        assert answer.status_code == 409
        assert (
            answer.json()["error"]
            == "this is the tenant's last administrator; make another user an administrator first"
        )
        assert api.get(ME).status_code == 200
