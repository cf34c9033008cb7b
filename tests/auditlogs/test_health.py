"""The integrity check of a log, for users who may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.auditlogs.tables import EntryItem
from chalicelib.storage import keys
from tests.auditlogs.conftest import LOGS, Log, release

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn

CHAINS = "/api/management/v1/auditlogs/chains"


def health(api: httpx2.Client) -> dict[str, Any]:
    answer = api.get(CHAINS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_integrity_of_a_log_is_shown(log: Log) -> None:
    before = health(log.api)
    log.write(release("one"))
    log.write(release("two"))

    found = health(log.api)
    assert (found["checked"], found["findings"]) == (True, [])
    assert found["entries"] == before["entries"] + 2 == sum(each["number"] for each in found["ends"])
    assert all(len(each["hash"]) == 64 for each in found["ends"])


def test_an_altered_entry_is_found(log: Log, tenant: Tenant) -> None:
    log.write(release("one"))
    found_by = EntryItem.by_time.query(keys.partition(tenant.id))
    item = next(each for each in found_by if b'"one"' in each.content)
    item.update([EntryItem.content.set(item.content.replace(b"one", b"two"))])

    found = health(log.api)
    assert found["checked"]
    assert any("was altered" in each for each in found["findings"])


def test_a_long_log_has_to_be_checked_by_the_command(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write(release("one"))
    monkeypatch.setattr(limits, "AUDIT_CHECKED", 0)

    found = health(log.api)
    assert (found["checked"], found["findings"]) == (False, [])
    assert found["ends"]


def test_the_check_requires_permission_to_read_the_log(tenant: Tenant, sign_in: SignIn) -> None:
    assert sign_in(tenant, "RBAC_ROLE_CI").get(CHAINS).status_code == 403


def test_an_unchanged_page_gets_304(log: Log) -> None:
    log.write(release("one"))
    first = log.api.get(LOGS)
    tag = {"If-None-Match": first.headers["ETag"]}

    again = log.api.get(LOGS, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["X-Total-Count"] == first.headers["X-Total-Count"]
    log.write(release("two"))
    assert log.api.get(LOGS, headers=tag).status_code == 200
