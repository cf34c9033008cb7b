"""A short soak, and tests that the comparison notices what it is there for."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.paths import ROOT
from tests.soak.comparing import Result
from tests.soak.records import ACKNOWLEDGED, REFUSED, UNKNOWN, Deployment, Ledger
from tests.soak.report import slope
from tests.soak.walking import Walk

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("--minutes=0.35", "--devices=14", "--pace=0.4", "--kill-every=7", "--seed=4")
FAST = ("--device-timeout=0", "--no-webhook")
"""Without what would have to be waited for at the end: the schedule, and the leases of killed workers."""


@pytest.mark.slow
def test_nothing_is_lost_when_connections_break_and_the_server_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.soak", *SHORT, *FAST, "--folder", str(tmp_path / "soak")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All sides agree." in done.stdout
    assert re.search(r"kills +\d", done.stdout), done.stdout


@pytest.mark.parametrize(
    ("reports", "retries", "abort", "allowed"),
    [
        ([], 0, "", {"pending"}),
        ([("downloading", ACKNOWLEDGED), ("success", ACKNOWLEDGED)], 0, "", {"success"}),
        ([("downloading", ACKNOWLEDGED), ("success", UNKNOWN)], 0, "", {"downloading", "success"}),
        ([("failure", ACKNOWLEDGED)], 1, "", {"pending"}),
        ([("failure", ACKNOWLEDGED), ("failure", ACKNOWLEDGED)], 1, "", {"failure"}),
        ([("success", ACKNOWLEDGED), ("installing", ACKNOWLEDGED)], 0, "", {"success", "installing"}),
        ([("installing", ACKNOWLEDGED)], 0, ACKNOWLEDGED, {"aborted"}),
        ([("installing", ACKNOWLEDGED)], 0, UNKNOWN, {"aborted", "installing"}),
        ([("success", ACKNOWLEDGED)], 0, ACKNOWLEDGED, {"success"}),
        ([("installing", ACKNOWLEDGED), ("success", REFUSED)], 0, ACKNOWLEDGED, {"aborted"}),
    ],
)
def test_the_statuses_that_reports_allow(
    reports: list[tuple[str, str]], retries: int, abort: str, allowed: set[str]
) -> None:
    ledger = Ledger()
    for status, outcome in reports:
        ledger.reporting("d", "device", status).outcome = outcome
    deployment = Deployment("d", "name", "release", "few", frozenset({"device"}), retries=retries, abort=abort)
    assert ledger.allowed(deployment, "device") == allowed


def test_a_device_may_have_failed_while_it_was_silent() -> None:
    ledger, deployment = Ledger(device_timeout=1), Deployment("d", "name", "release", "few", frozenset({"device"}))
    for status, allowed in (
        ("downloading", {"downloading", "failure"}),
        ("installing", {"installing", "failure"}),
        ("success", {"success"}),
    ):
        ledger.reporting("d", "device", status).outcome = ACKNOWLEDGED
        assert ledger.allowed(deployment, "device") == allowed
    deployment.abort = ACKNOWLEDGED
    ledger.reporting("d", "other", "installing").outcome = REFUSED
    assert ledger.allowed(deployment, "other") == {"aborted", "failure"}


def test_the_walk_notices_orphans_and_wrong_counters() -> None:
    tenant = "T#t"
    row = {"status": "success", "state_sk": "09#device"}
    items: list[dict[str, Any]] = [
        {"pk": f"{tenant}#P#one", "sk": "ROW#device", **row},
        {"pk": f"{tenant}#P#two", "sk": "ROW#device", **row},
        {
            "pk": f"{tenant}#P#two",
            "sk": "COUNTER#00",
            "last": 0,
            "n_success": 2,
            "rows": 1,
            "done": 1,
            "complete": True,
        },
        {
            "pk": f"{tenant}#P#two",
            "sk": "DEPLOYMENT",
            "state_pk": f"{tenant}#FINISHED",
            "lock": "lock",
            "finished": "now",
            "complete": 1,
            "on_heads": False,
        },
        {"pk": f"{tenant}#X#lock", "sk": "ACTIVE", "deployment": "two"},
        {"pk": tenant, "sk": "COUNTS", "total": 1, "open": 1},
    ]
    result = Result()
    Walk(tenant, {"deployments": items, "fleet": [{"pk": tenant, "sk": "CONTROL", "open": {}}]}, result).deployments()
    assert [each.what for each in result.disagreements] == [
        "parts of deployments: one: ['ROW#device']",
        "counters: two: n_success is 2, not 1",
        "locks of deployments: lock: two is not open",
        "totals of deployments: (1, 1) instead of (1, 0)",
    ]


def test_the_slope_of_a_line() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 1)]) == 0
