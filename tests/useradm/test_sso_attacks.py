"""Attacks on single sign-on: nobody can sign in as another user."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.conftest import PASSWORD, SignIn
from tests.support.mailbox import use
from tests.support.provider import Provider
from tests.useradm.browser import BASE, Browser, token_of
from tests.useradm.conftest import LOGIN, ME, METADATA, USERS, Person, bearer, new_email, wanted

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant


from chalicelib.tenantadm import service
from chalicelib.useradm.service import passwords
from tests.useradm.attacks import refused, signed

# --- State, nonce, code


def test_a_token_of_an_earlier_login_cannot_be_replayed(set_up, sign_on, person: Person, provider: Provider) -> None:
    kept: list[str] = []

    def keep(said: dict[str, Any]) -> str:
        kept.append(signed(said))
        return kept[0]

    identity, provider.token = set_up(), keep
    assert token_of(sign_on(identity, email=person.email))

    refused(sign_on(identity, email=person.email))
    assert kept[0] != kept[1]


def test_login_csrf_is_refused(server, browser: Browser, provider: Provider, set_up, person: Person) -> None:
    """The attacker begins a login as themselves and lets the victim's browser finish it."""
    identity = set_up()
    link = provider.log_in(browser.begin(identity), email=person.email)
    victim = Browser(server)

    refused(victim.come_back(identity, link), 400)
    refused(browser.come_back(identity, link), 400)  # it is used up, too
    assert provider.redeemed == [], "its code was not even sent on"
    victim.http.close()


def test_a_wrong_pkce_verifier_is_refused(server, browser: Browser, provider: Provider, set_up) -> None:
    identity = set_up()
    with httpx2.Client(base_url=server.url) as stranger:
        for verifier in (b"", b"x", b"A" * 43, b"\xe9", b'"', b"a;b", b"x" * 4000):
            back = provider.log_in(browser.begin(identity), email=new_email())
            cookie = [(b"Cookie", b"oidc_login=" + verifier)]
            answer = stranger.get(f"{BASE}/oidc/{identity}/callback", params=back, headers=cookie)
            refused(answer, 400, about=verifier)
    assert provider.redeemed == []


def test_a_code_of_another_login_is_refused(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    """A stolen code in the attacker's own login: the provider requires the verifier of the other browser."""
    identity = set_up()
    stolen = provider.log_in(browser.begin(identity), email=person.email)["code"]
    mine = provider.log_in(browser.begin(identity), email=new_email())

    refused(browser.come_back(identity, mine | {"code": stolen}), 503)


def test_a_stolen_code_is_refused_even_if_the_provider_ignores_the_verifier(
    browser: Browser, provider: Provider, set_up, person: Person
) -> None:
    """The nonce binds the token to its login."""
    identity = set_up()
    stolen = provider.log_in(browser.begin(identity), email=person.email)["code"]
    mine = provider.log_in(browser.begin(identity), email=person.email)
    provider.codes[stolen] |= {name: provider.codes[mine["code"]][name] for name in ("code_challenge",)}

    refused(browser.come_back(identity, mine | {"code": stolen}))


def test_pkce_is_always_used(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    asked = [parse_qs(urlsplit(browser.begin(identity)).query) for _ in range(2)]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name][0]) >= 43, "256 bits"
        assert asked[0][name] != asked[1][name]
    assert asked[0]["code_challenge_method"] == ["S256"]

    back = provider.log_in(browser.begin(identity), email=person.email)
    assert browser.come_back(identity, back).status_code == 302
    assert len(provider.redeemed[0]["code_verifier"]) >= 43


def test_a_login_of_another_tenant_is_refused(
    server, browser: Browser, provider: Provider, set_up, person: Person, sign_in: SignIn
) -> None:
    identity = set_up()
    evil = sign_in(service.create_tenant("Evil"))
    theirs = evil.post(METADATA, json=wanted(provider)).headers["location"].rpartition("/")[2]

    for begun, ended in ((theirs, identity), (identity, theirs)):
        back = provider.log_in(browser.begin(begun), email=person.email)
        refused(browser.come_back(ended, back), 400)
        refused(browser.come_back(begun, back), 400)  # used up


@pytest.mark.parametrize("given", [{}, {"iss": ""}, {"iss": "http://localhost:1"}])
def test_an_answer_without_the_announced_issuer_is_refused(
    browser: Browser, provider: Provider, set_up, person: Person, given
) -> None:
    """RFC 9207: a provider may announce that its answers contain its issuer."""
    provider.document["authorization_response_iss_parameter_supported"] = True
    identity = set_up()

    refused(browser.come_back(identity, provider.log_in(browser.begin(identity), email=person.email) | given), 400)
    back = provider.log_in(browser.begin(identity), email=person.email) | {"iss": provider.issuer}
    assert browser.come_back(identity, back).status_code == 302


def test_a_login_that_began_with_the_previous_issuer_is_refused(
    api, browser: Browser, provider: Provider, set_up, person: Person
) -> None:
    """A code is only sent to the issuer at which the login began."""
    identity = set_up()
    back = provider.log_in(browser.begin(identity), email=person.email)
    with Provider() as other:
        use_ports = f"{provider.port},{other.port}"
        with pytest.MonkeyPatch.context() as patch:
            use(patch, outbound_networks="127.0.0.0/8,::1/128", outbound_ports=use_ports)
            assert api.put(f"{METADATA}/{identity}", json=wanted(other)).status_code == 204

            refused(browser.come_back(identity, back), 400)
        assert other.redeemed == []


# --- Identity of the user


LOOK_ALIKES = {"\u212a": "k", "\u0130": "i", "\u017f": "s", "\u0131": "i", "\uff4b": "k", "\u043a": "k", "k\u200b": "k"}
"""Letters that look like an ASCII letter or become one: the Kelvin sign in lower case is a k."""


def test_an_address_that_looks_like_another_is_not_equal(api, http, server, set_up, sign_on, box) -> None:
    """They differ wherever addresses are compared."""
    email, identity = f"kisi{new_email()}", set_up()
    assert api.post(USERS, json={"email": email, "password": PASSWORD}).status_code == 201
    for letter, plain in LOOK_ALIKES.items():
        other = email.replace(plain, letter, 1)
        refused(sign_on(identity, email=other), about=letter)
        login = "Basic " + b64encode(f"{other}:{PASSWORD}".encode()).decode()
        assert http.post(LOGIN, headers={"Authorization": login}).status_code == 401, letter
        assert api.post(USERS, json={"email": other, "password": PASSWORD}).status_code == 400, letter
        http.post(f"{BASE}/auth/password-reset/start", json={"email": other})
    server.drain()
    assert box.mails == []


def test_addresses_with_additional_characters_are_refused(set_up, sign_on, person: Person) -> None:
    identity = set_up()
    for around in (" {}", "{} ", "\u00a0{}", "{}\u3000", "{}\n", "\x1f{}", "<{}>", "{},x@example.com"):
        refused(sign_on(identity, email=around.format(person.email)), about=around)


def test_domains_that_look_like_the_trusted_one_are_refused(set_up, sign_on) -> None:
    identity = set_up(auto_provision=True, allowed_domains=["example.com"])
    for domain in ("example.com.", "evil-example.com", "example.com.evil", "sub.example.com", "EXAMPLE.COM@x"):
        refused(sign_on(identity, email=f"somebody@{domain}"), about=domain)


def test_the_address_of_another_tenants_user_is_refused(api, set_up, sign_on, sign_in: SignIn) -> None:
    """The account is neither linked nor created again nor changed, whatever is configured."""
    other = sign_in(service.create_tenant("Other"))
    theirs = other.get(ME).json()
    identity = set_up(auto_provision=True, allowed_domains=["example.com"], roles=["RBAC_ROLE_PERMIT_ALL"])

    for email in (theirs["email"], theirs["email"].upper(), theirs["email"].title()):
        refused(sign_on(identity, email=email))
    assert other.get(ME).json() == theirs
    assert len(api.get(USERS).json()) == 1


def test_an_account_stays_linked_to_its_first_subject(set_up, sign_on, person: Person) -> None:
    identity = set_up()
    assert token_of(sign_on(identity, subject="a", email=person.email))
    for subject in ("b", "A", "a ", "a\x00", " a"):
        refused(sign_on(identity, subject=subject, email=person.email))
    assert token_of(sign_on(identity, subject="a", email=person.email))


def test_one_subject_cannot_use_two_accounts_by_changing_its_address(
    http, api, set_up, sign_on, person: Person
) -> None:
    """Otherwise a person who can set their address at the provider could sign in to any account."""
    identity, other = set_up(), new_email()
    assert token_of(sign_on(identity, subject="a", email=person.email))
    assert api.post(USERS, json={"email": other, "password": PASSWORD}).status_code == 201

    refused(sign_on(identity, subject="a", email=other))
    assert token_of(sign_on(identity, subject="a", email=person.email))


def test_the_userinfo_endpoint_is_not_used(set_up, sign_on, person: Person, provider: Provider) -> None:
    provider.document["userinfo_endpoint"] = f"{provider.issuer}/userinfo"

    refused(sign_on(set_up(), email=new_email()))
    assert not [path for path in provider.seen if "userinfo" in path]


def test_a_user_deleted_during_the_login_is_refused(api, browser: Browser, provider: Provider, set_up, person) -> None:
    identity = set_up()
    back = provider.log_in(browser.begin(identity), email=person.email)
    assert api.delete(f"{USERS}/{person.id}").status_code == 204

    refused(browser.come_back(identity, back))


@pytest.mark.parametrize("when", ["at the start", "at the provider", "while the code is redeemed"])
def test_a_tenant_suspended_during_the_login(
    http, browser: Browser, provider: Provider, set_up, person: Person, tenant: Tenant, when: str
) -> None:
    def suspend() -> None:
        service.set_status(tenant.id, service.Status.SUSPENDED)

    identity = set_up()
    if when == "at the start":
        suspend()
        assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 404
        assert browser.http.get(f"{BASE}/auth/sso/{identity}/login").status_code == 404
        return
    back = provider.log_in(browser.begin(identity), email=person.email)
    if when == "at the provider":
        suspend()
        refused(browser.come_back(identity, back), 404)
        assert provider.redeemed == []
        return

    def token(said: dict[str, Any]) -> str:
        suspend()
        return signed(said)

    provider.token = token
    # The suspension was too late for this login, but its token is refused.
    assert http.get(ME, headers=bearer(token_of(browser.come_back(identity, back)))).status_code == 401


# --- Redirects


def test_open_redirects_are_refused(server, browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    names = ("next", "redirect", "redirect_uri", "return_to", "RelayState", "target_link_uri", "issuer")
    evil = dict.fromkeys(names, "https://evil.example/")
    begun = browser.http.get(f"{BASE}/oidc/{identity}/start", params=evil)
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert begun.headers["location"].startswith(f"{provider.issuer}/authorize?")
    assert asked["redirect_uri"] == [f"{server.url}{BASE}/oidc/{identity}/callback"]
    back = provider.log_in(begun.headers["location"], email=person.email)

    ended = browser.come_back(identity, back | evil)

    assert ended.headers["location"] == f"{server.url}/ui/"


def test_a_forged_host_header_does_not_change_redirects(browser: Browser, set_up) -> None:
    forged = dict.fromkeys(("Host", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host"), "evil.example")

    begun = browser.http.get(f"{BASE}/oidc/{set_up()}/start", headers=forged | {"Forwarded": "host=evil.example"})

    assert begun.status_code == 302
    assert "evil" not in str(begun.headers)


# --- After a login


def test_the_placeholder_hash_matches_no_password(http, set_up, sign_on, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash is in the source code: its password must not open all accounts without one."""
    monkeypatch.setattr(passwords, "DUMMY", passwords.hash_password("found-out"))
    identity, email = set_up(auto_provision=True, allowed_domains=["example.com"]), new_email()
    assert token_of(sign_on(identity, email=email))

    assert http.post(LOGIN, auth=(email, "found-out")).status_code == 401
    assert http.post(LOGIN, auth=(new_email(), "found-out")).status_code == 401


def test_an_account_created_by_a_provider_has_no_password_and_no_reset(server, http, set_up, sign_on, box) -> None:
    identity, email = set_up(auto_provision=True, allowed_domains=["example.com"]), new_email()
    token = token_of(sign_on(identity, email=email))

    for password in ("", " ", "x", PASSWORD, "\x00"):
        answer = http.post(LOGIN, auth=(email, password))
        assert answer.status_code == (200 if password == "" else 401)
        assert not answer.text.startswith("ey")
    me = http.get(ME, headers=bearer(token)).json()["id"]
    change = {"password": PASSWORD + "x", "current_password": ""}
    assert http.put(f"{USERS}/{me}", json=change, headers=bearer(token)).status_code == 422
    http.post(f"{BASE}/auth/password-reset/start", json={"email": email})
    server.drain()
    assert box.mails == []


def test_html_of_a_provider_is_in_no_answer(browser: Browser, provider: Provider, set_up) -> None:
    identity = set_up()
    state = provider.log_in(browser.begin(identity))["state"]

    answer = browser.come_back(identity, {"state": state, "error": "<script>", "error_uri": "javascript:x"})

    refused(answer)
    assert "script" not in answer.text
    assert answer.headers["content-type"].startswith("application/json")


def test_malformed_states_are_refused(set_up, browser: Browser) -> None:
    """States that are too long, contain zero bytes, or are repeated."""
    identity = set_up()
    for query in ("state=a&state=b&code=c", "state=%00&code=x", f"state={'a' * 5000}&code=x", "state=%ff&code=%ff"):
        refused(browser.http.get(f"{BASE}/oidc/{identity}/callback?{query}"), 400)
