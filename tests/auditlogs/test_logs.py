"""``GET /management/v1/auditlogs/logs``: filters, order, pages, permissions, costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import clock
from chalicelib.actor import Actor
from chalicelib.auditlogs import service, tables
from chalicelib.auditlogs.rules.entries import Wanted
from chalicelib.auditlogs.service import Action, Object, ObjectType, reading
from chalicelib.tenantadm import service as tenants
from tests.auditlogs.conftest import EXPORT, LOGS, Log, release
from tests.auditlogs.test_chains import stored as auditlogs_stored
from tests.deployments.world import DEVAUTH, World
from tests.support.probe import counted

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant

NOON = datetime(2030, 5, 4, 12, tzinfo=UTC)
"""Later than everything that fixtures write, since a chain never goes back in time."""


def seconds(time: datetime) -> int:
    return int(time.timestamp())


def at(monkeypatch: pytest.MonkeyPatch, time: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: time)


@pytest.fixture
def timeline(log: Log, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Entries for the releases ``0`` to ``9``, an hour apart; the first at noon."""
    with monkeypatch.context() as patch:
        for hour in range(10):
            at(patch, NOON + timedelta(hours=hour))
            log.write(release(str(hour)))
    return log


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["object"]["id"] for entry in entries]


def test_the_members_of_an_entry(log: Log, http: httpx2.Client, tenant: Tenant):
    world = World(log.api, http, tenant.tenant_token)
    device = world.device()
    me = log.api.get("/api/management/v1/useradm/users/me").json()
    shown = log.api.get(f"{DEVAUTH}/{device.id}").json()

    [entry] = log.get(object_id=device.id)

    assert datetime.fromisoformat(entry.pop("time")) <= datetime.now(UTC)
    identity = entry["object"]["device"].pop("identity_data")
    assert json.loads(identity) == device.identity
    assert " " not in identity
    assert entry == {
        "actor": {"id": me["id"], "type": "user", "email": me["email"]},
        "action": "update",
        "object": {"id": device.id, "type": "device", "device": {"id": device.id}},
        "change": f"Authentication set {shown['auth_sets'][0]['id']}: pending -> accepted",
    }


def test_details_in_entries(log: Log):
    device = Object(ObjectType.DEVICE, "d", {"identity_data": "{}"})
    log.write(device, action=Action.OPEN_TERMINAL, meta={"session_id": ["s"]})

    [entry] = log.get(object_id="d")

    assert entry["meta"] == {"session_id": ["s"]}
    assert "change" not in entry


def test_the_address_of_the_caller_is_stored_and_not_shown(log: Log):
    log.write(release("r"), by=Actor("user", "u", "192.0.2.7"))

    stored = tables.by_time(log.tenant.id, None, None, newest_first=True)
    assert "192.0.2.7" in [entry.source_ip for entry in stored]
    assert "192.0.2.7" not in log.api.get(LOGS).text


class TestFilters:
    @pytest.fixture(autouse=True)
    def entries(self, log: Log) -> None:
        log.write(release("a"), by=Actor("user", "ann", email="ann@example.com"))
        log.write(release("b"), by=Actor("user", "bob", email="bob@example.com"))
        log.write(Object(ObjectType.DEVICE, "a", {"identity_data": "{}"}), by=Actor("device", "a"))
        log.write(Object(ObjectType.DEPLOYMENT, "d", {"name": "first", "artifact_name": "r"}), by=Actor("user", "ann"))
        log.write(release("first"))

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"actor_id": "ann"}, ["d", "a"]),
            ({"actor_id": "an"}, []),
            ({"actor_type": "device"}, ["a"]),
            ({"actor_email": "bob@example.com"}, ["b"]),
            ({"object_id": "a"}, ["a", "a"]),
            ({"object_id": "a", "object_type": "device"}, ["a"]),
            ({"object_type": "release"}, ["first", "b", "a"]),
            ({"object_type": "release", "sort": "asc"}, ["a", "b", "first"]),
            ({"object_deployment_name": "first"}, ["d"]),
            ({"object_deployment_name": "second"}, []),
            ({"actor_id": "ann", "object_type": "release"}, ["a"]),
            ({"object_id": "a", "created_before": "1"}, []),
        ],
    )
    def test_filters_alone_and_combined(self, log: Log, query: dict[str, str], found: list[str]):
        assert ids(log.get(**query)) == found

    def test_pages_with_a_filter(self, log: Log):
        answer = log.api.get(LOGS, params={"object_type": "release", "page": 2, "per_page": 2})

        assert ids(answer.json()) == ["a"]
        assert answer.headers["X-Total-Count"] == "3"


class TestTimes:
    @pytest.mark.parametrize(
        ("after", "before", "found"),
        [
            (3, None, "9876543"),
            (None, 3, "3210"),
            (3, 5, "543"),
            (4, 4, "4"),
            (5, 3, ""),
            (20, None, ""),
        ],
    )
    def test_time_limits_are_inclusive(self, timeline: Log, after: int | None, before: int | None, found: str):
        query = {
            name: seconds(NOON + timedelta(hours=hour))
            for name, hour in (("created_after", after), ("created_before", before))
            if hour is not None
        }

        assert [one for one in ids(timeline.get(**query)) if len(one) == 1] == list(found)

    def test_fractions_of_seconds_are_compared(self, log: Log, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as patch:
            at(patch, NOON + timedelta(milliseconds=800))
            log.write(release("late"))

        assert ids(log.get(created_before=seconds(NOON), object_id="late")) == []
        assert ids(log.get(created_before=seconds(NOON) + 1, object_id="late")) == ["late"]
        assert ids(log.get(created_after=seconds(NOON), object_id="late")) == ["late"]
        assert ids(log.get(created_after=seconds(NOON) + 1, object_id="late")) == []

    def test_with_another_filter(self, timeline: Log):
        assert ids(timeline.get(created_after=seconds(NOON + timedelta(hours=8)), actor_id="someone")) == ["9", "8"]

    def test_oldest_first(self, timeline: Log):
        assert ids(timeline.get(created_after=seconds(NOON), sort="asc")) == list("0123456789")


class TestPages:
    def test_a_page_has_ten_entries_by_default(self, timeline: Log, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as patch:
            at(patch, NOON + timedelta(hours=10))
            timeline.write(release("10"))
        answer = timeline.api.get(LOGS)

        assert ids(answer.json()) == ["10", *"987654321"]
        assert 'per_page=10>; rel="next"' in str(answer.headers.get_list("Link"))

    def test_all_pages_together_have_each_entry_once(self, timeline: Log):
        total = int(timeline.api.get(LOGS).headers["X-Total-Count"])
        pages = [
            ids(timeline.api.get(LOGS, params={"per_page": 4, "page": page + 1}).json())
            for page in range(-(-total // 4))
        ]

        assert sum(map(len, pages)) == total
        assert [one for page in pages for one in page][:10] == list("9876543210")

    def test_a_page_after_the_last(self, timeline: Log):
        answer = timeline.api.get(LOGS, params={"page": 50})

        assert answer.json() == []
        assert int(answer.headers["X-Total-Count"]) >= 10
        assert 'rel="next"' not in str(answer.headers.get_list("Link"))

    def test_expired_entries_are_not_counted(self, timeline: Log, monkeypatch: pytest.MonkeyPatch):
        at(monkeypatch, NOON + timedelta(days=366))
        for row in auditlogs_stored(timeline.tenant.id):
            if int(row.expires_at) < seconds(NOON + timedelta(days=365, hours=5)):
                row.delete()

        rows, total = reading.listed(timeline.tenant.id, Wanted(), 0, 100, newest_first=True)
        assert len(rows) == total == 5
        assert list(service.verify(timeline.tenant.id)) == []


@pytest.mark.parametrize(
    "query",
    ["page=0", "per_page=501", "created_after=x", "created_before=-1", "created_after=" + "9" * 5000, "sort=up"],
)
def test_bad_queries(api: httpx2.Client, query: str):
    answer = api.get(f"{LOGS}?{query}")

    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "request_id"}


def test_another_tenants_entries(log: Log, sign_in):
    other = tenants.create_tenant("Other")
    theirs = Log(sign_in(other), other)
    theirs.write(release("secret"))

    assert ids(log.get(object_id="secret")) == []
    assert "secret" not in log.api.get(EXPORT).text
    assert ids(theirs.get(object_id="secret")) == ["secret"]


@pytest.mark.parametrize("path", [LOGS, EXPORT])
def test_a_plan_without_audit_logs(sign_in, path: str):
    answer = sign_in(tenants.create_tenant("Small", plan="professional")).get(path)

    assert answer.status_code == 403
    assert "audit logs" in answer.json()["error"]


def test_the_first_page_does_not_read_the_whole_log(log: Log, warm: None):
    for number in range(60):
        log.write(release(str(number)))

    with counted() as cost:
        assert log.api.get(LOGS).status_code == 200
    # The session with its user, the page, and the ends of the chains, however long the log is.
    assert cost.calls == ["BatchGetItem", "Query", "Query"]
    assert cost.read_units <= 5
