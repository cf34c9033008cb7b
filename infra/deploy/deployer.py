"""Deploys and removes functions, roles, queue mappings, the schedule and the APIs of a stage, with Chalice.

Chalice builds the graph of resources and the packages; :mod:`infra.deploy.plan` describes the differences.
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
    """Chalice's graph of resources, with the correct name for the log of the REST function."""

    def build_dependencies(self, graph: models.Model) -> list[models.Model]:
        resources: list[models.Model] = super().build_dependencies(graph)
        for each in resources:
            if isinstance(each, models.LambdaFunction) and each.log_group is not None:
                each.log_group.log_group_name = f"/aws/lambda/{each.function_name}"
        return resources


def deploy(project: Path, stage: str, record: Record) -> None:
    """Bring all resources up to date and record each at once.

    Raises:
        ChaliceDeploymentError: AWS refused a call; earlier changes are recorded.
    """
    installation = record.load()
    config, client = _chalice(project, stage)
    resources = _resources(config, stage)
    # First, because the roles' policies contain its id, and functions use them as soon as they exist.
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
    """Remove all recorded resources, and existing ones that are not recorded.

    Raises:
        ChaliceDeploymentError: AWS refused a call.
    """
    installation = record.load()
    config, client = _chalice(project, stage)
    _adopt(config, client, stage, _resources(config, stage), installation, record)
    logs = [each["log_group_name"] for each in installation.resources if "log_group_name" in each]
    plan = models.Plan()
    Sweeper().execute(plan, config)
    Recording(client, UI(), lambda _: None).execute(plan)
    # The unused log of plain Chalice, and access logs, which Chalice does not manage; and again those of functions: a
    # call that was running when its function was deleted, such as the schedule's, may have created its log anew.
    for name in (f"/aws/lambda/lamplighter-{stage}-api_handler", *log_groups(stage), *logs):
        client.delete_log_group(name)
    installation.resources, installation.releases, installation.live = [], [], 0
    record.save(installation)


def configuration(project: Path, stage: str) -> dict[str, Any]:
    """A stage's section of ``.chalice/config.json``."""
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
    """All resources of the app, in the order of creation."""
    return _Graph().build_dependencies(ApplicationGraphBuilder().build(config, stage))


def _websocket_api(client: Client, resources: list[models.Model], installation: Installation) -> str:
    """The id of the WebSocket API, which is created if missing; an existing one is recorded later."""
    [websockets] = [each for each in resources if isinstance(each, models.WebsocketAPI)]
    recorded = next((each.get("websocket_api_id") for each in installation.of(websockets.resource_type)), None)
    found = client.bring_websocket_api(websockets.name, recorded)
    if recorded != found:  # the recorded one was deleted
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
    """Record existing resources without a record, left by an interrupted deployment."""
    record.save(installation)  # Chalice reads this copy
    adopted = _found(config, client, stage).adopt(resources)
    installation.resources = [*installation.resources, *adopted]
    record.save(installation)
