"""Users, logins and identity providers for tests, and a way to count calls."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from chalicelib import cache
from chalicelib.rights import EVERYTHING
from chalicelib.storage import dynamodb
from chalicelib.storage.keys import TenantId
from chalicelib.useradm import service
from chalicelib.useradm.service import passwords, totp, twofactor
from tests.conftest import PASSWORD
from tests.support.mailbox import Mailbox, of_server, use
from tests.support.provider import CLIENT, SECRET, Provider
from tests.useradm.browser import BASE, Browser

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer

LOGIN = "/api/management/v1/useradm/auth/login"
ME = "/api/management/v1/useradm/users/me"
USERS = "/api/management/v1/useradm/users"
ENABLE = f"{ME}/2fa/enable"
METADATA = f"{BASE}/sso/idp/metadata"

HASHER = passwords._hasher
"""The hasher of a deployed server, taken before servers of tests get a cheaper one."""


@pytest.fixture
def deployed_hashes(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the password hasher of a deployed server."""
    monkeypatch.setattr(passwords, "_hasher", HASHER)


@dataclass(frozen=True)
class Person:
    """A user and their password."""

    tenant: TenantId
    id: str
    email: str
    password: str = PASSWORD


@pytest.fixture
def person(tenant: Tenant) -> Person:
    """A user of ``tenant`` who is not signed in."""
    email = f"{uuid.uuid4().hex}@example.com"
    return Person(tenant.id, service.create_user(tenant.id, email, PASSWORD, by=EVERYTHING).id, email)


@pytest.fixture
def colleague(tenant: Tenant) -> None:
    """Another administrator of ``tenant``, since the last one cannot be removed."""
    service.create_user(tenant.id, f"{uuid.uuid4().hex}@example.com", PASSWORD, by=EVERYTHING)


@pytest.fixture
def login(http: httpx2.Client, person: Person) -> Callable[[], str]:
    """Sign ``person`` in, at each call; returns the token."""

    def run() -> str:
        answer = http.post(LOGIN, auth=(person.email, person.password))
        assert answer.status_code == 200, answer.text
        return answer.text

    return run


@pytest.fixture
def box(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """The mail server that this server uses."""
    with of_server(server, monkeypatch) as opened:
        yield opened


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """An identity provider that this server may call."""
    cache.forget_all()
    with Provider() as running:
        use(monkeypatch, outbound_networks="127.0.0.0/8,::1/128", outbound_ports=str(running.port))
        yield running


def wanted(provider: Provider, **more: Any) -> dict[str, Any]:
    """The request body that configures the provider."""
    return {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET} | more


@pytest.fixture
def set_up(api: httpx2.Client, provider: Provider) -> Callable[..., str]:
    """Configure a provider in ``tenant``; returns its id."""

    def run(**more: Any) -> str:
        answer = api.post(METADATA, json=wanted(provider, **more))
        assert answer.status_code == 201, answer.text
        return answer.headers["location"].rpartition("/")[2]

    return run


@pytest.fixture
def browser(server: LocalServer) -> Iterator[Browser]:
    """A browser without cookies."""
    made = Browser(server)
    yield made
    made.http.close()


@pytest.fixture
def sign_on(browser: Browser, provider: Provider) -> Callable[..., httpx2.Response]:
    """A complete login of a person with these claims."""

    def run(provider_id: str, **claims: Any) -> httpx2.Response:
        location = browser.begin(provider_id)
        return browser.come_back(provider_id, provider.log_in(location, **claims))

    return run


# --- Second factors


class Phone:
    """An authenticator app with the user's secret."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self, drift: int = 0) -> str:
        """The code that it shows some steps from now."""
        return totp.code(base64.b32decode(self.secret), int(datetime.now(UTC).timestamp()) // 30 + drift)

    def wrong(self) -> str:
        """A code that it does not show."""
        shown = {self.code(drift) for drift in range(-2, 3)}
        return next(f"{number:06}" for number in range(10) if f"{number:06}" not in shown)


def secret_of(person: Person) -> str:
    """The app of a user who has scanned the QR code."""
    return twofactor._secret(service.get_user(person.tenant, person.id))


def log_in(http: httpx2.Client, person: Person, code: str | None, password: str = PASSWORD) -> httpx2.Response:
    """A login, optionally with a code."""
    body = None if code is None else {"token2fa": code}
    return http.post(LOGIN, auth=(person.email, password), json=body)


@pytest.fixture
def me(http: httpx2.Client, login) -> Callable[..., httpx2.Response]:
    """A client of ``person``, who signed in without a code."""
    token = login()

    def call(method: str, path: str, body: Any = None) -> httpx2.Response:
        return http.request(method, path, json=body, headers=bearer(token))

    return call


@pytest.fixture
def verified(person: Person) -> Person:
    """The user, whose address is verified."""
    service.verify(person.email)
    return person


@pytest.fixture
def phone(verified: Person, me) -> Phone:
    """The app of a user whose logins require codes; the previous code has been used."""
    assert me("POST", ENABLE).status_code == 200
    made = Phone(secret_of(verified))
    assert me("PUT", f"{BASE}/2faverify", {"token2fa": made.code(-1)}).status_code == 202
    return made


def new_email() -> str:
    """An unused address."""
    return f"{uuid.uuid4().hex}@example.com"


def later(seconds: int) -> time_machine.travel:
    """A time in the future."""
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds))


def bearer(token: str) -> dict[str, str]:
    """The header of a call with this token."""
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def dynamodb_calls() -> Iterator[list[str]]:
    """The names of the DynamoDB operations of a block, in order."""
    names: list[str] = []

    def observe(operation: str, _request: object, _answer: object) -> None:
        names.append(operation)

    dynamodb.observers.append(observe)
    try:
        yield names
    finally:
        dynamodb.observers.remove(observe)


@contextmanager
def meanwhile(operation: str, act: Callable[[], object], *, times: int = 1) -> Iterator[None]:
    """Run ``act`` of another caller right after the first DynamoDB operation with this name in a block."""
    left = [times]

    def observe(name: str, _request: object, _answer: object) -> None:
        if name == operation and left[0]:
            left[0] -= 1
            dynamodb.observers.remove(observe)
            act()
            dynamodb.observers.append(observe)

    dynamodb.observers.append(observe)
    try:
        yield
    finally:
        dynamodb.observers.remove(observe)
