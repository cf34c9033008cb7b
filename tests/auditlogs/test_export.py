"""``GET /management/v1/auditlogs/logs/export``: the log as a CSV file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.actor import Actor
from chalicelib.auditlogs.rules import flat
from chalicelib.auditlogs.service import Action, Object, ObjectType
from tests.auditlogs.conftest import EXPORT, Log, release

if TYPE_CHECKING:
    import httpx2

HEADER = [
    *("actor.id", "actor.type", "actor.email", "time", "action", "object.id", "object.type", "object.user.email"),
    *("object.deployment.name", "object.deployment.artifact_name", "object.device.identity_data"),
    *("object.artifact.name", "change"),
]


def export(log: Log, **query: Any) -> list[dict[str, str]]:
    answer = log.api.get(EXPORT, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.fixture
def full(log: Log) -> Log:
    log.write(Object(ObjectType.DEPLOYMENT, "d", {"name": 'a "b", c', "artifact_name": "r"}))
    log.write(release("r"), change="was:\nx\nis:\ny")
    log.write(
        Object(ObjectType.DEVICE, "dev", {"identity_data": '{"mac":"1"}'}),
        action=Action.OPEN_TERMINAL,
        meta={"session_id": ["s"], "path": ["/a", "/b"]},
    )
    return log


def test_the_columns(full: Log):
    rows = export(full)

    assert list(rows[0])[: len(HEADER)] == HEADER
    assert set(list(rows[0])[len(HEADER) :]) >= {"meta.path", "meta.session_id", "object.release.name"}
    device, updated, deployment = rows[:3]
    assert device["object.device.identity_data"] == '{"mac":"1"}'
    assert (device["meta.session_id"], device["meta.path"]) == ("s", "/a, /b")
    assert updated["change"] == "was:\nx\nis:\ny"
    assert deployment["object.deployment.name"] == 'a "b", c'
    assert (deployment["actor.id"], deployment["actor.email"]) == ("someone", "someone@example.com")


def test_the_export_has_all_entries_of_the_list(full: Log):
    assert [row["object.id"] for row in export(full)] == [entry["object"]["id"] for entry in full.get()]
    assert [row["object.id"] for row in export(full, sort="asc")][-1] == "dev"


def test_filters(full: Log):
    assert [row["object.id"] for row in export(full, object_type="device")] == ["dev"]
    assert [row["object.id"] for row in export(full, object_deployment_name='a "b", c')] == ["d"]
    assert export(full, created_before=1) == []


def test_a_limit(full: Log):
    assert [row["object.id"] for row in export(full, limit=2)] == ["dev", "r"]
    assert full.api.get(EXPORT, params={"limit": "x"}).status_code == 400


def test_choosing_the_separator(full: Log):
    assert "actor_id" in export(full, format_separator="_")[0]


def test_leaving_out_columns(full: Log):
    shown = export(full, ignore=["actor.id", "change"])[0]

    assert not {"actor.id", "change"} & set(shown)
    assert "actor.email" in shown


def test_downloading_with_a_session_cookie(full: Log, http: httpx2.Client):
    token = full.api.headers["Authorization"].removeprefix("Bearer ")

    answer = http.get(EXPORT, headers={"Cookie": f"JWT={token}"})

    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="auditlogs.csv"'


def test_cells_are_not_executed_as_formulas(log: Log):
    log.write(release('=HYPERLINK("http://example.com")'), by=Actor("user", "@u"))

    row = export(log)[0]

    assert row["object.id"] == '\'=HYPERLINK("http://example.com")'
    assert row["actor.id"] == "'@u"


def test_an_export_that_is_too_large(full: Log, monkeypatch: pytest.MonkeyPatch):
    assert "x-truncated" not in full.api.get(EXPORT).headers
    monkeypatch.setattr(limits, "AUDIT_EXPORT", 200)

    answer = full.api.get(EXPORT)

    assert answer.headers["x-truncated"] == "true"
    assert 1 <= len(list(csv.DictReader(io.StringIO(answer.text, newline="")))) < len(full.get())


def test_the_size_limit_is_never_exceeded():
    row = {"actor": {"id": '"' * 50}, "change": "é" * 50}
    text, complete = flat.export([row] * 1000, ".", (), 10_000)

    assert not complete
    assert 5_000 < len(text.encode()) < 10_000 + 500
