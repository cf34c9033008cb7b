"""A deployed stage: its record, and the settings of its functions."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3

from infra.deploy.functions import logs, snap_start, stage_of
from infra.deploy.record import Installation, Record
from infra.paths import ROOT

PUBLIC_URL = "LAMPLIGHTER_PUBLIC_URL"
UI_URL = "LAMPLIGHTER_UI_URL"
LOG_LEVEL = "LAMPLIGHTER_LOG_LEVEL"
SECRETS = ("LAMPLIGHTER_EDGE_SECRET", "LAMPLIGHTER_MAIL_SERVER")
"""Settings that belong in no file: they are set in the environment of a deployment, and kept by later ones."""


_LOOPS = "Terminate"
_EDGE_SECRET = re.compile(r"[A-Za-z0-9_-]{32,}")
"""The pattern of the edge stack's parameter."""


class SecretError(Exception):
    """A given secret is invalid."""


class NotDeployedError(Exception):
    """There is no such stage, or nothing of it is deployed."""


@dataclass
class Deployed:
    """A stage: its configuration in a project, and its record in the AWS account of the environment."""

    stage: str
    project: Path = ROOT

    @property
    def copy(self) -> Path:
        """This folder's copy of the record, for plain Chalice."""
        return self.project / ".chalice" / "deployed" / f"{self.stage}.json"

    @cached_property
    def record(self) -> Record:
        """The name of the parameter with the stage's record."""
        return Record(self.stage, self.project)

    @cached_property
    def installation(self) -> Installation:
        """The record."""
        return self.record.load()

    @property
    def config(self) -> dict[str, Any]:
        """The stage's section of the configuration.

        Raises:
            NotDeployedError: there is no such stage.
        """
        stages = json.loads((self.project / ".chalice" / "config.json").read_text())["stages"]
        if self.stage not in stages:
            raise NotDeployedError(f"there is no stage {self.stage}. Known stages: {', '.join(stages)}")
        found: dict[str, Any] = stages[self.stage]
        return found

    @property
    def configured(self) -> dict[str, str]:
        """The functions' variables in the configuration.

        Raises:
            NotDeployedError: there is no such stage.
        """
        found: dict[str, str] = self.config["environment_variables"]
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The recorded resources of one type."""
        return self.installation.of(kind)

    def one(self, kind: str) -> dict[str, Any]:
        """The only recorded resource of this type.

        Raises:
            NotDeployedError: there is none.
        """
        found = self.of(kind)
        if not found:
            raise NotDeployedError(f"stage {self.stage} has no {kind} yet: make deploy STAGE={self.stage}")
        return found[0]

    @property
    def url(self) -> str:
        """The API's URL without the name of its Chalice stage, the "api" at the beginning of every path."""
        api = self.one("rest_api")
        if engine := os.environ.get("AWS_ENDPOINT_URL"):
            return f"{engine}/_aws/execute-api/{api['rest_api_id']}"
        return str(api["rest_api_url"]).rstrip("/").removesuffix("/api")

    def public_url(self, given: str = "") -> str:
        """The public URL: as given, as configured, or API Gateway's; empty if it is not known yet."""
        return given or self.configured.get(PUBLIC_URL, "") or self._own_url

    def browser_origins(self, public_url: str = "") -> tuple[str, ...]:
        """Origins of pages that upload to the bucket: the console at each of its URLs.

        These are the API's own URL, the public one (of the edge or a custom domain), and ``ui_url`` if another UI is
        served elsewhere. Empty before the first deployment, unless one of the latter is known.
        """
        urls = map(urlsplit, (self._own_url, self.public_url(public_url), self.configured.get(UI_URL, "")))
        return tuple(sorted({f"{url.scheme}://{url.netloc.lower()}" for url in urls if url.netloc}))

    @property
    def _own_url(self) -> str:
        """The API's own URL; empty before it is deployed."""
        known = os.environ.get("AWS_ENDPOINT_URL") or any("rest_api_url" in each for each in self.of("rest_api"))
        return self.url if known and self.of("rest_api") else ""

    @property
    def websocket_url(self) -> str:
        """The WebSocket API."""
        api = self.one("websocket_api")
        if engine := os.environ.get("AWS_ENDPOINT_URL"):
            return f"{engine.replace('http', 'ws', 1)}/_aws/execute-api/{api['websocket_api_id']}/api"
        return str(api["websocket_api_url"]).rstrip("/")

    @property
    def functions(self) -> list[str]:
        """The names of the functions on AWS."""
        return [str(each["lambda_arn"]).rpartition(":")[2] for each in self.of("lambda_function")]

    def variables(self, public_url: str) -> dict[str, str]:
        """Settings of the functions in addition to their configuration: their URLs, and secrets.

        Raises:
            SecretError: the edge's secret is too short or contains other characters.
        """
        kept = {name: value for name, value in self._running().items() if name in SECRETS}
        given = {name: os.environ[name] for name in SECRETS if name in os.environ}
        if given.get(SECRETS[0]) and not _EDGE_SECRET.fullmatch(given[SECRETS[0]]):
            raise SecretError(f"{SECRETS[0]}: use at least 32 letters and digits, as the edge's stack requires")
        url = {PUBLIC_URL: public_url} if public_url else {}
        return {name: value for name, value in kept.items() if name not in self.configured} | given | url

    def _running(self) -> dict[str, str]:
        """Variables of the deployed functions; empty if nothing is deployed."""
        service = boto3.client("lambda")
        with suppress(service.exceptions.ResourceNotFoundException):
            for function in self.functions[:1]:  # all functions have the same
                known = service.get_function_configuration(FunctionName=function)
                return dict(known.get("Environment", {}).get("Variables", {}))
        return {}

    def settle(self, url: str) -> list[str]:
        """Update URLs, logging, tracing and SnapStart of the functions; returns the changed ones."""
        service = boto3.client("lambda")
        stage = stage_of(self.stage)
        tracing = {"Mode": "Active" if stage.tracing else "PassThrough"}
        told = []
        for function, resource in zip(self.functions, self.of("lambda_function"), strict=True):
            known = service.get_function_configuration(FunctionName=function)
            variables = known.get("Environment", {}).get("Variables", {})
            changes: dict[str, Any] = {}
            if variables.get(PUBLIC_URL) != url:
                changes["Environment"] = {"Variables": variables | {PUBLIC_URL: url}}
            wanted = logs(variables.get(LOG_LEVEL, ""))
            if not wanted.items() <= known.get("LoggingConfig", {}).items():
                changes["LoggingConfig"] = wanted
            if known.get("TracingConfig", {"Mode": "PassThrough"}) != tracing:
                changes["TracingConfig"] = tracing
            snapshots = snap_start(resource["name"], stage)
            if not snapshots.items() <= known.get("SnapStart", {"ApplyOn": "None"}).items():
                changes["SnapStart"] = snapshots
            if changes:
                service.update_function_configuration(FunctionName=function, **changes)
                service.get_waiter("function_updated_v2").wait(FunctionName=function)
                told.append(function)
            self._stop_loops(service, function)
        return told

    @staticmethod
    def _stop_loops(service: Any, function: str) -> None:
        """Let Lambda stop recursive calls after the 16th, which is its default."""
        if service.get_function_recursion_config(FunctionName=function)["RecursiveLoop"] != _LOOPS:
            service.put_function_recursion_config(FunctionName=function, RecursiveLoop=_LOOPS)
