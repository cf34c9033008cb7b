"""Log lines of calls: metrics, the request id, no secrets, and none at all for most calls."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from websockets.exceptions import InvalidStatus

from chalicelib import observability, settings
from chalicelib.deployments import service
from chalicelib.errors import TooManyRequests, Unavailable
from chalicelib.http import throttle
from chalicelib.observability import Metric
from infra.local.testing import LocalServer
from tests.conftest import PASSWORD
from tests.deployments.world import DEVAUTH, World, serves, serves_nothing
from tests.deviceconnect.peers import opened
from tests.integrations.conftest import SECRET, Hooks
from tests.simulator.artifacts import build_artifact

LOGIN = "/api/management/v1/useradm/auth/login"
DEPLOYMENTS = "/api/management/v1/deployments"
ID = "find-me-by-this"

Line = dict[str, Any]
Lines = Callable[[], list[Line]]


class Stdout:
    """Standard output, whatever pytest has put in its place by now."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def lines(server: LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lines:
    """The lines since the last call, as on Lambda."""
    known = replace(settings.current(), metrics=True)
    monkeypatch.setattr(settings, "current", lambda: known)
    observability.logger.debug("the first line makes the logger")
    [handler] = logging.getLogger("lamplighter").handlers
    assert isinstance(handler, logging.StreamHandler)
    monkeypatch.setattr(handler, "stream", Stdout())

    def read() -> list[Line]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]

    read()
    return read


@pytest.fixture
def world(lines: Lines, api: httpx2.Client, http: httpx2.Client, tenant) -> World:
    """A tenant with data."""
    return World(api, http, tenant.tenant_token)


def counted(found: list[Line]) -> Counter[str]:
    """The metrics in some lines, each checked to be valid for CloudWatch."""
    total: Counter[str] = Counter()
    for line in found:
        if "_aws" not in line:
            continue
        [about] = line["_aws"]["CloudWatchMetrics"]
        assert about["Namespace"] == "Lamplighter"
        assert about["Dimensions"] == [["Stage"]]
        assert line["Stage"] == "local"
        for metric in about["Metrics"]:
            assert metric == {"Name": Metric(metric["Name"]), "Unit": "Count"}
            [value] = line[metric["Name"]]
            total[metric["Name"]] += int(value)
    return total


def test_an_update_is_counted(world: World, lines: Lines, http: httpx2.Client) -> None:
    lines()
    device = world.device()
    assert counted(lines()) == {"DevicesAccepted": 1, "AuditEntries": 1}

    world.upload("v1")
    lines()
    deployment = world.deploy("v1", [device.id])
    assert counted(lines()) == {"DeploymentsCreated": 1, "AuditEntries": 1}

    serves(device.poll(), deployment)
    assert counted(lines()) == {"Assignments": 1}
    serves(device.poll(), deployment)
    assert lines() == []

    device.report(deployment, "installing")
    assert counted(lines()) == {"ReportsProgress": 1}
    device.report(deployment, "success")
    assert counted(lines()) == {"ReportsSuccess": 1, "DeploymentsFinished": 1}

    world.abort(world.deploy("v1", [device.id], force_installation=True))
    assert counted(lines()) == {"DeploymentsCreated": 1, "DeploymentsAborted": 1, "AuditEntries": 2}

    assert http.post(LOGIN, auth=("nobody@example.com", "wrong")).status_code == 401
    assert counted(lines()) == {"LoginFailures": 1}


def test_refused_artifacts_are_counted(world: World, lines: Lines) -> None:
    policy = {"signatures": "demand", "downgrades": "allow"}
    assert world.api.put(f"{DEPLOYMENTS}/trust/policy", json=policy).status_code == 204
    lines()
    file = {"artifact": ("a.mender", build_artifact("v1", ["pi"]))}
    assert world.api.post(f"{DEPLOYMENTS}/artifacts", files=file).status_code == 422
    assert counted(lines()) == {"UntrustedUploads": 1}


def test_refusals_of_the_server_are_counted(world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    device = world.device()
    for error, status, name in (
        (TooManyRequests(retry_after=1), 429, "RateLimited"),
        (Unavailable(), 503, "Unavailable"),
        (LookupError("a bug"), 500, "UnexpectedErrors"),
    ):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        lines()
        with monkeypatch.context() as patch:
            patch.setattr(throttle, "admit", refuse)
            assert device.poll().status_code == status
        assert counted(lines()) == {name: 1}


def test_refusals_of_websockets_are_counted(
    world: World, server: LocalServer, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = world.device()
    lines()

    def refuse(*_: object) -> None:
        raise TooManyRequests(retry_after=1)

    monkeypatch.setattr(throttle, "admit", refuse)
    with pytest.raises(InvalidStatus, match="429"):
        opened(server.url, "/api/devices/v1/deviceconnect/connect", str(device.token))

    assert counted(lines()) == {"RateLimited": 1}


def test_calls_without_changes_log_nothing(world: World, lines: Lines) -> None:
    device = world.device()
    device.inventory()
    lines()

    serves_nothing(device.poll())
    device.inventory()
    assert device.auth().status_code == 200
    assert device.auth().status_code == 200

    assert lines() == []


def test_one_id_is_in_lines_of_a_request_its_messages_and_webhooks(
    world: World, lines: Lines, hooks: Hooks, server: LocalServer
) -> None:
    hook = hooks()
    device = world.device()
    hook.posted()
    hook.listener.received.clear()
    lines()

    answer = world.api.delete(f"{DEVAUTH}/{device.id}", headers={"X-MEN-RequestID": ID})
    assert answer.status_code == 204
    server.drain()

    sent = hook.listener.received
    assert [each.headers["x-men-requestid"] for each in sent] == [ID]
    found = lines()
    assert counted(found)["WebhookDeliveries"] == 1
    assert {line["request_id"] for line in found} == {ID}


def test_an_error_line_has_only_the_id_of_the_request(
    world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LookupError("a bug")

    device = world.device()
    lines()
    monkeypatch.setattr(service, "next_update", fail)

    answer = device.poll()

    assert answer.status_code == 500
    [line] = [line for line in lines() if "_aws" not in line]
    assert line["request_id"] == answer.headers["X-MEN-RequestID"]
    assert line["path"].startswith("/api/devices/v")
    assert "a bug" in line["exception"]
    assert str(device.token) not in json.dumps(line)


def test_no_secret_is_in_any_line(world: World, lines: Lines, hooks: Hooks, server: LocalServer, http) -> None:
    logging.getLogger("lamplighter").setLevel(logging.DEBUG)
    try:
        hook = hooks(secret=SECRET)
        lines()
        device = world.device()
        world.upload("v1")
        deployment = world.deploy("v1", [device.id])
        link = serves(device.poll(), deployment)["source"]["uri"]
        device.report(deployment, "failure")
        hook.posted()
        http.post(LOGIN, auth=("someone@example.com", PASSWORD))
        http.post(LOGIN, headers={"Authorization": "Basic x"})
        world.api.delete(f"{DEVAUTH}/{device.id}")
        device.poll()
        server.drain()
        written = json.dumps(lines())
    finally:
        logging.getLogger("lamplighter").setLevel(settings.current().log_level)

    assert written != "[]"
    token = str(world.api.headers["Authorization"]).partition(" ")[2]
    secrets = [device.token, token, world.token, PASSWORD, SECRET, link, "someone@example.com"]
    assert [secret for secret in secrets if str(secret) in written] == []
    assert device.identity["mac"] not in written
    assert device.pubkey.splitlines()[1] not in written


def test_lambda_can_parse_the_time_of_lines(lines: Lines):
    """It treats lines without an RFC 3339 time as level INFO (Log level filtering, AWS Lambda)."""
    observability.logger.error("something broke")

    [line] = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00", line["timestamp"])
    assert line["level"] == "ERROR"
