"""Recovery codes: each allows one login without the authenticator app; guesses are counted as for its codes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.useradm import service
from chalicelib.useradm.service import recovery
from tests.conftest import PASSWORD
from tests.useradm.browser import BASE
from tests.useradm.conftest import ENABLE, ME, Person, Phone, bearer, log_in, meanwhile, new_email, secret_of

if TYPE_CHECKING:
    import httpx2

    from infra.local.testing import LocalServer
    from tests.support.mailbox import Mailbox

LOGS = "/api/management/v1/auditlogs/logs"
DISABLE = f"{ME}/2fa/disable"
RENEW = f"{ME}/2fa/recovery-codes"


@pytest.fixture(autouse=True)
def _within_a_step() -> Any:
    """A clock that stands still."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def codes(phone: Phone, me) -> list[str]:
    """The recovery codes of a user whose logins require codes."""
    answer = me("POST", RENEW, {"current_password": PASSWORD})
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["recovery_codes"]
    return found


def left_of(me) -> int | None:
    left: int | None = me("GET", ME).json().get("recovery_codes_left")
    return left


@given(st.text("- \t", max_size=3), st.sampled_from("0oO"), st.sampled_from("1lIi"), st.booleans())
def test_a_recovery_code_may_be_typed_in_several_ways(between: str, zero: str, one: str, upper: bool) -> None:
    code = recovery.new()[0]
    typed = between.join(code.replace("0", zero).replace("1", one))
    typed = typed.upper() if upper else typed

    assert recovery.digest("somebody", typed) == recovery.digest("somebody", code) is not None
    assert recovery.digest("another", typed) != recovery.digest("somebody", code)
    assert recovery.digest("somebody", f"{typed}x") is None


@given(st.text(max_size=30))
def test_texts_of_another_format_are_not_recovery_codes(text: str) -> None:
    found = recovery.digest("somebody", text)

    assert (found is None) or sum(each.isalnum() for each in text) == 16


def test_enabling_gives_ten_recovery_codes_once(verified: Person, me) -> None:
    assert left_of(me) is None
    me("POST", ENABLE)
    answer = me("PUT", f"{BASE}/2faverify", {"token2fa": Phone(secret_of(verified)).code()})

    assert (answer.status_code, answer.headers["cache-control"]) == (202, "no-store")
    assert len(set(answer.json()["recovery_codes"])) == 10
    assert left_of(me) == 10


def test_a_recovery_code_signs_in_once(
    server: LocalServer, http: httpx2.Client, api, verified: Person, codes: list[str], me, box: Mailbox
) -> None:
    assert log_in(http, verified, codes[3], password="wrong").status_code == 401
    assert left_of(me) == 10, "without the password a code is not even looked at"
    signed_in = log_in(http, verified, f" {codes[3].upper()} ")
    assert signed_in.status_code == 200, signed_in.text
    assert log_in(http, verified, codes[3]).status_code == 401
    assert left_of(me) == 9

    [entry] = [each for each in api.get(LOGS).json() if "recovery code of" in str(each)]
    assert (entry["action"], entry["actor"]["id"]) == ("auth_method_change", verified.id)
    assert "9 left" in str(entry)
    assert codes[3] not in str(entry)
    server.drain()
    [mail] = box.to(verified.email)
    assert "9 more are left" in mail.get_content()
    # It is equivalent to a code of the lost app.
    assert http.post(DISABLE, headers=bearer(signed_in.text)).status_code == 200
    assert left_of(me) is None


def test_a_recovery_code_confirms_the_users_identity(
    http: httpx2.Client, verified: Person, codes: list[str], me
) -> None:
    assert me("POST", RENEW, {"token2fa": codes[0]}).status_code == 200
    assert left_of(me) == 10, "new ones"
    assert log_in(http, verified, codes[1]).status_code == 401, "earlier ones ended"


def test_one_of_two_concurrent_logins_with_the_same_recovery_code_succeeds(
    http, verified: Person, codes: list[str], me
) -> None:
    inner = []
    with meanwhile("Query", lambda: inner.append(log_in(http, verified, codes[0]).status_code)):
        outer = log_in(http, verified, codes[0]).status_code

    assert (inner, outer) == ([200], 401)
    assert left_of(me) == 9


def test_two_concurrent_logins_with_different_recovery_codes_succeed(
    http, verified: Person, codes: list[str], me
) -> None:
    inner = []
    with meanwhile("Query", lambda: inner.append(log_in(http, verified, codes[0]).status_code)):
        outer = log_in(http, verified, codes[1]).status_code

    assert (inner, outer) == ([200], 200)
    assert left_of(me) == 8


def test_wrong_recovery_codes_are_counted_as_wrong_codes(
    http: httpx2.Client, verified: Person, phone: Phone, codes: list[str]
) -> None:
    for guess in recovery.new():
        assert log_in(http, verified, guess).status_code == 401

    assert log_in(http, verified, codes[0]).status_code == 429
    assert log_in(http, verified, phone.code()).status_code == 429


def test_recovery_codes_require_a_second_factor(http: httpx2.Client, verified: Person, me, login) -> None:
    token = http.post(f"{BASE}/settings/tokens", json={"name": "ci"}, headers=bearer(login())).text
    assert me("POST", RENEW, {"current_password": PASSWORD}).status_code == 400, "there is no second factor"
    me("POST", ENABLE)
    me("PUT", f"{BASE}/2faverify", {"token2fa": Phone(secret_of(verified)).code()})

    assert me("POST", RENEW).status_code == 403, "this session began without a code"
    assert me("POST", RENEW, {"current_password": "wrong"}).status_code == 422
    assert http.post(RENEW, json={"current_password": PASSWORD}, headers=bearer(token)).status_code == 403
    assert left_of(me) == 10


@pytest.mark.parametrize("ending", ["disabled", "reset by the admin", "another address"])
def test_disabling_the_second_factor_invalidates_recovery_codes(
    http: httpx2.Client, verified: Person, codes: list[str], me, ending: str
) -> None:
    match ending:
        case "disabled":
            assert me("POST", DISABLE, {"current_password": PASSWORD}).status_code == 200
        case "reset by the admin":
            service.reset_tfa(verified.email)
        case _:
            assert me("PUT", ME, {"email": new_email(), "current_password": PASSWORD}).status_code == 204

    assert service.get_user(verified.tenant, verified.id).tfa.recovery == frozenset()


def test_recovery_codes_are_in_no_table_and_no_log(
    server: LocalServer, http: httpx2.Client, verified: Person, codes: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lamplighter")
    assert log_in(http, verified, codes[0]).status_code == 200
    dynamodb = boto3.client("dynamodb")
    stored = str(dynamodb.scan(TableName="lamplighter-local-useradm"))
    dynamodb.close()

    for code in codes:
        assert code not in caplog.text
        assert code.replace("-", "") not in stored.replace("-", "")
