"""Secret settings are read from the parameter store, unless plain settings have them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from chalicelib import cache
from chalicelib.auditlogs import tables
from chalicelib.aws import client, mail, private_settings
from chalicelib.aws.mail import Mail
from chalicelib.aws.private_settings import Private
from chalicelib.errors import BadRequest
from tests.support.mailbox import SENDER, listening, use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

SECRET = "between-the-edge-and-us-" + "x" * 20
MAIL = Mail("pat@example.com", "hello", "text")


@pytest.fixture(autouse=True)
def none_stored(server: LocalServer) -> Iterator[None]:
    cache.forget_all()
    yield
    for each in Private:
        private_settings.remove(each)


@pytest.fixture
def store_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Calls of the parameter store."""
    seen: list[str] = []
    call = client.call

    def noting(service: str, target: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        if service == "ssm":
            seen.append(str(payload.get("Name") or payload.get("Names")))
        return call(service, target, payload, **more)

    monkeypatch.setattr(client, "call", noting)
    return seen


def caller(api: httpx2.Client, tenant: Tenant, **headers: str) -> str:
    """The address that the audit log records for a call with these headers."""
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "a-long-enough-one"}
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    assert api.post("/api/management/v1/useradm/users", json=body, headers=lines).status_code == 201
    return next(iter(tables.by_time(tenant.id, None, None, newest_first=True))).source_ip


def test_an_edge_is_recognized_by_the_stored_secret(api: httpx2.Client, tenant: Tenant) -> None:
    edge = {"X_Lamplighter_Edge": SECRET, "X_Lamplighter_Client": "2001:db8::7"}
    assert caller(api, tenant, **edge) == "127.0.0.1"

    private_settings.write(Private.EDGE_SECRET, SECRET)

    assert caller(api, tenant, **edge) == "2001:db8::7"
    assert caller(api, tenant, **edge | {"X_Lamplighter_Edge": SECRET + "x"}) == "127.0.0.1"


def test_a_plain_setting_takes_precedence(
    api: httpx2.Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, store_calls: list[str]
) -> None:
    use(monkeypatch, edge_secret="plain")

    assert caller(api, tenant, X_Lamplighter_Edge="plain", X_Lamplighter_Client="2001:db8::7") == "2001:db8::7"
    assert not [name for name in store_calls if Private.EDGE_SECRET in name]


def test_the_first_call_through_an_edge_reads_once(api: httpx2.Client, tenant: Tenant, store_calls: list[str]) -> None:
    """One read for the secret and the signing keys, which a new process does not have."""
    private_settings.write(Private.EDGE_SECRET, SECRET)
    cache.forget_all()
    store_calls.clear()

    edge = {"X_Lamplighter_Edge": SECRET, "X_Lamplighter_Client": "2001:db8::7"}
    assert [caller(api, tenant, **edge) for _ in range(2)] == ["2001:db8::7"] * 2

    [together] = store_calls
    assert "edge-secret" in together
    assert "signing-keys" in together


@pytest.mark.parametrize("headers", [{}, {"X_Lamplighter_Edge": ""}, {"X_Lamplighter_Client": "2001:db8::7"}])
def test_a_call_that_bypasses_the_edge_reads_no_secret(
    api: httpx2.Client, tenant: Tenant, store_calls: list[str], headers: dict[str, str]
) -> None:
    assert caller(api, tenant, **headers) == "127.0.0.1"
    assert not [name for name in store_calls if Private.EDGE_SECRET in name]


def test_guessing_a_secret_that_is_not_set_reads_once(
    api: httpx2.Client, tenant: Tenant, store_calls: list[str]
) -> None:
    for guess in ("a", "b", "c"):
        caller(api, tenant, X_Lamplighter_Edge=guess)

    assert len([name for name in store_calls if Private.EDGE_SECRET in name]) == 1


def test_mails_use_the_stored_server(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as box:
        use(monkeypatch, mail_from=SENDER)
        private_settings.write(Private.MAIL_SERVER, box.url)

        mail.deliver(MAIL)

        assert [each["Subject"] for each in box.to("pat@example.com")] == ["hello"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (Private.EDGE_SECRET, ""),
        (Private.EDGE_SECRET, "too-short"),
        (Private.EDGE_SECRET, "x" * 31 + "ä"),
        (Private.MAIL_SERVER, ""),
        (Private.MAIL_SERVER, "mail.example.com"),
        (Private.MAIL_SERVER, "https://user:hidden@mail.example.com"),
        (Private.MAIL_SERVER, "smtp://user:hidden@"),
        (Private.MAIL_SERVER, "smtp://user:hidden@host:port"),
        (Private.MAIL_SERVER, "smtp://[::1"),
    ],
)
def test_an_invalid_value_is_refused_and_not_shown(name: Private, value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        private_settings.write(name, value)

    assert name in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert private_settings.written_at(name) is None
