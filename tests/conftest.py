"""Fixtures for tests of the whole server: one server per session, a new tenant per test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

import argon2
import httpcore2
import httpx2
import hypothesis
import pytest
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.aws import signing_keys
from chalicelib.fleet import control, switches
from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service
from chalicelib.useradm import service as useradm_service
from chalicelib.useradm.service import passwords
from infra import migrations
from infra.local.testing import LocalServer
from tests.support.api_description import Checker, document, install
from tests.support.strict.plugin import (  # noqa: F401  # hooks of pytest
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_runtest_teardown,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant

# Examples are judged by what they do, never by how long a busy machine takes for them.
hypothesis.settings.register_profile(
    "explore",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# The same examples in each run: whether a change may be merged does not depend on what is drawn.
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("explore"), derandomize=True, database=None
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "explore")

# A client reads all of the machine's certificates when it is made, 25 ms of work even for plain HTTP, and a test makes
# several: they share what the first one read.
httpcore2.default_ssl_context = cache(httpcore2.default_ssl_context)

PASSWORD = "a-long-enough-one"
"""The password of every user that fixtures make."""


class SignIn(Protocol):
    """Signs a new user in."""

    def __call__(self, tenant: Tenant, *roles: str) -> httpx2.Client:
        """A client of a new user of ``tenant`` who has these roles; without any, of an admin."""


@contextmanager
def serving() -> Iterator[LocalServer]:
    """A server with a signing key and nobody on it.

    Its password hashes are cheap to make: those of a deployed server cost 24 ms each, which is half of a sign-in.
    """
    with LocalServer(tls=False) as running, pytest.MonkeyPatch.context() as patch:
        hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", lambda: hasher)
        signing_keys.ensure_signing_key()
        migrations.store().version()
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """The server."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def described() -> Iterator[Checker]:
    """Holds every answer of this process's app against the API's description."""
    checker = Checker(document())
    patch = install(checker)
    yield checker
    patch.undo()


@pytest.fixture(autouse=True)
def answers_are_as_described(described: Checker) -> Iterator[None]:
    """Fails a test whose answers, or those of another thread meanwhile, are not as the description says."""
    yield
    found = described.take()
    assert not found, "\n".join(dict.fromkeys(found))


@pytest.fixture(scope="module")
def own_server() -> Iterator[LocalServer]:
    """A server for one module: for tests that read whole tables, which grow with all that others store.

    Such a module has a fixture ``server`` that is this one, so that all others follow.
    """
    with serving() as running:
        yield running


@pytest.fixture
def tenant(server: LocalServer) -> Tenant:
    """A tenant that no other test knows."""
    return service.create_tenant("Acme")


@pytest.fixture
def http(server: LocalServer) -> Iterator[httpx2.Client]:
    """A client without a token."""
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def sign_in(server: LocalServer, http: httpx2.Client) -> Iterator[SignIn]:
    """Makes clients: each call one of a new user of the given tenant, with the given roles."""
    clients: list[httpx2.Client] = []

    def make(tenant: Tenant, *roles: str) -> httpx2.Client:
        email = f"{uuid.uuid4().hex}@example.com"
        useradm_service.create_user(tenant.id, email, PASSWORD, roles=roles, by=EVERYTHING)
        answer = http.post("/api/management/v1/useradm/auth/login", auth=(email, PASSWORD))
        assert answer.status_code == 200, answer.text
        headers = {"Authorization": f"Bearer {answer.text}"}
        clients.append(httpx2.Client(base_url=server.url, headers=headers, timeout=30))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def api(sign_in: SignIn, tenant: Tenant) -> httpx2.Client:
    """A client of an admin of ``tenant``."""
    return sign_in(tenant)


@pytest.fixture
def warm(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that read the tenant's control item and the switches a moment ago, and trusts them for the test."""
    known = replace(settings.current(), control_cache=3600.0)
    monkeypatch.setattr(settings, "current", lambda: known)
    control.get(tenant.id, fresh=True)
    switches.off(fresh=True)
