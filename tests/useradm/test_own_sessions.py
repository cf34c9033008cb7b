"""A user's own sessions: listing and ending them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import time_machine

from chalicelib import clock, times
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, ME, bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn
    from tests.useradm.conftest import Person

SESSIONS, LOGOUT = f"{BASE}/users/me/sessions", f"{BASE}/auth/logout"


def listed(http: httpx2.Client, token: str) -> list[dict[str, Any]]:
    answer = http.get(SESSIONS, headers=bearer(token))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def end(http: httpx2.Client, token: str, session: str) -> int:
    return http.post(LOGOUT, params={"session": session}, headers=bearer(token)).status_code


def test_a_session_is_listed_until_it_is_ended(http: httpx2.Client, person: Person, login: Callable[[], str]):
    first = login()
    with time_machine.travel(clock.now() + timedelta(seconds=2)):
        second = login()
        here, there = listed(http, second)
        assert (here["current"], there["current"]) == (True, False)
        assert times.read(here["created_ts"]) > times.read(there["created_ts"])
        assert times.read(here["expiration_date"]) > times.read(here["created_ts"])
        assert [each["current"] for each in listed(http, first)] == [False, True]

        for _ in range(2):  # repeating it changes nothing
            assert end(http, second, there["id"]) == 202
        assert http.get(ME, headers=bearer(first)).status_code == 401
        assert listed(http, second) == [here]
    with time_machine.travel(clock.now() + timedelta(days=8)):
        late = http.post(LOGIN, auth=(person.email, person.password), json={"no_expiry": True}).text
        [only] = listed(http, late)
        assert "expiration_date" not in only


def test_personal_access_tokens_are_not_sessions_and_cannot_end_them(
    http: httpx2.Client, login: Callable[[], str], tenant: Tenant
):
    session = login()
    made = http.post(f"{BASE}/settings/tokens", json={"name": "ci", "expires_in": 60}, headers=bearer(session))
    token = made.text
    [row] = http.get(f"{BASE}/settings/tokens", headers=bearer(session)).json()

    [only] = listed(http, token)
    assert only["current"] is False
    assert end(http, token, only["id"]) == 403
    assert end(http, session, row["id"]) == 202
    assert http.get(ME, headers=bearer(token)).status_code == 200
    assert http.get(ME, headers=bearer(session)).status_code == 200


def test_sessions_of_other_users_cannot_be_ended(
    http: httpx2.Client, login: Callable[[], str], tenant: Tenant, sign_in: SignIn
):
    [mine] = listed(http, login())
    colleague = sign_in(tenant)

    assert colleague.post(LOGOUT, params={"session": mine["id"]}).status_code == 202
    assert colleague.get(SESSIONS).status_code == 200
    assert mine["id"] not in [each["id"] for each in colleague.get(SESSIONS).json()]
    assert mine["id"] in [each["id"] for each in listed(http, login())]
