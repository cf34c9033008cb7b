"""Short calls for a tenant's audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.actor import Acting, Actor
from chalicelib.auditlogs import service
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.storage.transactions import Transaction

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

LOGS = "/api/management/v1/auditlogs/logs"
EXPORT = f"{LOGS}/export"


@dataclass
class Log:
    """A tenant's audit log; ``api`` is an administrator's client."""

    api: httpx2.Client
    tenant: Tenant

    def get(self, **query: Any) -> list[dict[str, Any]]:
        """The entries, newest first; up to one page."""
        answer = self.api.get(LOGS, params={"per_page": 500, **query})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        assert answer.headers["X-Total-Count"] == str(len(found))
        return found

    def write(self, what: Object, *, by: Actor | None = None, action: Action = Action.UPDATE, **more: Any) -> None:
        """Add an entry as for a change."""
        tx = Transaction()
        with Acting(by or Actor("user", "someone", email="someone@example.com")):
            service.record(tx, self.tenant.id, action, what, **more)
        tx.commit()


def release(name: str) -> Object:
    return Object(ObjectType.RELEASE, name, {"name": name})


@pytest.fixture
def log(api: httpx2.Client, tenant: Tenant) -> Log:
    return Log(api, tenant)
