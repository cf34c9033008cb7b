"""Alarms, dashboard and bill speak of what the code counts and of what is deployed, and of all of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chalicelib.aws.queues import Queue
from chalicelib.observability import Metric
from infra.deploy.functions import FUNCTIONS
from infra.local.engine.process import ROOT
from infra.local.template import read
from infra.scripts import cost

RESOURCES = read(ROOT / "infra" / "templates" / "alarms.yaml")["Resources"]
OPERATIONS = ROOT / "docs" / "operations.md"


def alarms() -> list[dict[str, Any]]:
    """Properties of every alarm; those of a loop once, as they are written."""
    looped = [made for each in RESOURCES.values() if isinstance(each, list) for made in each[2].values()]
    alone = [each for each in RESOURCES.values() if isinstance(each, dict)]
    return [each["Properties"] for each in looped + alone if each["Type"] == "AWS::CloudWatch::Alarm"]


def lines() -> list[list[Any]]:
    """Metrics of the dashboard, dots replaced by what they stand for."""
    body = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    found: list[list[Any]] = []
    for widget in body["widgets"]:
        above: list[Any] = []
        for line in widget["properties"]["metrics"]:
            if isinstance(line[0], str):
                above = [above[at] if part == "." else part for at, part in enumerate(line)]
                found.append(above)
    return found


def test_every_metric_of_the_app_is_shown() -> None:
    own = [line for line in lines() if line[0] == "Lamplighter"]

    assert sorted({line[1] for line in own}) == sorted(Metric)
    assert {tuple(line[2:4]) for line in own} == {("Stage", "${Stage}")}


def test_alarms_on_metrics_of_the_app_are_on_metrics_that_there_are() -> None:
    own = [alarm for alarm in alarms() if alarm["Namespace"] == "Lamplighter"]

    assert own
    for alarm in own:
        assert alarm["MetricName"] in set(Metric)
        assert alarm["Dimensions"] == [{"Name": "Stage", "Value": {"Ref": "Stage"}}]


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_is_counted_somewhere(metric: Metric) -> None:
    sources = (path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))

    assert any(f"Metric.{metric.name}" in source for source in sources)


def test_the_bill_has_them_all() -> None:
    assert len(Metric) == cost.METRICS


def test_alarms_name_the_functions_and_queues_that_are_deployed() -> None:
    _, functions, _ = RESOURCES["Fn::ForEach::Functions"]
    _, queues, _ = RESOURCES["Fn::ForEach::Queues"]

    assert sorted(functions) == sorted(each.name for each in FUNCTIONS if each.name != "api_handler")
    assert sorted(queues) == sorted(Queue)
    [timer] = [each.name for each in FUNCTIONS if each.timer]
    assert RESOURCES["ScheduleStopped"]["Properties"]["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Fn::Sub": f"lamplighter-${{Stage}}-{timer}"}}
    ]


def test_every_alarm_is_in_the_runbook_and_no_other() -> None:
    names = [alarm["AlarmName"]["Fn::Sub"] for alarm in alarms()]
    names.append(RESOURCES["Limit"]["Properties"]["Budget"]["BudgetName"]["Fn::Sub"])
    section = OPERATIONS.read_text().partition("\n## Alarms\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]

    documented = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]

    assert sorted(documented) == sorted(re.sub(r"\$\{(\w+)\}", lambda found: found[1].upper(), each) for each in names)
