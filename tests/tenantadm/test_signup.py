"""Sign-up: disabled by default; trial tenants and their expiry."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from msgspec.structs import replace

from chalicelib import clock, limits, settings
from chalicelib.storage.keys import TenantId
from chalicelib.tenantadm import service
from chalicelib.tiers import PerTier
from chalicelib.useradm import service as useradm
from tests.conftest import PASSWORD
from tests.support.mailbox import Mailbox, of_server
from tests.tenantadm.test_children import LOGIN, ME, TENANTS

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

SIGNUP, TRIAL = f"{TENANTS}/signup", f"{TENANTS}/trial"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> str:
    """A network from which no other test signs up."""
    made = uuid.uuid4().hex
    monkeypatch.setattr(useradm, "network", lambda _: made)
    return made


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    """A server with sign-up enabled."""
    known = replace(settings.current(), signup=True, trial_days=14, trial_devices=3, removal_settle=0)
    monkeypatch.setattr(settings, "current", lambda: known)


@pytest.fixture
def box(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mail server that this server uses."""
    with of_server(server, monkeypatch) as opened:
        yield opened


def form(**more: Any) -> dict[str, Any]:
    return {
        "organization": "Acme Inc",
        "email": f"{uuid.uuid4().hex}@example.com",
        "password": PASSWORD,
        "g-recaptcha-response": "x",
        **more,
    }


def signed_up(http: httpx2.Client, filled: dict[str, Any]) -> dict[str, Any]:
    """The new tenant as its user sees it."""
    answer = http.post(SIGNUP, data=filled)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"]
    token = http.post(LOGIN, auth=(filled["email"], filled["password"])).text
    http.cookies.clear()
    shown: dict[str, Any] = http.get(ME, headers={"Authorization": f"Bearer {token}"}).json()
    return shown


@pytest.mark.parametrize("path", [SIGNUP, TRIAL])
def test_off_by_default(http: httpx2.Client, path: str):
    assert http.post(path, data=form()).status_code == 405


def test_a_trial_tenant(http: httpx2.Client, allowed: None):
    shown = signed_up(http, form(campaign="spring", marketing="true"))

    assert (shown["name"], shown["trial"], shown["device_limit"], shown["plan"]) == ("Acme Inc", True, 3, "enterprise")
    assert shown["additional_info"] == {"marketing": True, "campaign": "spring"}
    assert shown["trial_expiration"] > clock.rfc3339(clock.now() + timedelta(days=13))
    assert service.get_tenant(TenantId(shown["id"])).devices == PerTier(3, 3, 3)


def test_as_json(http: httpx2.Client, allowed: None):
    assert http.post(TRIAL, json=form(plan="professional")).status_code == 202


def test_a_trial_expires(server: LocalServer, http: httpx2.Client, allowed: None, monkeypatch: pytest.MonkeyPatch):
    filled = form()
    shown = signed_up(http, filled)
    server.workers.run_once()
    assert service.get_tenant(TenantId(shown["id"])).status == service.Status.ACTIVE

    later = clock.now() + timedelta(days=15)
    monkeypatch.setattr(clock, "now", lambda: later)
    server.workers.run_once()

    assert service.get_tenant(TenantId(shown["id"])).status == service.Status.SUSPENDED
    assert http.post(LOGIN, auth=(filled["email"], filled["password"])).status_code == 401
    # Activating it ends the trial.
    service.set_status(TenantId(shown["id"]), service.Status.ACTIVE)
    server.workers.run_once()
    found = service.get_tenant(TenantId(shown["id"]))
    assert (found.status, found.trial_expiration) == (service.Status.ACTIVE, None)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"organization": ""}, 400),
        ({"organization": "x" * 101}, 400),
        ({"organization": "Größe"}, 400),
        ({"email": "nobody"}, 400),
        ({"password": "short"}, 422),
        ({"plan": "gold"}, 400),
        ({"subscription_type": "azure"}, 400),
    ],
)
def test_invalid_sign_ups_are_refused(http: httpx2.Client, allowed: None, wrong: dict[str, str], status: int):
    assert http.post(SIGNUP, data=form(**wrong)).status_code == status


def test_other_content_types_are_refused(http: httpx2.Client, allowed: None):
    assert http.post(SIGNUP, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert http.post(SIGNUP).status_code == 415
    assert http.post(TRIAL, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_an_address_has_one_account(http: httpx2.Client, allowed: None):
    filled = form()
    signed_up(http, filled)

    assert http.post(SIGNUP, data=filled).status_code == 409


def test_sign_ups_from_one_network_are_limited(http: httpx2.Client, allowed: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "SIGNUPS", 2)

    answers = [http.post(SIGNUP, data=form()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert http.post(SIGNUP, data=form()).status_code == 202


def test_sign_ups_per_hour_are_limited(http: httpx2.Client, allowed: None, monkeypatch: pytest.MonkeyPatch):
    # An hour in which no other test signs up.
    later = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    monkeypatch.setattr(limits, "SIGNUPS_IN_ALL", 2)
    monkeypatch.setattr(useradm, "network", lambda _: uuid.uuid4().hex)

    answers = [http.post(SIGNUP, data=form()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600


def test_the_switch_is_true_or_false(monkeypatch: pytest.MonkeyPatch):
    for raw, wanted in (("true", True), ("1", True), ("False", False), ("0", False)):
        monkeypatch.setenv("LAMPLIGHTER_SIGNUP", raw)
        settings.current.cache_clear()
        assert settings.current().signup is wanted
    monkeypatch.setenv("LAMPLIGHTER_SIGNUP", "maybe")
    settings.current.cache_clear()
    with pytest.raises(ValueError, match="neither true nor false"):
        settings.current()
    monkeypatch.delenv("LAMPLIGHTER_SIGNUP")
    settings.current.cache_clear()


class TestMails:
    """Mails to new users."""

    def test_a_new_address_has_to_be_verified(
        self, server: LocalServer, http: httpx2.Client, box: Mailbox, network: str
    ):
        known = replace(settings.current(), signup=True)
        filled = form()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(settings, "current", lambda: known)
            signed_up(http, filled)
            server.drain()

        secret = box.secret(filled["email"])
        complete = "/api/management/v1/useradm/auth/verify-email/complete"
        assert http.post(complete, json={"secret_hash": secret}).status_code == 204

    def test_the_administrator_of_a_child_sets_the_first_password(
        self, server: LocalServer, http: httpx2.Client, box: Mailbox, sign_in: SignIn
    ):
        provider_admin = sign_in(service.create_tenant("Provider", service_provider=True))
        address = f"{uuid.uuid4().hex}@example.com"
        body = {"name": "Child", "admin": {"email": address, "send_reset_password": True}}
        assert provider_admin.post(TENANTS, json=body).status_code == 202
        server.drain()

        reset = {"secret_hash": box.secret(address), "password": PASSWORD}
        assert http.post("/api/management/v1/useradm/auth/password-reset/complete", json=reset).status_code == 202
        assert http.post(LOGIN, auth=(address, PASSWORD)).status_code == 200
