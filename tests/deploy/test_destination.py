"""The account and region of a deployment, its record, and the lock."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import msgspec
import pytest

from infra.deploy import destination
from infra.deploy.destination import HOME, Destination, DestinationError
from infra.deploy.lock import LIFE, Holder, LockedError, held
from infra.deploy.record import Installation, Record, Release
from infra.local import environment
from infra.local.engine.process import REGION, Engine

STAGE = "shared"
LOCK = f"/lamplighter/{STAGE}/deploying"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with (
        Engine(tmp_path_factory.mktemp("engine"), persist=False, functions=True) as engine,
        environment.applied(engine.env()),
    ):
        yield


# --- Region


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
    ],
)
def test_one_region_is_set_in_both_variables(variables: dict[str, str], found: str) -> None:
    assert destination.region(variables) == found
    assert variables == {"AWS_REGION": found, "AWS_DEFAULT_REGION": found}


def test_two_regions_are_refused() -> None:
    with pytest.raises(DestinationError, match="eu-west-1, us-east-1"):
        destination.region({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"})


REGIONS = """
import os
from pathlib import Path
from infra.deploy import destination
from infra.manage import connect

{first}
from chalicelib.settings import aws
print(aws().region, os.environ["AWS_REGION"], os.environ["AWS_DEFAULT_REGION"])
"""


@pytest.mark.parametrize(
    "first", ["destination.region()", 'connect.connect(connect.Place("dev", Path(".")))'], ids=["deploy", "manage"]
)
@pytest.mark.parametrize("profile", ["", "[default]\nregion = ap-south-1\n"], ids=["without", "with"])
def test_the_region_of_a_profile_is_used_by_all(tmp_path: Path, first: str, profile: str) -> None:
    """Without a region nothing is guessed: keys and functions must be in the same region."""
    (tmp_path / "config").write_text(profile)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_"))}
    variables = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_EC2_METADATA_DISABLED": "true"}
    # No address is reachable: only settings may be used.
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    done = subprocess.run(
        [sys.executable, "-c", REGIONS.format(first=first)],
        env=inherited | variables | nowhere | {"AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    if profile:
        assert done.stdout.split() == ["ap-south-1"] * 3, done.stderr
    else:
        assert "no region is set" in done.stderr


def test_a_stage_of_another_region_is_refused(engine: None) -> None:
    iam = boto3.client("iam")
    iam.create_role(
        RoleName="lamplighter-moved-api_handler",
        AssumeRolePolicyDocument="{}",
        Tags=[{"Key": HOME, "Value": "eu-central-1"}],
    )

    destination.refuse_elsewhere("moved", "eu-central-1")
    destination.refuse_elsewhere("never-deployed", REGION)
    with pytest.raises(DestinationError, match=r"deployed in eu-central-1.*AWS_DEFAULT_REGION=eu-central-1"):
        destination.refuse_elsewhere("moved", REGION)


def test_a_record_of_another_account_is_refused() -> None:
    arn = "arn:aws:lambda:eu-west-1:111111111111:function:lamplighter-dev"
    known = Installation(resources=[{"name": "api_handler", "resource_type": "lambda_function", "lambda_arn": arn}])

    destination.refuse_foreign("dev", known, Destination("111111111111", "eu-west-1"))
    for other in (Destination("222222222222", "eu-west-1"), Destination("111111111111", "eu-west-2")):
        with pytest.raises(DestinationError, match="was deployed to eu-west-1 in account 111111111111"):
            destination.refuse_foreign("dev", known, other)


# --- The record


def test_the_record_of_any_stage_fits_into_a_standard_parameter(engine: None, tmp_path: Path) -> None:
    """60 resources, and ten releases of eleven functions."""
    names = [f"lamplighter-production-eu-function-{number}" for number in range(11)]
    arn = "arn:aws:lambda:ap-southeast-1:123456789012:function:"
    resources = [
        {"name": f"{name}{kind}", "resource_type": "lambda_function", "lambda_arn": arn + name, "more": arn + kind}
        for name in names
        for kind in ("", "_role", "-log-group", "-sqs-event-source", "-x", "-y")
    ]
    releases = [
        Release(number, f"2026-11-28T10:{number}:00", 2, {name: str(90 + number) for name in names}, f"gw{number}abc")
        for number in range(10)
    ]
    record = Record("large", tmp_path)

    record.save(Installation("123456789012", "ap-southeast-1", "bucket", resources, releases, 9))

    found = Record("large", tmp_path / "elsewhere").load()
    assert (found.resources, found.releases) == (resources, releases)
    value = boto3.client("ssm").get_parameter(Name="/lamplighter/large/deployed")["Parameter"]["Value"]
    assert len(value) <= 4096


# --- One at a time


def leave(holder: Holder) -> None:
    """Leave a lock as a killed process does."""
    value = msgspec.json.encode(holder).decode()
    boto3.client("ssm").put_parameter(Name=LOCK, Value=value, Type="String", Overwrite=True)


def locks() -> int:
    return len(boto3.client("ssm").get_parameters(Names=[LOCK])["Parameters"])


def test_a_second_deployment_is_refused(engine: None) -> None:
    with held(STAGE) as renew:
        renew()
        with pytest.raises(LockedError, match=r"deploys stage shared .*Wait until.*--break-lock"), held(STAGE):
            pytest.fail("both deploy")
        assert locks() == 1
    assert locks() == 0
    with held(STAGE):
        pass


def test_a_failed_deployment_releases_the_lock(engine: None) -> None:
    with pytest.raises(ZeroDivisionError), held(STAGE):
        raise ZeroDivisionError
    assert locks() == 0


def test_one_of_many_concurrent_deployments_gets_the_lock(engine: None) -> None:
    """Whether there is no lock or an expired one."""
    for left in (None, Holder("somebody", "elsewhere", 1, 0)):
        if left is not None:
            leave(left)
        inside: list[int] = []
        outside: list[int] = []
        done, ready = threading.Event(), threading.Barrier(5)

        def deploy(number: int, inside=inside, outside=outside, done=done, ready=ready) -> None:
            ready.wait()
            try:
                with held(STAGE):
                    inside.append(number)
                    done.wait(30)
            except LockedError:
                outside.append(number)
                if len(outside) == 4:
                    done.set()

        threads = [threading.Thread(target=deploy, args=(number,)) for number in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert (len(inside), len(outside)) == (1, 4)
        assert locks() == 0


def test_the_lock_of_a_killed_local_process_is_taken_over(engine: None) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    leave(Holder("me", socket.gethostname(), ended.pid, time.time() + LIFE))

    with held(STAGE):
        pass


@pytest.mark.parametrize(("past", "by_force"), [(LIFE + 1, False), (1, True)], ids=["its time", "force"])
def test_the_lock_of_another_machine_expires(engine: None, past: float, by_force: bool) -> None:
    now = time.time()
    leave(Holder("somebody", "elsewhere", os.getpid(), now - past + LIFE))

    with held(STAGE, by_force=by_force):
        pass
    assert locks() == 0
    leave(Holder("somebody", "elsewhere", os.getpid(), now + LIFE))
    with pytest.raises(LockedError, match="somebody on elsewhere"), held(STAGE):
        pytest.fail("its time is not over")
    boto3.client("ssm").delete_parameter(Name=LOCK)
