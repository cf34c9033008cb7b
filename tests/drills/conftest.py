"""A server that an admin operates: each of its processes can be started, stopped and reconfigured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from infra.local.engine.process import Engine
from infra.local.environment import of_app
from infra.local.provision import provision
from infra.paths import ROOT
from tests.conftest import PASSWORD
from tests.deployments.world import World
from tests.manage.conftest import document, done, manage, run
from tests.useradm.conftest import LOGIN, bearer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["document", "done", "manage"]

KEY_CACHE = 2
"""Seconds for which a process of a drill caches keys (300 otherwise)."""


@dataclass
class Site:
    """An engine, and an admin's actions on a server that uses it."""

    engine: Engine

    def environment(self, prefix: str = "lamplighter-local-") -> dict[str, str]:
        """The variables of a process that works on the tables of this prefix."""
        more = {"LAMPLIGHTER_TABLE_PREFIX": prefix, "LAMPLIGHTER_KEY_CACHE": str(KEY_CACHE)}
        return of_app(self.engine, "http://localhost") | more

    @contextmanager
    def serving(self, prefix: str = "lamplighter-local-") -> Iterator[httpx2.Client]:
        """Run a server on the tables with this prefix during the block; yields a client."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
        with subprocess.Popen(
            [sys.executable, "-m", "tests.drills.serve"],
            cwd=ROOT,
            env=inherited | self.environment(prefix),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, "the server did not start"
            with httpx2.Client(base_url=url, timeout=30) as client:
                yield client
            process.communicate()

    def manage(self, *words: str, prefix: str = "lamplighter-local-", typed: str = "") -> Any:
        """Run an admin's command, which must succeed; returns its output."""
        done = run(self.environment(prefix), *words, "--json", typed=typed)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True)
class Account:
    """A tenant and its admin."""

    tenant: str
    token: str
    email: str

    def log_in(self, http: httpx2.Client) -> str:
        """Log in; returns the token."""
        answer = http.post(LOGIN, auth=(self.email, PASSWORD))
        assert answer.status_code == 200, answer.text
        return answer.text

    @contextmanager
    def world(self, http: httpx2.Client) -> Iterator[World]:
        """Log in; returns helpers that act as the tenant's admin."""
        headers = bearer(self.log_in(http))
        with httpx2.Client(base_url=http.base_url, headers=headers, timeout=30) as api:
            yield World(api, http, self.token)


@contextmanager
def new_site(folder: Path) -> Iterator[Site]:
    """A new server's storage and keys."""
    with Engine(folder / "engine", persist=False) as engine:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in engine.env().items():
                patch.setenv(name, value)
            provision(endpoint=engine.endpoint)
        site = Site(engine)
        site.manage("signing-key", "rotate")
        yield site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A new server's storage and keys."""
    with new_site(tmp_path) as made:
        yield made


@pytest.fixture
def account(site: Site) -> Account:
    """The first tenant and its admin."""
    return new_account(site)


def new_account(site: Site) -> Account:
    """The first tenant and its admin, created as in ``docs/operations.md``."""
    tenant = site.manage("tenant", "create", "Acme")
    email = "admin@acme.example"
    site.manage("user", "create", email, "--tenant", tenant["id"], "--password", "-", typed=f"{PASSWORD}\n")
    return Account(tenant["id"], tenant["tenant_token"], email)
