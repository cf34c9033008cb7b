"""Configuring identity providers: valid settings, permissions, and which addresses this server calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.tenantadm import service
from tests.conftest import PASSWORD, SignIn
from tests.support.mailbox import use
from tests.support.provider import CLIENT, SECRET, Provider
from tests.useradm.browser import BASE
from tests.useradm.conftest import LOGIN, METADATA, USERS, bearer, new_email, wanted

if TYPE_CHECKING:
    import httpx2


def test_a_provider_is_shown_without_its_secret(api: httpx2.Client, provider: Provider, set_up, server) -> None:
    identity = set_up(allowed_domains=["@Example.com "], roles=["RBAC_ROLE_CI"])
    start = f"{server.url}{BASE}/oidc/{identity}/start"
    back = f"{server.url}{BASE}/oidc/{identity}/callback"

    shown = api.get(f"{METADATA}/{identity}")

    assert shown.json() == {
        "id": identity,
        "kind": "sso/oidc",
        "issuer": provider.issuer,
        "well-known": f"{provider.issuer}/.well-known/openid-configuration",
        "client_id": CLIENT,
        "allowed_domains": ["example.com"],
        "auto_provision": False,
        "roles": ["RBAC_ROLE_CI"],
        "start_url": start,
        "redirect_uri": back,
    }
    [listed] = api.get(METADATA).json()
    assert (listed["id"], listed["issuer"]) == (identity, provider.issuer)
    assert api.get(f"{BASE}/sso/sp/metadata/{identity}").json() == {"start_url": start, "redirect_uri": back}


def test_a_provider_is_changed_and_deleted(api: httpx2.Client, provider: Provider, set_up) -> None:
    identity = set_up()
    place = f"{METADATA}/{identity}"

    assert api.put(place, json=wanted(provider, client_id="two", client_secret="")).status_code == 204
    assert api.get(place).json()["client_id"] == "two"
    assert api.delete(place).status_code == 204
    for answer in (api.get(place), api.delete(place), api.put(place, json=wanted(provider))):
        assert answer.status_code == 404
    assert api.get(f"{BASE}/sso/sp/metadata/{identity}").status_code == 404
    assert api.get(METADATA).json() == []


def test_the_secret_is_not_sent_to_another_issuer(api: httpx2.Client, provider: Provider, set_up) -> None:
    identity = set_up()
    provider.document["issuer"] = "http://evil.example"

    answer = api.put(f"{METADATA}/{identity}", json=wanted(provider, client_secret=""))

    assert answer.status_code == 400
    assert api.get(f"{METADATA}/{identity}").json()["issuer"] == provider.issuer


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"client_id": ""},
        {"client_secret": ""},
        {"client_secret": "x" * 2049},
        {"allowed_domains": ["not a domain"]},
        {"allowed_domains": ["example.com"] * 51},
        {"allowed_domains": "example.com"},
        {"auto_provision": True},
        {"issuer": "ftp://example.com"},
        {"issuer": "http://user@example.com"},
    ],
)
def test_invalid_settings_are_refused(api: httpx2.Client, provider: Provider, change: dict[str, Any]) -> None:
    assert api.post(METADATA, json=wanted(provider) | change).status_code == 400
    assert api.get(METADATA).json() == []


@pytest.mark.parametrize(
    "document",
    [{"issuer": 1}, {"token_endpoint": "ftp://x"}, {"jwks_uri": ""}, {"authorization_endpoint": "javascript:alert(1)"}],
)
def test_a_provider_with_invalid_metadata_is_refused(api, provider: Provider, document: dict[str, Any]) -> None:
    provider.document |= document

    assert api.post(METADATA, json=wanted(provider)).status_code == 400


def test_unknown_roles_are_refused(api: httpx2.Client, provider: Provider) -> None:
    assert api.post(METADATA, json=wanted(provider, roles=["NOBODY"])).status_code == 422


def test_the_number_of_providers_is_limited(api: httpx2.Client, provider: Provider, set_up) -> None:
    for _ in range(10):
        set_up()

    assert api.post(METADATA, json=wanted(provider)).status_code == 409


@pytest.mark.parametrize(
    "issuer", ["http://169.254.169.254", "http://127.0.0.1", "https://10.0.0.1", "https://[::1]", "https://0x7f000001"]
)
def test_internal_addresses_are_not_called(api: httpx2.Client, provider: Provider, monkeypatch, issuer: str) -> None:
    use(monkeypatch, outbound_networks="")

    assert api.post(METADATA, json=wanted(provider, issuer=issuer)).status_code == 400
    assert provider.seen == []


def test_public_addresses_are_called_by_tls_only(api: httpx2.Client, provider: Provider, monkeypatch) -> None:
    use(monkeypatch, outbound_networks="", outbound_ports="80,443")

    answer = api.post(METADATA, json=wanted(provider, issuer="http://login.example.com"))

    assert answer.status_code == 400
    assert "https://" in answer.json()["error"]


def test_saml_is_refused_as_unsupported(api: httpx2.Client) -> None:
    answer = api.post(METADATA, content=b"<x/>", headers={"Content-Type": "application/samlmetadata+xml"})

    assert answer.status_code == 415
    assert "OpenID Connect" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b'"text"', b"{", b"null"])
def test_malformed_bodies_are_refused(api: httpx2.Client, body: bytes) -> None:
    assert api.post(METADATA, content=body, headers={"Content-Type": "application/json"}).status_code == 400


def test_only_administrators_can_configure_providers(api, http: httpx2.Client, provider: Provider, set_up) -> None:
    """The owner of the provider can sign in as any user."""
    identity, email = set_up(), new_email()
    api.post(
        "/api/management/v2/useradm/roles",
        json={"name": "user-admin", "permission_sets_with_scope": [{"name": "ManageUsers"}]},
    )
    assert api.post(USERS, json={"email": email, "password": PASSWORD, "roles": ["user-admin"]}).status_code == 201
    headers = bearer(http.post(LOGIN, auth=(email, PASSWORD)).text)

    assert http.get(METADATA, headers=headers).status_code == 200
    assert http.post(METADATA, json=wanted(provider), headers=headers).status_code == 403
    assert http.put(f"{METADATA}/{identity}", json=wanted(provider), headers=headers).status_code == 403
    assert http.delete(f"{METADATA}/{identity}", headers=headers).status_code == 403


def test_a_plan_without_single_sign_on(sign_in: SignIn) -> None:
    api = sign_in(service.create_tenant("Small", plan="professional"))

    assert api.get(METADATA).status_code == 403
    assert SECRET not in api.post(METADATA, json={"client_secret": SECRET}).text
