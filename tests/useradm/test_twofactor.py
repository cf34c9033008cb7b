"""Two-factor authentication: logins require a valid, unused code, and only the user can change it."""

from __future__ import annotations

import base64
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import time_machine
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.aws import vault
from chalicelib.errors import NotFound
from chalicelib.useradm import service
from chalicelib.useradm.service import sessions, totp
from tests.conftest import PASSWORD
from tests.useradm.browser import BASE
from tests.useradm.conftest import (
    ENABLE,
    LOGIN,
    ME,
    USERS,
    Person,
    Phone,
    bearer,
    log_in,
    meanwhile,
    new_email,
    secret_of,
)

if TYPE_CHECKING:
    import httpx2

    from infra.local.testing import LocalServer

DISABLE = f"{ME}/2fa/disable"


# --- The codes


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1234567890, "89005924"), (20000000000, "65353130")],
)
def test_codes_equal_those_of_rfc_6238(seconds: int, code: str) -> None:
    assert totp.code(b"12345678901234567890", seconds // 30, digits=8) == code


SECRET = base64.b32encode(b"12345678901234567890").decode()
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
STEP = int(NOON.timestamp()) // 30


@given(st.integers(-5, 5), st.integers(0, 29), st.none() | st.integers(-3, 3))
def test_a_code_is_valid_around_its_time_and_after_the_last_used_one(
    drift: int, seconds: int, last: int | None
) -> None:
    code = totp.code(b"12345678901234567890", STEP + drift)
    after = None if last is None else STEP + last

    found = totp.matching_step(SECRET, code, NOON + timedelta(seconds=seconds), after=after)

    assert (found == STEP + drift) == (abs(drift) <= 1 and (last is None or drift > last))
    assert found in (None, STEP + drift)


@given(st.text(max_size=10))
def test_texts_of_another_format_are_not_codes(text: str) -> None:
    right = {totp.code(b"12345678901234567890", STEP + drift) for drift in (-1, 0, 1)}

    assert (totp.matching_step(SECRET, text, NOON, after=None) is None) == (text.replace(" ", "") not in right)


# --- The user


@pytest.fixture(autouse=True)
def _within_a_step() -> Any:
    """A clock that stands still."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


def status_of(me) -> str:
    return str(me("GET", ME).json()["tfa_status"])


def test_enabling_and_disabling(http: httpx2.Client, verified: Person, me) -> None:
    assert status_of(me) == "disabled"
    assert me("POST", ENABLE).status_code == 200
    assert status_of(me) == "unverified"
    assert log_in(http, verified, None).status_code == 200, "no code is needed yet"
    phone = Phone(secret_of(verified))
    assert me("PUT", f"{BASE}/2faverify", {"token2fa": phone.code()}).status_code == 202
    assert status_of(me) == "enabled"
    assert log_in(http, verified, None).status_code == 401
    assert me("POST", DISABLE).status_code == 403, "this session began without a code"
    assert me("POST", DISABLE, {"current_password": PASSWORD}).status_code == 200
    assert status_of(me) == "disabled"
    assert log_in(http, verified, None).status_code == 200


def test_the_qr_code_is_shown_until_it_is_used(verified: Person, me) -> None:
    assert me("GET", f"{BASE}/2faqr").status_code == 400
    me("POST", ENABLE)
    answer = me("GET", f"{BASE}/2faqr")
    assert base64.b64decode(answer.json()["qr"], validate=True).startswith(b"\x89PNG\r\n")
    assert answer.json()["secret"] == secret_of(verified), "to type, for an app on a device without a camera"
    assert answer.headers["cache-control"] == "no-store"
    me("PUT", f"{BASE}/2faverify", {"token2fa": Phone(secret_of(verified)).code()})

    assert me("GET", f"{BASE}/2faqr").status_code == 400


def test_the_content_of_the_qr_code(verified: Person) -> None:
    assert totp.uri("ABC", "pat+1@example.com") == (
        "otpauth://totp/Lamplighter:pat%2B1%40example.com?secret=ABC&issuer=Lamplighter&digits=6&period=30"
    )


def test_enabling_requires_a_verified_address(me) -> None:
    assert me("POST", ENABLE).status_code == 403


def test_steps_in_the_wrong_order_are_refused(verified: Person, me) -> None:
    assert me("POST", DISABLE).status_code == 400
    assert me("PUT", f"{BASE}/2faverify", {"token2fa": "123456"}).status_code == 400
    me("POST", ENABLE)
    assert me("POST", ENABLE).status_code == 400
    assert me("POST", DISABLE).status_code == 400
    phone = Phone(secret_of(verified))
    assert me("PUT", f"{BASE}/2faverify", {"token2fa": phone.wrong()}).status_code == 400
    assert status_of(me) == "unverified"
    me("PUT", f"{BASE}/2faverify", {"token2fa": phone.code()})
    assert me("POST", ENABLE).status_code == 400
    assert me("PUT", f"{BASE}/2faverify", {"token2fa": phone.code(1)}).status_code == 400


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ({}, 403),
        ({"current_password": ""}, 403),
        ({"current_password": None}, 403),
        ({"current_password": "a-wrong-one"}, 422),
        ({"token2fa": "wrong"}, 422),
        ({"current_password": PASSWORD, "token2fa": "wrong"}, 422),
        ({"current_password": PASSWORD}, 200),
        ({"token2fa": "right"}, 200),
    ],
    ids=str,
)
def test_disabling_requires_a_code(verified: Person, phone: Phone, me, shown: dict[str, Any], status: int) -> None:
    codes = {"right": phone.code(), "wrong": phone.wrong()}
    if "token2fa" in shown:
        shown = shown | {"token2fa": codes[shown["token2fa"]]}

    answer = me("POST", DISABLE, shown)

    assert answer.status_code == status, answer.text
    assert status_of(me) == ("disabled" if status == 200 else "enabled")


def test_a_session_signed_in_with_a_code_can_disable_it(
    http: httpx2.Client, verified: Person, phone: Phone, me
) -> None:
    signed_in = bearer(log_in(http, verified, phone.code()).text)

    assert http.post(DISABLE, headers=signed_in).status_code == 200
    assert status_of(me) == "disabled"


def test_codes_for_confirmation_are_valid_once_and_wrong_ones_are_counted(
    http: httpx2.Client, verified: Person, phone: Phone, me
) -> None:
    assert log_in(http, verified, phone.code()).status_code == 200
    for code in [phone.code()] + [phone.wrong()] * 9:
        assert me("POST", DISABLE, {"token2fa": code}).status_code == 422

    assert me("POST", DISABLE, {"token2fa": phone.code(1)}).status_code == 429
    assert status_of(me) == "enabled"


@pytest.mark.parametrize("action", ["enable", "disable"])
def test_users_cannot_change_it_for_others(api: httpx2.Client, verified: Person, phone: Phone, action: str) -> None:
    mine = api.get(ME).json()["id"]

    assert api.post(f"{USERS}/{verified.id}/2fa/{action}").status_code == 403
    assert api.post(f"{USERS}/nobody/2fa/{action}").status_code == 404
    assert api.post(f"{USERS}/{mine}/2fa/{action}").status_code == (403 if action == "enable" else 400), "own, by id"


def test_a_login_requires_the_code(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    missing = log_in(http, verified, None)
    assert (missing.status_code, missing.json()["error"]) == (401, "2fa needed")
    assert log_in(http, verified, phone.wrong()).status_code == 401
    assert log_in(http, verified, phone.code(), password="wrong").json()["error"] == "unauthorized"

    assert log_in(http, verified, phone.code()).status_code == 200


def test_a_code_can_be_used_once(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    assert log_in(http, verified, phone.code(-1)).status_code == 401, "it verified the app"
    assert log_in(http, verified, phone.code()).status_code == 200
    assert log_in(http, verified, phone.code()).status_code == 401
    assert log_in(http, verified, phone.code(1)).status_code == 200, "the phone's clock may be ahead"
    assert log_in(http, verified, phone.code()).status_code == 401, "older than the last"


def test_one_of_two_concurrent_logins_with_the_same_code_succeeds(
    http: httpx2.Client, verified: Person, phone: Phone
) -> None:
    inner = []
    with meanwhile("Query", lambda: inner.append(log_in(http, verified, phone.code()).status_code)):
        outer = log_in(http, verified, phone.code()).status_code

    assert (inner, outer) == ([200], 401)


def test_wrong_codes_are_counted_for_the_user(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    for number in range(10):
        with pytest.raises(Exception, match="2fa"):
            # Each from another network.
            sessions.login(verified.email, PASSWORD, f"192.0.2.{number}", code=phone.wrong())

    answer = log_in(http, verified, phone.code())

    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300


def test_a_correct_code_resets_the_count(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    for code in [phone.wrong()] * 9 + [phone.code()] + [phone.wrong()] * 9:
        log_in(http, verified, code)

    assert log_in(http, verified, phone.code(1)).status_code == 200


def test_a_new_address_disables_it(http: httpx2.Client, verified: Person, phone: Phone, me) -> None:
    new = new_email()
    assert me("PUT", ME, {"email": new, "current_password": PASSWORD}).status_code == 204

    assert status_of(me) == "disabled"
    assert http.post(LOGIN, auth=(new, PASSWORD)).status_code == 200


def test_a_new_password_does_not_disable_it(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    service.set_password(verified.tenant, verified.id, "another-long-enough-one")

    assert log_in(http, verified, None, "another-long-enough-one").status_code == 401
    assert log_in(http, verified, phone.code(), "another-long-enough-one").status_code == 200


def test_the_admin_can_disable_it(http: httpx2.Client, verified: Person, phone: Phone) -> None:
    assert service.reset_tfa(verified.email).id == verified.id
    assert log_in(http, verified, None).status_code == 200
    service.reset_tfa(verified.email)
    with pytest.raises(NotFound):
        service.reset_tfa(new_email())


def test_the_secret_is_encrypted_for_its_user_and_in_no_log(
    server: LocalServer, http: httpx2.Client, verified: Person, phone: Phone, api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lamplighter")
    log_in(http, verified, phone.wrong())
    log_in(http, verified, phone.code())
    dynamodb = boto3.client("dynamodb")
    stored = str(dynamodb.scan(TableName="lamplighter-local-useradm"))
    dynamodb.close()

    for secret in (phone.secret, base64.b32decode(phone.secret).hex(), phone.code(), PASSWORD):
        assert secret not in caplog.text
    assert phone.secret not in stored
    sealed = service.get_user(verified.tenant, verified.id).tfa.secret
    assert sealed is not None
    with pytest.raises(InvalidTag):
        vault.unseal(sealed, verified.tenant, "somebody-else")
