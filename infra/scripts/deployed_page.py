"""Writes ``docs/deployed.md``, the list of a stage's resources: ``python -m infra.scripts.deployed_page``.

It reads the package for CloudFormation, whose build downloads libraries, and the storage template.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.deploy.functions import ALIAS, FUNCTIONS
from infra.local.provision import STORAGE
from infra.local.template import Template
from infra.paths import ROOT
from infra.scripts.package import ZIPS, package, sizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = ROOT / "docs" / "deployed.md"
STAGE = "prod"
MB = 1_000_000
RESOURCES = 300
"""API Gateway's default quota for resources of a REST API."""

_AWS, _HIDDEN = "${AWS::", "${AWS//"
"""The prefix of CloudFormation's variables, and a replacement without colons, at which ARNs are split."""

HEAD = f"""# What is deployed

Written by `make docs` from the package of stage `{STAGE}`; do not edit it. A test compares it with what is built. The
other stages differ in names, log retention and processor (`infra/deploy/functions.py`, where sizes and rights are
set).
"""


def page(out: Path) -> str:
    """The page's text, for the package in ``out``."""
    resources = json.loads((out / "sam.json").read_text())["Resources"]
    storage = Template(STORAGE, {"Stage": STAGE}, "us-east-1")
    stored = (_tables(storage), _queues(storage))
    parts = (_functions(resources), _policies(resources), *stored, _zips(out), _api(resources))
    return HEAD + "".join("\n" + "\n".join(lines) + "\n" for lines in parts)


def _functions(resources: dict[str, Any]) -> Iterator[str]:
    yield "## Functions\n"
    yield "| function | MB | seconds | run by | role | why this size |"
    yield "|---|---|---|---|---|---|"
    found = _of(resources, "AWS::Serverless::Function")
    for function in FUNCTIONS:
        about = found[function.name.replace("_", "").lower()]
        role = about["Role"]["Fn::GetAtt"][0]
        runs = [_event(event) for event in about.get("Events", {}).values()] or [_caller(function.name)]
        cells = (function.name, about["MemorySize"], about["Timeout"], ", ".join(runs), role, function.why)
        yield _row(cells)
    layers = sum(resource["Type"] == "AWS::Serverless::LayerVersion" for resource in resources.values())
    processors = {name for about in found.values() for name in about["Architectures"]}
    runtimes = {about["Runtime"] for about in found.values()}
    yield (
        f"\nAll on {', '.join(sorted(processors))} and {', '.join(sorted(runtimes))}, with {layers} layer, each called "
        f"by its alias `{ALIAS}`."
    )


def _of(resources: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name.lower(): each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def _event(event: dict[str, Any]) -> str:
    about = event["Properties"]
    if event["Type"] == "SQS":
        return f"queue `{about['Queue']['Fn::Sub'].rpartition(f'-{STAGE}-')[2]}`"
    return str(about["Schedule"])


def _caller(function: str) -> str:
    return "WebSocket API" if function.startswith("websocket_") else "REST API"


def _policies(resources: dict[str, Any]) -> Iterator[str]:
    yield "## Rights\n"
    yield "Each function has a role of its own, and writes its own log. A table comes with its indexes.\n"
    yield "| function | statement | actions | resources |"
    yield "|---|---|---|---|"
    roles = _of(resources, "AWS::IAM::Role")
    for function in FUNCTIONS:
        [role] = [each for name, each in roles.items() if name == function.name.replace("_", "") + "role"]
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "Logs":
                continue
            denied = "" if statement["Effect"] == "Allow" else " (denied)"
            name = statement["Sid"] + denied
            only = statement.get("Condition", {}).get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes")
            actions = [action.partition(":")[2] for action in statement["Action"]] + ([f"only {only}"] if only else [])
            yield _row((function.name, name, ", ".join(actions), ", ".join(_short(statement["Resource"]))))


def _short(arns: list[Any]) -> Iterator[str]:
    for arn in (each if isinstance(each, str) else each["Fn::Sub"] for each in arns):
        if arn.endswith("/index/*"):
            continue
        _, _, service, _, _, name = arn.replace(_AWS, _HIDDEN).split(":", 5)
        name = name.replace(_HIDDEN, _AWS).replace(f"lamplighter-{STAGE}-", "").removeprefix("table/")
        yield f"{service} `{name}`"


def _tables(storage: Template) -> Iterator[str]:
    yield "## Tables\n"
    yield "| table | key | indexes |"
    yield "|---|---|---|"
    for _, about in storage.resources("AWS::DynamoDB::Table"):
        indexes = [
            f"{index['IndexName']} ({_key(index)}; {index['Projection']['ProjectionType'].lower()})"
            for index in about.get("GlobalSecondaryIndexes", [])
        ]
        yield _row((_name(about["TableName"]), _key(about), ", ".join(indexes)))


def _key(about: dict[str, Any]) -> str:
    return ", ".join(part["AttributeName"] for part in about["KeySchema"])


def _queues(storage: Template) -> Iterator[str]:
    yield "## Queues and bucket\n"
    yield "| queue | hidden, seconds | kept, days | dead letters after |"
    yield "|---|---|---|---|"
    for _, about in storage.resources("AWS::SQS::Queue"):
        dead = about.get("RedrivePolicy", {}).get("maxReceiveCount", "")
        days = int(about["MessageRetentionPeriod"]) // 86_400
        yield _row((_name(about["QueueName"]), about.get("VisibilityTimeout", ""), days, dead))
    for _, about in storage.resources("AWS::S3::Bucket"):
        yield f"\nBucket: `{about['BucketName']}`."


def _name(full: str) -> str:
    return full.removeprefix(f"lamplighter-{STAGE}-")


def _zips(out: Path) -> Iterator[str]:
    yield "## Sizes\n"
    yield "| zip | packed | unpacked |"
    yield "|---|---|---|"
    for name in ZIPS:
        yield _row((name, *(f"{math.ceil(size / MB)} MB" for size in sizes(out / name))))


def _api(resources: dict[str, Any]) -> Iterator[str]:
    yield "## Routes\n"
    api = resources["RestAPI"]["Properties"]
    paths = {
        path: sorted(method.upper() for method in methods if method != "options")
        for path, methods in sorted(api["DefinitionBody"]["paths"].items())
    }
    yield f"{len(paths)} paths, {sum(map(len, paths.values()))} operations, below `/{api['StageName']}`."
    used = gateway_resources(paths)
    yield f"\nAPI Gateway allows {RESOURCES} resources an API (each part of a path is one): {used} are used, "
    yield f"{RESOURCES - used} are left."
    services: dict[str, list[str]] = defaultdict(list)
    for path, methods in paths.items():
        head, tail = "/".join(path.split("/")[:4]), "/".join(path.split("/")[4:])
        services[head].append(f"{'/' + tail if tail else ''} {' '.join(methods)}".strip())
    for head, lines in services.items():
        yield f"\n`{head}`\n\n```\n" + "\n".join(lines) + "\n```"
    routes = [each["RouteKey"] for each in _of(resources, "AWS::ApiGatewayV2::Route").values()]
    yield f"\nWebSocket API: {', '.join(f'`{route}`' for route in sorted(routes))}."
    responses = api["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    yield f"\nGateway responses: {', '.join(sorted(responses))}."


def gateway_resources(paths: Iterable[str]) -> int:
    """The number of API Gateway resources for these paths: one for each part of a path, and the root."""
    parts = [path.strip("/").split("/") for path in paths]
    return 1 + len({tuple(each[:depth]) for each in parts for depth in range(1, len(each) + 1)})


def _row(cells: tuple[Any, ...]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Build the package and write the page."""
    argparse.ArgumentParser(description="Write docs/deployed.md.").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(page(package(STAGE, Path(folder) / STAGE)))


if __name__ == "__main__":
    main()
