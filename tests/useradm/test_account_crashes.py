"""Crashes at every storage call of account operations: when repeated, the operation is done exactly once."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from chalicelib.errors import BadRequest
from chalicelib.useradm import service
from chalicelib.useradm.rules import Purpose
from chalicelib.useradm.service import totp, twofactor
from tests.conftest import PASSWORD
from tests.support.crashes import each_crash
from tests.useradm.browser import BASE, Browser, token_of
from tests.useradm.conftest import LOGIN, ME, USERS, Person, bearer, new_email

if TYPE_CHECKING:
    import httpx2

    from tests.support.mailbox import Mailbox
    from tests.support.provider import Provider


def test_resetting_a_password(http: httpx2.Client, person: Person) -> None:
    number = 0

    def secret() -> str:
        return service.reset_link(person.email).rpartition("/")[2]

    password, good = PASSWORD, secret()

    def run() -> None:
        service.complete_reset(good, f"password-{number}")

    for _ in each_crash(run):
        before = http.post(LOGIN, auth=(person.email, password))
        if before.status_code == 200:
            # Nothing was done: the sessions are valid, and so is the mailed secret.
            assert http.get(ME, headers=bearer(before.text)).status_code == 200
            service.complete_reset(good, f"password-{number}")
        else:
            # It was done; only the answer was lost.
            with pytest.raises(BadRequest):
                service.complete_reset(good, "once-more-and-longer")
        assert http.post(LOGIN, auth=(person.email, f"password-{number}")).status_code == 200
        password = f"password-{number}"
        number += 1
        good = secret()


def test_a_mail_is_sent_again(server, http: httpx2.Client, person: Person, box: Mailbox) -> None:
    order = service.Order(Purpose.PASSWORD_RESET, person.email)
    for _ in each_crash(lambda: service.write_mail(order)):
        service.write_mail(order)
        body = {"secret_hash": box.secret(person.email), "password": PASSWORD}
        assert http.post(f"{BASE}/auth/password-reset/complete", json=body).status_code == 202


def test_enabling_a_second_factor(person: Person) -> None:
    service.verify(person.email)

    def status() -> str:
        return str(service.get_user(person.tenant, person.id).tfa.status)

    def code() -> str:
        key = base64.b32decode(twofactor._secret(service.get_user(person.tenant, person.id)))
        return totp.code(key, int(datetime.now(UTC).timestamp()) // totp.STEP)

    def whole() -> None:
        service.enable_tfa(person.tenant, person.id)
        service.verify_tfa(person.tenant, person.id, code())

    for _ in each_crash(whole):
        if status() == "disabled":
            service.enable_tfa(person.tenant, person.id)
        if status() == "unverified":
            service.verify_tfa(person.tenant, person.id, code())
        assert status() == "enabled"
        service.disable_tfa(person.tenant, person.id)


def test_a_login_that_creates_a_user(api, browser: Browser, sign_on, provider: Provider, set_up) -> None:
    identity = set_up(auto_provision=True, allowed_domains=["example.com"])
    email = new_email()

    def run() -> None:
        answer = browser.http.get(f"{BASE}/oidc/{identity}/start")
        if answer.status_code == 302:
            browser.come_back(identity, provider.log_in(answer.headers["location"], email, email=email))

    for _ in each_crash(run):
        assert token_of(sign_on(identity, subject=email, email=email))
        [user] = api.get(USERS, params={"email": email}).json()
        assert len(user["sso"]) == 1
        email = new_email()
