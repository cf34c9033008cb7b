"""Writes ``.chalice`` from ``infra/deploy/functions.py``: ``python -m infra.scripts.chalice_config [--check]``.

``config.json`` allows no comments, and the policies of all functions and stages are repetitive.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from infra.deploy.functions import FUNCTIONS, STAGES, Function, Stage
from infra.deploy.policies import policy
from infra.local.compression import MINIMUM_COMPRESSION_SIZE
from infra.paths import ROOT

FOLDER = ROOT / ".chalice"
POLICIES = "policies"


def files() -> dict[str, str]:
    """The contents of all files, by path below ``.chalice``."""
    documents: dict[str, Any] = {"config.json": config()}
    for stage in STAGES:
        for function in FUNCTIONS:
            documents[_policy_file(function, stage)] = policy(function, stage)
    return {path: json.dumps(document, indent=2) + "\n" for path, document in documents.items()}


def config() -> dict[str, Any]:
    """Chalice's configuration."""
    return {
        "version": "2.0",
        "app_name": "lamplighter",
        "api_gateway_endpoint_type": "REGIONAL",
        "automatic_layer": True,
        "minimum_compression_size": MINIMUM_COMPRESSION_SIZE,
        "lambda_functions": {
            function.name: {"lambda_timeout": function.timeout, "lambda_memory_size": function.memory}
            for function in FUNCTIONS
        },
        "tags": {"app": "lamplighter"},
        "stages": {stage.name: _stage(stage) for stage in STAGES},
    }


def _stage(stage: Stage) -> dict[str, Any]:
    prefix = f"lamplighter-{stage.name}-"
    return {
        "api_gateway_stage": "api",
        "lambda_architecture": stage.architecture,
        "autogen_policy": False,
        "log_retention_in_days": stage.log_days,
        **({"xray": True} if stage.tracing else {}),
        "environment_variables": {
            "LAMPLIGHTER_STAGE": stage.name,
            "LAMPLIGHTER_TABLE_PREFIX": stage.table_prefix,
            "LAMPLIGHTER_QUEUE_PREFIX": prefix,
            "LAMPLIGHTER_BUCKET": stage.bucket,
            **stage.settings,
        },
        "lambda_functions": {function.name: _function(function, stage) for function in FUNCTIONS},
        "tags": {"stage": stage.name},
    }


def _function(function: Function, stage: Stage) -> dict[str, Any]:
    reserved = stage.reserved.get(function.name)
    more = {} if reserved is None else {"reserved_concurrency": reserved}
    return {"iam_policy_file": _policy_file(function, stage), **more}


def _policy_file(function: Function, stage: Stage) -> str:
    return f"{POLICIES}/{stage.name}/{function.name}.json"


def main() -> None:
    """Write the files, or with ``--check`` check whether they are up to date."""
    parser = argparse.ArgumentParser(description="Write .chalice/config.json and the policies.")
    parser.add_argument("--check", action="store_true")
    wanted = files()
    there = {str(path.relative_to(FOLDER)) for path in (FOLDER / POLICIES).glob("*/*.json")}
    if parser.parse_args().check:
        stale = [path for path, text in wanted.items() if not _is(path, text)] + sorted(there - wanted.keys())
        if stale:
            sys.exit(f".chalice is out of date, run `make docs` ({', '.join(stale)})")
        return
    for path, text in wanted.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_text(text)
    for path in there - wanted.keys():
        (FOLDER / path).unlink()


def _is(path: str, text: str) -> bool:
    file = FOLDER / path
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    main()
