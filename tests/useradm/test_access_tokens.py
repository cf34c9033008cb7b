"""Personal access tokens (``docs/behaviour.md#personal-access-tokens``)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import time_machine

from chalicelib import clock, limits
from chalicelib.useradm.service import sessions
from chalicelib.useradm.tables import tokens
from tests.conftest import PASSWORD
from tests.useradm.conftest import ME, bearer, dynamodb_calls

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn

TOKENS = "/api/management/v1/useradm/settings/tokens"


def create(api: httpx2.Client, name: str = "script", **more) -> str:
    answer = api.post(TOKENS, json={"name": name, **more})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_token_is_shown_once_and_works(api: httpx2.Client, http: httpx2.Client):
    answer = api.post(TOKENS, json={"name": "script", "expires_in": 3600})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jwt"
    assert http.get(ME, headers=bearer(answer.text)).json()["id"] == api.get(ME).json()["id"]
    listed = api.get(TOKENS)
    [shown] = listed.json()
    claims = jwt.decode(answer.text, options={"verify_signature": False})
    assert answer.text.rsplit(".", 1)[1] not in listed.text
    assert shown["id"] == claims["jti"]
    assert shown["name"] == "script"
    assert set(shown) == {"id", "name", "created_ts", "expiration_date", "last_used"}
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("life", [{}, {"expires_in": 0}])
def test_a_token_without_expiry(api: httpx2.Client, http: httpx2.Client, life: dict[str, Any]):
    token = create(api, **life)

    assert "exp" not in jwt.decode(token, options={"verify_signature": False})
    assert "expiration_date" not in api.get(TOKENS).json()[0]
    with time_machine.travel(clock.now() + timedelta(days=4000)):
        assert http.get(ME, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"name": ""},
        {"name": "x" * (limits.TOKEN_NAME + 1)},
        {"name": "x", "expires_in": -1},
        {"name": "x", "expires_in": limits.TOKEN_LIFE_MAX + 1},
        {"name": "x", "expires_in": 1.5},
        {"name": 1},
    ],
)
def test_invalid_tokens_are_refused(api: httpx2.Client, wanted: dict[str, Any]):
    assert api.post(TOKENS, json=wanted).status_code == 400
    assert api.get(TOKENS).json() == []


def test_names_are_unique_for_each_user(api: httpx2.Client, sign_in: SignIn, tenant):
    create(api)

    assert api.post(TOKENS, json={"name": "script"}).status_code == 409
    create(sign_in(tenant))


def test_a_user_can_have_ten_tokens(api: httpx2.Client, http: httpx2.Client):
    life = limits.TOKEN_LIFE_MAX
    for number in range(limits.TOKENS_PER_USER):
        create(api, f"script {number}", expires_in=life if number else 60)

    assert api.post(TOKENS, json={"name": "one more"}).status_code == 422
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        # One has expired: it is not listed, does not count, and its name is free.
        assert len(api.get(TOKENS).json()) == limits.TOKENS_PER_USER - 1
        create(api, "script 0")
        assert len(api.get(TOKENS).json()) == limits.TOKENS_PER_USER


def test_concurrent_requests_do_not_exceed_the_limit(api: httpx2.Client):
    def one(number: int) -> int:
        return int(api.post(TOKENS, json={"name": f"script {number}"}).status_code)

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(one, range(16)))

    assert statuses.count(200) == len(api.get(TOKENS).json()) <= limits.TOKENS_PER_USER
    assert set(statuses) <= {200, 422, 503}


def test_the_oldest_is_listed_first(api: httpx2.Client):
    now = clock.now()
    for number, name in enumerate(["b", "c", "a"]):
        with time_machine.travel(now + timedelta(seconds=number)):
            create(api, name)

    assert [token["name"] for token in api.get(TOKENS).json()] == ["b", "c", "a"]


def test_a_revoked_token_gets_401_at_the_next_call(api: httpx2.Client, http: httpx2.Client):
    token = create(api)
    assert http.get(ME, headers=bearer(token)).status_code == 200
    [shown] = api.get(TOKENS).json()

    for _ in range(2):
        answer = api.delete(f"{TOKENS}/{shown['id']}")
        assert (answer.status_code, answer.content) == (204, b"")

    assert http.get(ME, headers=bearer(token)).status_code == 401
    assert api.get(TOKENS).json() == []
    assert api.get(ME).status_code == 200


def test_tokens_of_other_users_cannot_be_revoked(api: httpx2.Client, http: httpx2.Client, sign_in: SignIn, tenant):
    token = create(api)
    [shown] = api.get(TOKENS).json()
    colleague = sign_in(tenant)

    assert colleague.delete(f"{TOKENS}/{shown['id']}").status_code == 204

    assert http.get(ME, headers=bearer(token)).status_code == 200
    assert colleague.get(TOKENS).json() == []


def test_a_session_cannot_be_revoked_as_a_token(api: httpx2.Client):
    session = jwt.decode(api.headers["authorization"].split()[1], options={"verify_signature": False})["jti"]

    assert api.delete(f"{TOKENS}/{session}").status_code == 204
    assert api.get(ME).status_code == 200


def test_the_limit_of_sessions_removes_no_tokens(api: httpx2.Client, http: httpx2.Client):
    token, me = create(api), api.get(ME).json()
    for _ in range(limits.SESSIONS_PER_USER + 1):
        sessions.login(me["email"], PASSWORD, "127.0.0.1")

    assert http.get(ME, headers=bearer(token)).status_code == 200


def test_the_last_use_is_stored_every_five_minutes(api: httpx2.Client, http: httpx2.Client):
    token = create(api)
    assert "last_used" not in api.get(TOKENS).json()[0]
    now = clock.now()

    writes = []
    for seconds in (0, 200, 299, 300, 301):
        with time_machine.travel(now + timedelta(seconds=seconds), tick=False), dynamodb_calls() as calls:
            assert http.get(ME, headers=bearer(token)).status_code == 200
        writes.append(calls.count("UpdateItem"))

    assert writes == [1, 0, 0, 1, 0]
    assert api.get(TOKENS).json()[0]["last_used"] == clock.rfc3339(now + timedelta(seconds=300))


def test_storing_the_last_use_does_not_restore_a_revoked_token(api: httpx2.Client, tenant):
    me = api.get(ME).json()["id"]

    assert tokens.note_use(tenant.id, me, "revoked", clock.now()) is False
    assert tokens.find(tenant.id, me, "revoked") is None
