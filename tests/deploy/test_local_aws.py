"""The engine of ``make deploy STAGE=local-aws``, which keeps running."""

from __future__ import annotations

import os
from pathlib import Path

import boto3

from infra.deploy.engine import LocalAws


def test_the_engine_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    local = LocalAws(tmp_path)
    assert local.variables() is None
    assert local.stop() is False

    variables, fresh = local.ensure()
    try:
        again, anew = LocalAws(tmp_path).ensure()
        client = boto3.client(
            "sts",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )
        account = client.get_caller_identity()["Account"]
        client.close()
    finally:
        stopped = local.stop()

    assert (fresh, anew) == (True, False)
    assert again == variables
    assert account == "000000000000"
    assert stopped
    assert local.variables() is None


def test_the_file_of_a_killed_engine_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(f'{{"pid": {os.getpid()}, "environment": {{}}}}')

    assert LocalAws(tmp_path).variables() is None
    assert LocalAws(tmp_path).stop() is False, "a process of somebody else's was told to end"
