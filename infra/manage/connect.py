"""Selects the server that ``manage`` works on: the local one, or a stage on AWS with the admin's own credentials.

It must be called before anything of ``chalicelib`` is imported, because the app reads its settings once.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from infra.local import environment
from infra.local.engine.process import REGION

LOCAL = "local"
"""The stage of a server on one machine."""
_ENGINE = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""The variables that select another engine than the running server's. A local server uses no other AWS variables."""
_STAGES = Path(__file__).resolve().parents[2] / ".chalice" / "config.json"


class NoServerError(Exception):
    """There is no server to work on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server: the stage, and the data folder of a local one."""

    stage: str
    data: Path

    @property
    def server_file(self) -> Path:
        """The file in which a running local server records how to reach it."""
        return self.data / "server.json"

    @property
    def first_tenant_file(self) -> Path:
        """The file with the first admin of a local server."""
        return self.data / "first_tenant.json"


def connect(place: Place) -> None:
    """Set up the environment for services to work on ``place``. Variables that are already set take precedence.

    Raises:
        NoServerError: no such stage, no region, or no local server is running.
    """
    variables = _local(place) if place.stage == LOCAL else _on_aws(place.stage)
    os.environ["LAMPLIGHTER_STAGE"] = place.stage
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _local(place: Place) -> dict[str, str]:
    named = {name: os.environ[name] for name in _ENGINE if name in os.environ}
    found = named if named.get("AWS_ENDPOINT_URL") else _noted_engine(place)
    environment.drop_foreign()
    return found | {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _noted_engine(place: Place) -> dict[str, str]:
    """The address and key of the running server's engine."""
    try:
        noted = json.loads(place.server_file.read_text())
    except FileNotFoundError:
        noted = {}
    if "aws_endpoint" not in noted:
        raise NoServerError(
            f"no local server keeps its data in {place.data}. Start one with `make run`, name its folder with "
            "--data, name a stage on AWS with --stage, or name an engine and its key in AWS_ENDPOINT_URL, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return {
        "AWS_ENDPOINT_URL": noted["aws_endpoint"],
        "AWS_ACCESS_KEY_ID": noted["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": noted["aws_secret_access_key"],
    }


def _on_aws(stage: str) -> dict[str, str]:
    """The variables of the stage's own functions."""
    from infra.deploy.destination import DestinationError, region

    stages = json.loads(_STAGES.read_text())["stages"]
    if stage not in stages:
        known = ", ".join([LOCAL, *stages])
        raise NoServerError(f"there is no stage {stage}; there are: {known}")
    try:
        region()
    except DestinationError as error:
        raise NoServerError(str(error)) from error
    variables: dict[str, str] = stages[stage].get("environment_variables", {})
    return variables | _bucket(stage)


def _bucket(stage: str) -> dict[str, str]:
    """The bucket in the stage's record, if there is a readable one."""
    from botocore.exceptions import BotoCoreError, ClientError

    from infra.deploy.record import Record

    if "LAMPLIGHTER_BUCKET" in os.environ:
        return {}
    with suppress(BotoCoreError, ClientError):
        if found := Record(stage, _STAGES.parents[1]).load().bucket:
            return {"LAMPLIGHTER_BUCKET": found}
    return {}
