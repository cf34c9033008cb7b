"""Logging in and out (``docs/behaviour.md#logins``)."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import time_machine

from chalicelib import clock, limits, settings
from chalicelib.storage import dynamodb
from chalicelib.storage.transactions import ConditionFailed
from chalicelib.tenantadm import service
from chalicelib.useradm import service as useradm_service
from chalicelib.useradm.service import passwords, sessions
from chalicelib.useradm.tables import UseradmItem, attempts
from tests.support.mailbox import use
from tests.useradm.conftest import LOGIN, ME, bearer, dynamodb_calls, new_email

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.useradm.conftest import Person

LOGOUT = "/api/management/v1/useradm/auth/logout"


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_a_login_answers_with_the_token_as_text(http: httpx2.Client, person: Person):
    answer = http.post(LOGIN, auth=(person.email.upper(), person.password))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwt"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.count(".") == 2
    assert answer.text == answer.text.strip().strip('"')


def test_the_claims_of_the_token(login: Callable[[], str], person: Person):
    token = login()

    said = claims(token)
    assert jwt.get_unverified_header(token)["alg"] == "RS256"
    assert jwt.get_unverified_header(token)["kid"]
    assert said["exp"] - said["iat"] == 7 * 86_400
    assert {name: said[name] for name in ("sub", "iss", "scp", "mender.user", "mender.tenant", "mender.plan")} == {
        "sub": person.id,
        "iss": "mender.useradm",
        "scp": "mender.*",
        "mender.user": True,
        "mender.tenant": person.tenant,
        "mender.plan": "enterprise",
    }


def test_an_empty_json_body_as_sent_by_mender_cli_is_accepted(http: httpx2.Client, person: Person):
    answer = http.post(
        LOGIN, auth=(person.email, person.password), headers={"Content-Type": "application/json"}, content=b""
    )

    assert answer.status_code == 200


def test_a_login_without_expiry(http: httpx2.Client, person: Person):
    options = {"no_expiry": True, "token2fa": "123456"}
    answer = http.post(LOGIN, auth=(person.email, person.password), json=options)

    assert answer.status_code == 200
    assert "exp" not in claims(answer.text)
    with time_machine.travel(clock.now() + timedelta(days=400)):
        assert http.get(ME, headers=bearer(answer.text)).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"no_expiry": "yes"}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", None, 400),
    ],
)
def test_invalid_options_are_refused(
    http: httpx2.Client, person: Person, content: bytes, kind: str | None, status: int
):
    headers = {"Content-Type": kind} if kind else {}
    answer = http.post(LOGIN, auth=(person.email, person.password), content=content, headers=headers)

    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":only-a-password").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Bearer " + base64.b64encode(b"a@b.c:x").decode(),
    ],
)
def test_invalid_authorization_headers_get_401(http: httpx2.Client, header: str | None):
    answer = http.post(LOGIN, headers={} if header is None else {"Authorization": header})

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid or missing auth header"
    assert "www-authenticate" not in answer.headers  # a browser would show its own login dialog


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer(http: httpx2.Client, person: Person):
    with dynamodb_calls() as for_known:
        known = http.post(LOGIN, auth=(person.email, "not the password"))
    with dynamodb_calls() as for_unknown:
        unknown = http.post(LOGIN, auth=(f"x{person.email}", "not the password"))

    assert (known.status_code, known.json()["error"]) == (401, "unauthorized")
    assert (unknown.status_code, unknown.json()["error"]) == (401, "unauthorized")
    assert for_known == for_unknown
    assert known.headers.keys() == unknown.headers.keys()


@pytest.mark.usefixtures("deployed_hashes")
def test_checking_an_unknown_user_takes_as_long_as_a_real_hash():
    assert passwords.DUMMY.split("$")[:4] == passwords.hash_password("some password").split("$")[:4]
    assert not passwords.is_outdated(passwords.DUMMY)


def test_suspension_is_revealed_only_with_the_correct_password(http: httpx2.Client, person: Person, tenant: Tenant):
    service.set_status(tenant.id, service.Status.SUSPENDED)

    right = http.post(LOGIN, auth=(person.email, person.password))
    wrong = http.post(LOGIN, auth=(person.email, "not the password"))
    assert (right.status_code, right.json()["error"]) == (401, "Account suspended")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "unauthorized")


def test_the_time_of_the_last_login_is_stored(api: httpx2.Client, login: Callable[[], str], person: Person):
    where = f"/api/management/v1/useradm/users/{person.id}"
    assert "login_ts" not in api.get(where).json()

    login()

    assert datetime.fromisoformat(api.get(where).json()["login_ts"]) <= clock.now()


def test_the_oldest_of_more_than_ten_sessions_ends(http: httpx2.Client, login: Callable[[], str]):
    now = clock.now()
    tokens = []
    for number in range(limits.SESSIONS_PER_USER + 1):
        with time_machine.travel(now + timedelta(seconds=number), tick=False):
            tokens.append(login())

    with time_machine.travel(now + timedelta(seconds=60)):
        statuses = [http.get(ME, headers=bearer(token)).status_code for token in tokens]
    assert statuses == [401] + [200] * limits.SESSIONS_PER_USER


def test_logging_out_ends_this_session_only(http: httpx2.Client, login: Callable[[], str]):
    here, there = login(), login()

    answer = http.post(LOGOUT, headers=bearer(here))

    assert answer.status_code == 202
    assert answer.content == b""
    assert http.get(ME, headers=bearer(here)).status_code == 401
    assert http.post(LOGOUT, headers=bearer(here)).status_code == 401
    assert http.get(ME, headers=bearer(there)).status_code == 200


def test_a_session_ends_after_a_week(http: httpx2.Client, login: Callable[[], str]):
    token = login()

    with time_machine.travel(clock.now() + timedelta(days=7, seconds=30)):
        answer = http.get(ME, headers=bearer(token))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ManagementJWT"'


class TestTooManyFailures:
    """Failed logins are counted by address and network; above the limit, passwords are no longer checked."""

    def fail(self, http: httpx2.Client, email: str, times: int) -> None:
        for _ in range(times):
            assert http.post(LOGIN, auth=(email, "not the password")).status_code == 401

    def test_above_the_limit_even_the_correct_password_is_refused(self, http: httpx2.Client, person: Person):
        self.fail(http, person.email, settings.current().login_attempts)

        answer = http.post(LOGIN, auth=(person.email, person.password))

        assert answer.status_code == 429
        assert answer.json()["error"] == "too many requests"
        wait = int(answer.headers["retry-after"])
        assert 0 < wait <= settings.current().login_window
        with time_machine.travel(clock.now() + timedelta(seconds=wait)):
            assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 200

    def test_unknown_addresses_are_counted_too(self, http: httpx2.Client, person: Person):
        self.fail(http, f"x{person.email}", settings.current().login_attempts)

        assert http.post(LOGIN, auth=(f"x{person.email}", "whatever")).status_code == 429

    def test_a_successful_login_resets_the_count(self, http: httpx2.Client, person: Person, login: Callable[[], str]):
        almost = settings.current().login_attempts - 1
        self.fail(http, person.email, almost)
        login()
        self.fail(http, person.email, almost)
        login()

    def test_a_new_window_begins_with_one(self, http: httpx2.Client, person: Person):
        self.fail(http, person.email, settings.current().login_attempts)
        with time_machine.travel(clock.now() + timedelta(seconds=settings.current().login_window + 1)):
            self.fail(http, person.email, settings.current().login_attempts)
            assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 429

    def test_other_networks_and_users_are_not_affected(self, http: httpx2.Client, person: Person, api):
        self.fail(http, person.email, settings.current().login_attempts)

        assert sessions.login(person.email, person.password, "198.51.100.7")
        assert api.get(ME).status_code == 200

    def test_failures_of_a_network_are_counted_over_all_accounts(self, http: httpx2.Client, person, monkeypatch):
        monkeypatch.setattr(limits, "LOGIN_FAILURES_PER_NETWORK", 3)
        use(monkeypatch, edge_secret="edge")
        address = f"2001:db8:{uuid.uuid4().hex[:4]}::1"
        http.headers.update({"X-Lamplighter-Edge": "edge", "X-Lamplighter-Client": address})
        answers = [http.post(LOGIN, auth=(new_email(), "whatever")).status_code for _ in range(5)]

        assert answers == [401] * 3 + [429] * 2
        assert http.post(LOGIN, auth=(person.email, person.password)).status_code == 200

    def test_a_correct_guess_among_many_concurrent_ones_is_refused(self, person: Person):
        guard, now = ("0" * 64, f"network of {person.id}"), clock.now()
        user = sessions._check(person.email, person.password)
        assert user is not None
        for _ in range(settings.current().login_attempts):
            attempts.count(*guard, now, timedelta(seconds=60))

        with pytest.raises(ConditionFailed):
            sessions._begin(user, person.password, guard, now, used=None, no_expiry=False)


def test_no_password_and_no_token_is_logged_or_stored(
    http: httpx2.Client, person: Person, capfd: pytest.CaptureFixture[str]
):
    # Other tests store the shared test password in settings documents.
    own = f"only-here-{uuid.uuid4().hex}"
    useradm_service.set_password(person.tenant, person.id, own)
    token = http.post(LOGIN, auth=(person.email, own)).text
    http.post(LOGIN, auth=(person.email, "a wrong password"))
    http.put(ME, headers=bearer(token), json={"password": "another password", "current_password": "no"})
    http.put(ME, headers=bearer(token), content=b'{"password": "another password"')

    rows = json.dumps(dynamodb.shared().call("Scan", {"TableName": UseradmItem.Meta.table_name}), default=repr)
    printed = "".join(capfd.readouterr())
    for secret in (own, "a wrong password", "another password", token, token.rsplit(".", 1)[1]):
        assert secret not in printed
        assert secret not in rows
    assert "$argon2id$" in rows
