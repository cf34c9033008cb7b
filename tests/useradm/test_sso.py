"""Single sign-on with a real provider: who can sign in, as which user, and everything that must fail."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx2
import pytest
from cryptography.hazmat.primitives import serialization

from chalicelib import limits
from chalicelib.tenantadm import service
from chalicelib.useradm.service.sso import relying_party
from tests.conftest import PASSWORD, SignIn
from tests.support.mailbox import use
from tests.support.provider import _EC, CLIENT, SECRET, UNKNOWN_KEY, Provider, public_rsa
from tests.useradm.browser import BASE, Browser, token_of
from tests.useradm.conftest import LOGIN, ME, METADATA, USERS, Person, bearer, later, new_email, wanted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant


# --- Successful logins


def test_a_user_signs_in_by_verified_address(http, api, set_up, sign_on, person: Person, server) -> None:
    answer = sign_on(set_up(), email=person.email.upper())

    assert answer.headers["location"] == f"{server.url}/ui/"
    assert answer.headers["cache-control"] == "no-store"
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith("JWT=")]
    assert cookie.endswith("; Path=/ui; SameSite=Strict")
    shown = http.get(ME, headers=bearer(token_of(answer))).json()
    assert shown["id"] == person.id
    [tied] = api.get(f"{USERS}/{person.id}").json()["sso"]
    assert (tied["kind"], tied["subject"]) == ("sso/oidc", "subject-1")
    assert http.post(LOGIN, auth=(person.email, PASSWORD)).status_code == 200, "the password is as good as before"


def test_cookies_are_secure_if_the_server_uses_tls(set_up, sign_on, person: Person, monkeypatch) -> None:
    identity = set_up()
    use(monkeypatch, public_url="https://lamplighter.example")

    answer = sign_on(identity, email=person.email)

    # The browser was redirected; it returns without the cookie, which is for TLS only.
    assert answer.status_code == 400


def test_the_redirect_to_the_provider(browser: Browser, set_up, server) -> None:
    identity = set_up()
    for path in (f"{BASE}/oidc/{identity}/start", f"{BASE}/auth/sso/{identity}/login"):
        answer = browser.http.get(path)
        assert answer.status_code == 302
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
        assert query["tenant"] == "x", "what the provider's URL says stays"
        assert query["client_id"] == CLIENT
        assert query["redirect_uri"] == f"{server.url}{BASE}/oidc/{identity}/callback"
        assert query["code_challenge_method"] == "S256"
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=Lax" in answer.headers["set-cookie"]


def test_unknown_people_become_users_if_configured(http, api, set_up, sign_on) -> None:
    email = new_email()
    identity = set_up(auto_provision=True, allowed_domains=["Example.com"], roles=["RBAC_ROLE_CI"])

    token = token_of(sign_on(identity, email=email))

    shown = http.get(ME, headers=bearer(token)).json()
    assert (shown["email"], shown["verified"], shown["roles"]) == (email, True, ["RBAC_ROLE_CI"])
    assert http.get(USERS, headers=bearer(token)).status_code == 403
    assert token_of(sign_on(identity, email=email)), "and log in again"
    assert len(api.get(USERS, params={"email": email}).json()) == 1


def test_new_users_can_only_read_unless_roles_are_configured(http, set_up, sign_on) -> None:
    identity = set_up(auto_provision=True, allowed_domains=["example.com"])

    token = token_of(sign_on(identity, email=new_email()))

    assert http.get(ME, headers=bearer(token)).json()["roles"] == ["RBAC_ROLE_OBSERVER"]


def test_a_user_without_a_password_is_redirected_to_the_provider(
    server, http, set_up, sign_on, person: Person, box
) -> None:
    identity, email = set_up(auto_provision=True, allowed_domains=["example.com"]), new_email()
    sign_on(identity, email=email)

    assert http.post(LOGIN, auth=(email, "")).json() == {"id": identity, "kind": "sso/oidc"}
    assert http.post(LOGIN, auth=(email, "wrong")).status_code == 401
    assert http.post(LOGIN, auth=(new_email(), "")).status_code == 401
    assert http.post(LOGIN, auth=(person.email, "")).status_code == 401
    http.post(f"{BASE}/auth/password-reset/start", json={"email": email})
    server.drain()
    assert box.mails == [], "a password would outlive the identity"


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_all_supported_key_types(set_up, sign_on, person: Person, provider: Provider, algorithm: str) -> None:
    provider.algorithm = algorithm
    if algorithm == "ES256":
        provider.key, provider.header = _EC, {"kid": "two"}

    assert token_of(sign_on(set_up(), email=person.email))


def test_a_provider_that_rotates_its_keys(set_up, sign_on, person: Person, provider: Provider, monkeypatch) -> None:
    monkeypatch.setattr(relying_party, "_LOOK_AGAIN", 0.0)
    identity = set_up()
    assert token_of(sign_on(identity, email=person.email))
    provider.keys, provider.header = [public_rsa("three")], {"kid": "three"}

    assert token_of(sign_on(identity, email=person.email))
    assert provider.seen.count("/jwks") == 2
    assert provider.seen.count("/.well-known/openid-configuration") == 1, "asked once"


def test_a_provider_that_requires_the_secret_in_the_form(set_up, sign_on, person: Person, provider: Provider) -> None:
    provider.methods = ["client_secret_post"]

    assert token_of(sign_on(set_up(), email=person.email))


# --- Refused logins


FORGED: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "http://localhost:1"},
    "another client": {"aud": "other"},
    "several clients": {"aud": [CLIENT, "other"]},
    "made for another": {"azp": "other"},
    "another login": {"nonce": "other"},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(time.time()) - 61},
    "never expires": {"exp": None},
    "not yet": {"iat": int(time.time()) + 3600},
    "nobody": {"sub": None},
    "not verified": {"email_verified": False},
    "nothing said of verification": {"email_verified": None},
    "no address": {"email": None},
    "an address that is none": {"email": "x"},
}


@pytest.mark.parametrize("how", FORGED)
def test_wrong_claims_are_refused(set_up, sign_on, person: Person, how: str) -> None:
    answer = sign_on(set_up(), **({"email": person.email} | FORGED[how]))

    assert answer.status_code == 403
    assert not answer.headers.get_list("set-cookie")


def test_wrong_signatures_are_refused(set_up, sign_on, person: Person, provider: Provider) -> None:
    identity = set_up()
    pem = _EC.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for algorithm, key, header in (
        ("RS256", UNKNOWN_KEY, {"kid": "one"}),
        ("RS256", UNKNOWN_KEY, {"kid": "other"}),
        ("RS256", UNKNOWN_KEY, {}),
        ("HS256", pem, {"kid": "two"}),
        ("HS256", SECRET.encode(), {"kid": "one"}),
        ("none", None, {"kid": "one"}),
        ("ES256", _EC, {"kid": "one"}),
    ):
        provider.algorithm, provider.key, provider.header = algorithm, key, header
        assert sign_on(identity, email=person.email).status_code == 403, (algorithm, header)


def test_symmetric_keys_of_the_provider_are_ignored(set_up, sign_on, person: Person, provider: Provider) -> None:
    provider.keys.append({"kty": "oct", "kid": "three", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"})
    provider.algorithm, provider.header = "HS256", {"kid": "three"}
    provider.key = b"secret-secret-secret-secret-secr"

    assert sign_on(set_up(), email=person.email).status_code == 403


def test_an_address_outside_of_the_domains_is_refused(set_up, sign_on, person: Person) -> None:
    assert sign_on(set_up(allowed_domains=["example.org"]), email=person.email).status_code == 403


def test_unknown_people_are_refused_by_default(api, set_up, sign_on) -> None:
    assert sign_on(set_up(), email=new_email()).status_code == 403
    assert len(api.get(USERS).json()) == 1


def test_users_of_another_tenant_are_refused(set_up, sign_on, sign_in: SignIn) -> None:
    """A provider can assert any address, so it is trusted in its own tenant only."""
    theirs = sign_in(service.create_tenant("Other")).get(ME).json()
    identity = set_up(auto_provision=True, allowed_domains=["example.com"])

    assert sign_on(identity, email=theirs["email"]).status_code == 403


def test_another_person_who_gets_the_address_later_is_refused(set_up, sign_on, person: Person) -> None:
    identity = set_up()
    assert sign_on(identity, subject="first", email=person.email).status_code == 302

    assert sign_on(identity, subject="second", email=person.email).status_code == 403


# --- The browser


def test_a_login_can_be_completed_once(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    answer = provider.log_in(browser.begin(identity), email=person.email)
    verifier = browser.http.cookies["oidc_login"]

    assert browser.come_back(identity, answer).status_code == 302
    browser.http.cookies.set("oidc_login", verifier)
    assert browser.come_back(identity, answer).status_code == 400


def test_a_login_cannot_be_completed_in_another_browser(
    server, browser: Browser, provider: Provider, set_up, person: Person
) -> None:
    identity = set_up()
    answer = provider.log_in(browser.begin(identity), email=person.email)
    other = Browser(server)
    assert other.come_back(identity, answer).status_code == 400
    other.begin(identity)
    assert other.come_back(identity, provider.log_in(browser.begin(identity), email=person.email)).status_code == 400
    other.http.close()


def test_a_login_expires(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    answer = provider.log_in(browser.begin(identity), email=person.email)
    browser.http.cookies.set("oidc_login", browser.http.cookies["oidc_login"])

    with later(601):
        assert browser.come_back(identity, answer).status_code == 400


def test_a_login_cannot_be_completed_at_another_provider(
    server, browser: Browser, provider: Provider, set_up, person: Person, sign_in: SignIn
) -> None:
    """CVE-2024-37019: a login that begins in one tenant must not end in another."""
    identity = set_up()
    evil = sign_in(service.create_tenant("Evil"))
    theirs = evil.post(METADATA, json=wanted(provider)).headers["location"].rpartition("/")[2]

    answer = provider.log_in(browser.begin(theirs), email=person.email)
    assert browser.come_back(identity, answer).status_code == 400
    answer = provider.log_in(browser.begin(identity), email=person.email)
    assert browser.come_back(identity, answer | {"iss": "http://localhost:1"}).status_code == 400
    assert evil.get(f"{METADATA}/{identity}").status_code == 404
    assert evil.put(f"{METADATA}/{identity}", json=wanted(provider)).status_code == 404
    assert evil.delete(f"{METADATA}/{identity}").status_code == 404


@pytest.mark.parametrize(
    "answer", [{}, {"state": "x"}, {"code": "x"}, {"state": "x", "code": "y"}, {"state": "é" * 3000}]
)
def test_a_callback_without_a_login_is_refused(browser: Browser, set_up, answer: dict[str, str]) -> None:
    assert browser.come_back(set_up(), answer).status_code == 400


def test_a_provider_that_refuses_the_login(browser: Browser, provider: Provider, set_up) -> None:
    identity = set_up()
    state = provider.log_in(browser.begin(identity))["state"]

    answer = browser.come_back(identity, {"state": state, "error": "access_denied", "error_description": "<b>no</b>"})

    assert answer.status_code == 403
    assert "<b>" not in answer.text


@pytest.mark.parametrize("path", ["oidc/{}/start", "auth/sso/{}/login"])
@pytest.mark.parametrize("identity", ["6d5f0b4e-0000-4000-8000-000000000001", "x", "a#b"])
def test_an_unknown_provider_gets_404(http: httpx2.Client, path: str, identity: str) -> None:
    assert http.get(f"{BASE}/{path.format(identity.replace('#', '%23'))}").status_code == 404


def test_suspension_or_a_smaller_plan_prevents_logins(http, tenant: Tenant, set_up, sign_on, person: Person) -> None:
    identity = set_up()
    service.set_status(tenant.id, service.Status.SUSPENDED)

    assert http.get(f"{BASE}/oidc/{identity}/start").status_code == 404


@pytest.mark.parametrize(("limit", "most"), [("SSO_LOGINS_PER_NETWORK", 2), ("SSO_LOGINS", 3)])
def test_the_number_of_started_logins_is_limited(http, set_up, monkeypatch, limit: str, most: int) -> None:
    identity = set_up()
    monkeypatch.setattr(limits, limit, most)
    answers = [http.get(f"{BASE}/oidc/{identity}/start") for _ in range(most + 1)]

    assert [answer.status_code for answer in answers] == [302] * most + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600


def test_logins_at_a_deleted_provider_are_refused(
    browser: Browser, api, provider: Provider, set_up, person: Person
) -> None:
    identity = set_up()
    answer = provider.log_in(browser.begin(identity), email=person.email)
    assert api.delete(f"{METADATA}/{identity}").status_code == 204

    assert browser.come_back(identity, answer).status_code == 404
    assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 404


def test_a_failing_provider_causes_503(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    answer = provider.log_in(browser.begin(identity), email=person.email)
    provider.codes.clear()

    assert browser.come_back(identity, answer).status_code == 503


# --- Secrets


def test_secrets_are_in_no_table_and_no_log(
    server, browser: Browser, provider: Provider, set_up, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="lamplighter")
    identity = set_up()
    back = provider.log_in(browser.begin(identity), email=person.email)
    verifier = browser.http.cookies["oidc_login"]
    dynamodb = boto3.client("dynamodb")
    stored = str(dynamodb.scan(TableName="lamplighter-local-useradm"))
    dynamodb.close()
    token = token_of(browser.come_back(identity, back))

    for secret in (SECRET, verifier, back["state"], back["code"], token):
        assert secret not in stored
        assert secret not in caplog.text
