"""The record of an installation, in an SSM parameter of the stage, below the stage's keys.

Parameter Store exists before anything is deployed and outlives it. The functions have no access to the record (their
policies list the parameters that they may read). It is in no table, so restoring a backup does not bring
back an older record. Chalice's own file, ``.chalice/deployed/STAGE.json``, becomes a copy for plain Chalice.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import boto3
import msgspec

Resource = dict[str, Any]
"""One of Chalice's records: ``name``, ``resource_type``, and values for finding the resource again."""
KEPT = 10
"""The number of releases to which a rollback is possible."""


class Release(msgspec.Struct, frozen=True):
    """Versions that were published together."""

    number: int
    at: str
    """The time in UTC, as ISO 8601."""
    data_version: int
    """The newest version of stored data that its code can read."""
    versions: dict[str, str]
    """The published version of each function, by the function's name."""
    gateway: str = ""
    """The REST API's deployment, which holds its routes."""
    code: str = ""
    """The deployed commit, if there was one."""


class Installation(msgspec.Struct):
    """Everything that is recorded of a stage."""

    account: str = ""
    region: str = ""
    bucket: str = ""
    resources: list[Resource] = []
    releases: list[Release] = []
    live: int = 0
    """The number of the live release; 0 before the first."""

    def release(self, number: int) -> Release | None:
        """One of the recorded releases."""
        return next((each for each in self.releases if each.number == number), None)

    def of(self, kind: str) -> list[Resource]:
        """The resources of one of Chalice's types."""
        return [each for each in self.resources if each["resource_type"] == kind]


class Record:
    """The record of one stage."""

    def __init__(self, stage: str, project: Path) -> None:
        self._name = f"/lamplighter/{stage}/deployed"
        self._copy = project / ".chalice" / "deployed" / f"{stage}.json"
        self._saved = b""
        self._ssm = boto3.client("ssm")

    def load(self) -> Installation:
        """The record; without one, the content of Chalice's file in this folder."""
        try:
            value = self._ssm.get_parameter(Name=self._name)["Parameter"]["Value"]
        except self._ssm.exceptions.ParameterNotFound:
            return Installation(resources=self._noted())
        self._saved = zlib.decompress(base64.b64decode(value))
        return msgspec.json.decode(self._saved, type=Installation)

    def save(self, found: Installation) -> None:
        """Store the record, unless it is unchanged."""
        # A parameter holds 4,096 characters; sixty resources are 10 KB of JSON, or 2 KB compressed.
        data = msgspec.json.encode(found)
        self._copy.parent.mkdir(parents=True, exist_ok=True)
        chalice = {"resources": found.resources, "schema_version": "2.0", "backend": "api"}
        self._copy.write_text(json.dumps(chalice, indent=2) + "\n")
        if data == self._saved:
            return
        value = base64.b64encode(zlib.compress(data, 9)).decode()
        self._ssm.put_parameter(Name=self._name, Value=value, Type="String", Overwrite=True, Tier="Intelligent-Tiering")
        self._saved = data

    def _noted(self) -> list[Resource]:
        if not self._copy.exists():
            return []
        found: list[Resource] = json.loads(self._copy.read_text())["resources"]
        return found
