"""Releases: published together, put into service in steps, rolled back on an alarm or by command."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest

from infra.deploy import releases
from infra.deploy.functions import ALIAS, STAGES, Step
from infra.deploy.record import Installation, Release
from infra.deploy.releases import Alarms, Functions, NotReadyError, NoWayBackError, TurnedBackError
from infra.local import environment
from infra.local.engine.process import Engine

STAGE = "some"
STEPS = (Step(10, 40), Step(50, 20))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True) as engine,
        environment.applied(engine.env()),
    ):
        yield


@pytest.fixture
def functions(engine: None) -> Functions:
    """Two functions whose version 1 is live and which have changed since."""
    client = boto3.client("lambda")
    names = (f"lamplighter-{uuid4().hex[:8]}", f"lamplighter-{uuid4().hex[:8]}")
    for name in names:
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.app",
            Role="arn:aws:iam::000000000000:role/some",
            Code={"ZipFile": code()},
        )
        client.publish_version(FunctionName=name)
        client.create_alias(FunctionName=name, Name=ALIAS, FunctionVersion="1")
        change(client, name, "second")
    return Functions(names, client)


def code(text: str = "") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", text)
    return packed.getvalue()


def change(client: Any, name: str, value: str) -> None:
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"VALUE": value}})


def weights(functions: Functions) -> list[dict[str, float]]:
    found = [functions.client.get_alias(FunctionName=name, Name=ALIAS) for name in functions.names]
    return [each.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}) for each in found]


def release(number: int, versions: dict[str, str], data: int = 2) -> Release:
    return Release(number, "2026-11-28T10:00:00+00:00", data, versions)


@pytest.fixture
def alarm(engine: None) -> Iterator[Callable[[str, str], None]]:
    """Set the state of an alarm of the stage, which is created for the test and removed."""
    client = boto3.client("cloudwatch")
    made: set[str] = set()

    def set_state(name: str, state: str) -> None:
        if name not in made:
            client.put_metric_alarm(
                AlarmName=name,
                Namespace="AWS/Lambda",
                MetricName="Errors",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
            )
            made.add(name)
        client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")

    yield set_state
    client.delete_alarms(AlarmNames=sorted(made))


def shift(functions: Functions, pause: Callable[[float], None], said: list[str] | None = None) -> None:
    releases.put_into_service(
        functions,
        release(2, functions.publish()),
        steps=STEPS,
        alarms=Alarms(STAGE, boto3.client("cloudwatch")),
        say=(said if said is not None else []).append,
        pause=pause,
    )


def test_unchanged_functions_get_no_new_version(functions: Functions) -> None:
    first = functions.publish()

    assert functions.publish() == first
    assert set(first.values()) == {"2"}


def use_snapshots(functions: Functions, text: str) -> str:
    """Let the first function start from snapshots, with this code; returns its name."""
    name = functions.names[0]
    functions.client.update_function_configuration(FunctionName=name, SnapStart={"ApplyOn": "PublishedVersions"})
    functions.client.update_function_code(FunctionName=name, ZipFile=code(text))
    return name


def test_a_version_with_a_snapshot_is_released_when_it_is_made(functions: Functions) -> None:
    name = use_snapshots(functions, "import time; time.sleep(1)\n\ndef app(event, context): return 1")

    published = functions.publish()

    known = functions.client.get_function_configuration(FunctionName=name, Qualifier=published[name])
    assert (known["State"], known["SnapStart"]["OptimizationStatus"]) == ("Active", "On")


def test_the_previous_release_stays_live_if_a_snapshot_fails(functions: Functions) -> None:
    name = use_snapshots(functions, "raise SystemExit('no such library')")

    with pytest.raises(NotReadyError, match=rf"^version 2 of {name} has no snapshot \(Failed: .*previous release"):
        shift(functions, lambda _: None)

    assert set(functions.live().values()) == {"1"}
    assert weights(functions) == [{}, {}]


def test_a_release_gets_its_share_step_by_step(functions: Functions) -> None:
    seen: list[tuple[float, list[dict[str, float]]]] = []
    said: list[str] = []

    shift(functions, lambda seconds: seen.append((seconds, weights(functions))), said)

    ten, half = [{"2": 0.1}] * 2, [{"2": 0.5}] * 2
    assert seen == [(15, ten), (15, ten), (10, ten), (15, half), (5, half)]
    assert [line.split()[0] for line in said] == ["10", "50"]
    assert set(functions.live().values()) == {"2"}
    assert weights(functions) == [{}, {}]


def test_an_alarm_rolls_it_back(functions: Functions, alarm: Callable[[str, str], None]) -> None:
    alarm(f"lamplighter-{STAGE} is slow", "ALARM")  # it went off before this release
    alarm(f"lamplighter-{STAGE}else has a defect", "OK")
    alarm(f"lamplighter-{STAGE} has a defect", "OK")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        alarm(f"lamplighter-{STAGE}else has a defect", "ALARM")  # of another stage
        if len(pauses) == 4:
            alarm(f"lamplighter-{STAGE} has a defect", "ALARM")

    with pytest.raises(TurnedBackError, match=f"lamplighter-{STAGE} has a defect$"):
        shift(functions, pause)

    assert len(pauses) == 4
    assert set(functions.live().values()) == {"1"}
    assert weights(functions) == [{}, {}]


def test_errors_of_the_new_version_roll_it_back(functions: Functions) -> None:
    name = functions.names[0]

    def pause(_: float) -> None:
        boto3.client("cloudwatch").put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {
                    "MetricName": "Errors",
                    "Dimensions": [
                        {"Name": "FunctionName", "Value": name},
                        {"Name": "Resource", "Value": f"{name}:{ALIAS}"},
                        {"Name": "ExecutedVersion", "Value": "2"},
                    ],
                    "Value": 3,
                }
            ],
        )

    with pytest.raises(TurnedBackError, match=rf"{name} \([0-9]+\)"):
        shift(functions, pause)

    assert set(functions.live().values()) == {"1"}


def test_an_interruption_rolls_it_back(functions: Functions) -> None:
    def pause(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shift(functions, pause)

    assert set(functions.live().values()) == {"1"}
    assert weights(functions) == [{}, {}]


def test_old_versions_are_deleted_except_live_ones(functions: Functions) -> None:
    for number in range(3, 6):
        functions.publish()
        for name in functions.names:
            change(functions.client, name, str(number))
    kept = release(4, functions.publish())

    functions.prune([kept])

    for name in functions.names:
        found = functions.client.list_versions_by_function(FunctionName=name)["Versions"]
        assert {each["Version"] for each in found} == {"$LATEST", "1", kept.versions[name]}


def installed(*data: int, live: int = 0) -> Installation:
    found = [release(number, {}, version) for number, version in enumerate(data, 1)]
    return Installation(releases=found, live=live or len(found))


@pytest.mark.parametrize(
    ("known", "number", "stored", "back"),
    [
        (installed(2, 2, 2), 0, 2, 2),
        (installed(2, 2, 2, live=2), 0, 2, 1),
        (installed(2, 2, 2), 1, 2, 1),
        (installed(2, 2, 2, live=1), 3, 2, 3),
        (installed(2, 3), 0, 2, 1),
    ],
    ids=["the one before", "twice", "by number", "forward again", "before it was migrated"],
)
def test_rolling_back(known: Installation, number: int, stored: int, back: int) -> None:
    assert releases.to_go_back_to(known, number, stored).number == back


@pytest.mark.parametrize(
    ("known", "number", "stored", "why"),
    [
        (installed(), 0, 2, "recorded are: none"),
        (installed(2), 0, 2, "before the live one; recorded are: 1"),
        (installed(2, 2), 7, 2, "no release 7; recorded are: 1, 2"),
        (installed(2, 3), 0, 3, "release 1 cannot read the stored data: its code knows version 2"),
    ],
    ids=["nothing", "the first", "unknown", "migrated since"],
)
def test_rollbacks_that_are_not_possible(known: Installation, number: int, stored: int, why: str) -> None:
    with pytest.raises(NoWayBackError, match=why):
        releases.to_go_back_to(known, number, stored)


def test_ten_releases_are_kept() -> None:
    known = Installation()
    for number in range(1, 13):
        releases.noted(known, release(number, {}))

    assert [each.number for each in known.releases] == list(range(3, 13))
    assert known.live == 12


def test_production_stages_have_steps() -> None:
    steps = {stage.name: stage.steps for stage in STAGES}

    assert steps["prod"]
    for step in steps["prod"]:
        assert 0 < step.percent < 100
        assert timedelta(seconds=step.seconds) >= timedelta(minutes=3), "CloudWatch shows errors minutes later"
