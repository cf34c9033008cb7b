"""Deploys and removes functions, roles, queues' mappings, the schedule and the APIs of a stage, by Chalice.

Chalice builds the application's graph and what is uploaded; :mod:`infra.deploy.plan` says what is different here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from chalice.cli.factory import CLIFactory
from chalice.deploy import models
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import ChaliceDeploymentError, Deployer, NoopResultsRecorder, create_build_stage
from chalice.utils import UI, OSUtils

from infra.deploy.client import Client
from infra.deploy.definition import api_name
from infra.deploy.destination import HOME
from infra.deploy.gateway import log_groups
from infra.deploy.plan import Found, Plan, Recording, Swagger, Sweeper
from infra.deploy.policies import Binding

if TYPE_CHECKING:
    from pathlib import Path

    from chalice.config import Config

    from infra.deploy.record import Installation, Record, Resource

BUCKET = "LAMPLIGHTER_BUCKET"

__all__ = ["ChaliceDeploymentError", "deploy", "remove"]


class _Graph(DependencyBuilder):
    """Chalice's order of resources; the log of the REST function has the name that the function logs to."""

    def build_dependencies(self, graph: models.Model) -> list[models.Model]:
        resources: list[models.Model] = super().build_dependencies(graph)
        for each in resources:
            if isinstance(each, models.LambdaFunction) and each.log_group is not None:
                each.log_group.log_group_name = f"/aws/lambda/{each.function_name}"
        return resources


def deploy(project: Path, stage: str, record: Record) -> None:
    """Bring everything up to date and record it as it is made.

    Raises:
        ChaliceDeploymentError: AWS refused something; what was done before is recorded.
    """
    installation = record.load()
    config, client = _chalice(project, stage)
    resources = _resources(config, stage)
    # First of all: the policies of the roles name it, and functions run with those as soon as they are there.
    websocket_api = _websocket_api(client, resources, installation)
    _adopt(config, client, stage, resources, installation, record)
    configured = configuration(project, stage)["environment_variables"][BUCKET]
    binding = Binding(
        client.partition_name,
        client.region_name,
        installation.account,
        (configured, installation.bucket or configured),
        websocket_api,
    )
    known = {each["name"]: each for each in installation.resources}

    def note(made: list[Resource]) -> None:
        merged = known | {each["name"]: known.get(each["name"], {}) | each for each in made}
        installation.resources = list(merged.values())
        record.save(installation)

    deployed = Deployer(
        application_builder=ApplicationGraphBuilder(),
        deps_builder=_Graph(),
        build_stage=create_build_stage(OSUtils(), UI(), Swagger(api_name(stage)), config),
        plan_stage=Plan(_found(config, client, stage), OSUtils(), api_name(stage), binding),
        sweeper=Sweeper(),
        executor=Recording(client, UI(), note),
        recorder=NoopResultsRecorder(osutils=OSUtils()),
    ).deploy(config, stage)
    installation.resources = deployed["resources"]
    record.save(installation)


def remove(project: Path, stage: str, record: Record) -> None:
    """Remove all that is recorded, and all that is there of it without a record.

    Raises:
        ChaliceDeploymentError: AWS refused something.
    """
    installation = record.load()
    config, client = _chalice(project, stage)
    _adopt(config, client, stage, _resources(config, stage), installation, record)
    plan = models.Plan()
    Sweeper().execute(plan, config)
    Recording(client, UI(), lambda _: None).execute(plan)
    # That of plain Chalice, which nobody logs to, and access logs, which Chalice knows nothing of.
    for name in (f"/aws/lambda/lamplighter-{stage}-api_handler", *log_groups(stage)):
        client.delete_log_group(name)
    installation.resources, installation.releases, installation.live = [], [], 0
    record.save(installation)


def configuration(project: Path, stage: str) -> dict[str, Any]:
    """A stage's own part of ``.chalice/config.json``."""
    found: dict[str, Any] = json.loads((project / ".chalice" / "config.json").read_text())["stages"][stage]
    return found


def _chalice(project: Path, stage: str) -> tuple[Config, Client]:
    """The stage's configuration with the app, and a client."""
    factory = CLIFactory(str(project))
    config = factory.create_config_obj(chalice_stage_name=stage)
    tags = {"app": "lamplighter", "stage": stage}
    client = Client(factory.create_botocore_session())
    client.tags = tags | {HOME: client.region_name}
    return config, client


def _found(config: Config, client: Client, stage: str) -> Found:
    return Found(client, config.deployed_resources(stage), api_name(stage))


def _resources(config: Config, stage: str) -> list[models.Model]:
    """All that the app consists of, in the order in which it is made."""
    return _Graph().build_dependencies(ApplicationGraphBuilder().build(config, stage))


def _websocket_api(client: Client, resources: list[models.Model], installation: Installation) -> str:
    """The id of the WebSocket API, which is made where there is none; it is recorded when it is adopted."""
    [websockets] = [each for each in resources if isinstance(each, models.WebsocketAPI)]
    recorded = next((each.get("websocket_api_id") for each in installation.of(websockets.resource_type)), None)
    found = client.bring_websocket_api(websockets.name, recorded)
    if recorded != found:  # somebody has deleted the one that is recorded
        installation.resources = [each for each in installation.resources if each["name"] != websockets.resource_name]
    return found


def _adopt(
    config: Config,
    client: Client,
    stage: str,
    resources: list[models.Model],
    installation: Installation,
    record: Record,
) -> None:
    """Record what is there and not recorded: what a deployment made that broke off before it could say so."""
    record.save(installation)  # Chalice reads the copy
    adopted = _found(config, client, stage).adopt(resources)
    installation.resources = [*installation.resources, *adopted]
    record.save(installation)
