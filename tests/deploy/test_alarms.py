"""Alarms and the dashboard cover all functions and queues."""

from __future__ import annotations

import json
import re
from typing import Any

from infra.local.engine.process import REGION
from infra.local.template import Template, read
from infra.paths import ROOT

FOLDER = ROOT / "infra" / "templates"
ALARMS = read(FOLDER / "alarms.yaml")["Resources"]


def repeated(name: str) -> tuple[set[str], dict[str, Any]]:
    """The items of a loop in the alarms, and the resources for each."""
    _, each, made = ALARMS[f"Fn::ForEach::{name}"]
    return set(each), made


def metrics() -> list[tuple[str, Any]]:
    """Title and metrics of every widget of the dashboard."""
    body = ALARMS["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    return [(widget["properties"]["title"], widget["properties"]["metrics"]) for widget in json.loads(body)["widgets"]]


def test_every_function_has_alarms() -> None:
    sized = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]
    functions, made = repeated("Functions")

    assert functions == sized.keys() - {"api_handler"}, "a new function needs alarms: infra/templates/alarms.yaml"
    assert {alarm["Properties"]["MetricName"] for alarm in made.values()} == {"Errors", "Throttles"}
    own = {ALARMS[name]["Properties"]["MetricName"] for name in ("ApiErrors", "ApiThrottles", "ApiSlow")}
    assert own == {"Errors", "Throttles", "Duration"}


def test_every_dead_letter_has_an_alarm() -> None:
    names = {
        about["QueueName"]
        for _, about in Template(FOLDER / "storage.yaml", {"Stage": "s"}, REGION).resources("AWS::SQS::Queue")
    }
    queues, made = repeated("Queues")

    assert {f"lamplighter-s-{queue}-dead" for queue in queues} == {name for name in names if name.endswith("-dead")}
    dead, oldest = made.values()
    assert dead["Properties"]["Dimensions"][0]["Value"] == {"Fn::Sub": "lamplighter-${Stage}-${Queue}-dead"}
    assert oldest["Properties"]["Dimensions"][0]["Value"] == {"Fn::Sub": "lamplighter-${Stage}-${Queue}"}


def test_a_message_may_wait_for_more_than_one_attempt() -> None:
    """Otherwise every message whose first attempt failed would set off the alarm."""
    longest = {
        about["QueueName"].removeprefix("lamplighter-s-"): about["VisibilityTimeout"]
        for _, about in Template(FOLDER / "storage.yaml", {"Stage": "s"}, REGION).resources("AWS::SQS::Queue")
        if "VisibilityTimeout" in about
    }
    allowed = {queue: each["Seconds"] for queue, each in read(FOLDER / "alarms.yaml")["Mappings"]["Oldest"].items()}

    assert allowed.keys() == repeated("Queues")[0]
    assert all(allowed[queue] > longest[queue] for queue in allowed)


def test_failures_are_measured_as_a_share_of_all_calls() -> None:
    """A fixed number that is right for ten devices would set off the alarm constantly for a million."""
    for name in ("ApiFaults", "ApiUnavailable"):
        alarm = ALARMS[name]["Properties"]
        assert {"calls", "share"} < {each["Id"] for each in alarm["Metrics"]}
        assert alarm["Threshold"] == 1
    _, burn = repeated("Burns")
    formula = burn["Burn${Burn}"]["Properties"]["Metrics"][-1]["Expression"]["Fn::Sub"]
    assert "/ calls" in formula
    assert "${Objective}" in formula


def test_every_alarm_sends_a_notification() -> None:
    loops = [name.removeprefix("Fn::ForEach::") for name in ALARMS if name.startswith("Fn::ForEach::")]
    alarms = [each for name in loops for each in repeated(name)[1].values()]
    alarms += [each for each in ALARMS.values() if isinstance(each, dict) and each["Type"] == "AWS::CloudWatch::Alarm"]

    assert len(loops) == 4
    assert len(alarms) == 16
    for alarm in alarms:
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]
        assert alarm["Properties"]["AlarmDescription"]
        assert "TreatMissingData" in alarm["Properties"]


def test_the_dashboard_shows_the_important_metrics() -> None:
    shown = metrics()
    text = json.dumps(shown)

    for name in (
        "5XXError",
        "p95",
        "Errors",
        "Throttles",
        "ApproximateNumberOfMessagesVisible",
        "Assignments",
        "DeploymentsCreated",
        "RUNNING_SUM",
    ):
        assert name in text
    for title, lines in shown:
        ids = [line[-1]["id"] for line in lines if isinstance(line[-1], dict) and "id" in line[-1]]
        assert len(ids) == len(set(ids)), title
        formulas = " ".join(line[0]["expression"] for line in lines if isinstance(line[0], dict))
        used = set(re.findall(r"\b[a-z]+\b", re.sub(r"SEARCH\([^)]*\)", "", formulas)))
        assert used <= set(ids), title
