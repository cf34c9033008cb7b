"""Alarms, dashboard and cost model match the metrics in the code and the deployed resources."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chalicelib.aws.queues import Queue
from chalicelib.cost import rules as cost
from chalicelib.observability import Metric
from infra.deploy.functions import FUNCTIONS
from infra.local.engine.process import REGION
from infra.local.provision import STORAGE
from infra.local.template import Template, read
from infra.paths import ROOT

RESOURCES = read(ROOT / "infra" / "templates" / "alarms.yaml")["Resources"]
OPERATIONS = ROOT / "docs" / "operations.md"


def rows(title: str) -> list[list[str]]:
    """The first cells of the tables below a heading of the runbook."""
    section = OPERATIONS.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]


def alarms() -> list[dict[str, Any]]:
    """The properties of every alarm; those of a loop once."""
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


def test_alarms_use_existing_metrics_of_the_app() -> None:
    watched = [
        each["MetricStat"]["Metric"] for alarm in alarms() for each in alarm.get("Metrics", ()) if "MetricStat" in each
    ]
    own = [each for each in [*alarms(), *watched] if each.get("Namespace") == "Lamplighter"]

    assert {each["MetricName"] for each in own} >= {Metric.UNAVAILABLE, Metric.UNEXPECTED_ERRORS}
    for each in own:
        assert each["MetricName"] in set(Metric)
        assert each["Dimensions"] == [{"Name": "Stage", "Value": {"Ref": "Stage"}}]


def test_formulas_of_alarms_use_their_metrics() -> None:
    for alarm in alarms():
        names = {each["Id"] for each in alarm.get("Metrics", ())}
        formulas = [each["Expression"] for each in alarm.get("Metrics", ()) if "Expression" in each]
        for formula in (each["Fn::Sub"] if isinstance(each, dict) and "Fn::Sub" in each else each for each in formulas):
            if isinstance(formula, str) and not formula.startswith("SELECT"):
                assert set(re.findall(r"\b[a-z]+\b", formula)) <= names, formula


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_is_used_in_the_code(metric: Metric) -> None:
    sources = (path.read_text() for path in (ROOT / "chalicelib").rglob("*.py"))

    assert any(f"Metric.{metric.name}" in source for source in sources)


def test_the_cost_model_includes_all_metrics() -> None:
    assert len(Metric) == cost.METRICS


def test_alarms_name_deployed_functions_and_queues() -> None:
    _, functions, _ = RESOURCES["Fn::ForEach::Functions"]
    _, queues, _ = RESOURCES["Fn::ForEach::Queues"]

    assert sorted(functions) == sorted(each.name for each in FUNCTIONS if each.name != "api_handler")
    assert sorted(queues) == sorted(Queue)
    [timer] = [each.name for each in FUNCTIONS if each.timer]
    assert RESOURCES["ScheduleStopped"]["Properties"]["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Fn::Sub": f"lamplighter-${{Stage}}-{timer}"}}
    ]


def test_the_runbook_has_exactly_the_alarms() -> None:
    names = [alarm["AlarmName"]["Fn::Sub"] for alarm in alarms()]
    names.append(RESOURCES["Limit"]["Properties"]["Budget"]["BudgetName"]["Fn::Sub"])

    documented = [name for row in rows("Alarms") for name in re.findall(r"`([^`]+)`", row[0])]

    assert sorted(documented) == sorted(re.sub(r"\$\{(\w+)\}", lambda found: found[1].upper(), each) for each in names)


def test_every_queue_and_every_key_is_in_the_runbook() -> None:
    queues = [row[0].strip("`") for row in rows("Dead letters")]
    keys = [row[0].strip("`") for row in rows("Keys")]

    assert sorted(queues) == sorted(Queue)
    assert sorted(keys) == sorted({key for function in FUNCTIONS for key in function.keys})


def test_dead_letters_are_kept_as_long_as_the_runbook_says() -> None:
    days = {
        about["QueueName"].removeprefix("lamplighter-s-"): about["MessageRetentionPeriod"] / 86_400
        for _, about in Template(STORAGE, {"Stage": "s"}, REGION).resources("AWS::SQS::Queue")
    }
    [(most, mails)] = re.findall(r"`QUEUE-dead` and stays for (\d+) days \(mails: (\d+)\)", OPERATIONS.read_text())

    for queue in Queue:
        assert days[f"{queue}-dead"] == int(mails if queue is Queue.MAILS else most)
