"""Configuration deployments: one device each, with an artifact that is made when the device fetches it.

Source: ``docs/behaviour.md#configuration-deployments``.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalicelib import clock, limits, settings
from chalicelib.artifacts import service as artifacts
from chalicelib.artifacts.service import Candidate
from chalicelib.aws import link_secret
from chalicelib.aws.links import Link
from chalicelib.deployments.rules import configuration as rules
from chalicelib.deployments.rules import control_maps
from chalicelib.deployments.rules.deployment import CONFIGURATION, Plan
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.tables import deployments
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.fleet import control, switches
from chalicelib.fleet.switches import Switch
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.deployments.rules.configuration import LinkParameters
    from chalicelib.storage.transactions import Transaction


def new_id() -> str:
    """The id of a new deployment."""
    return str(uuid.uuid4())


def deploy_configuration(
    tx: Transaction,
    tenant: TenantId,
    deployment: str,
    device_id: str,
    configuration: Mapping[str, str],
    *,
    retries: int = 0,
    control_map: dict[str, Any] | None = None,
) -> None:
    """Deploy a configuration to a device, even if it is unchanged. Commits ``tx``.

    It waits on the device's own head, so no other device's poll sees it.

    Args:
        tx: contains the caller's own writes, which are committed with the deployment.
        tenant: the device's tenant.
        deployment: the new deployment's id.
        device_id: the device.
        configuration: the complete configuration.
        retries: the number of retries.
        control_map: the update control map.

    Raises:
        BadRequest: clients would refuse the map.
        NotFound: there is no such device.
        SwitchedOff: an admin has switched new deployments off.
        Unprocessable: the device has reached its limit of waiting deployments.
        ConditionFailed: with label ``head``: read the device again and try again; or with one of the caller's own.
    """
    # Imported here because calls of devices do not need it.
    from chalicelib.deployments.service.operators import drafts

    switches.require(Switch.DEPLOYMENTS)
    targets = Targets.of([device_id])
    waiters = drafts.find_waiters(tenant, targets)
    if waiters is None:
        raise Unprocessable(
            f"the device already has too many unfinished deployments (max: {limits.HEAD_QUEUE}); "
            "abort some or let them finish"
        )
    if not waiters or waiters[0].decommissioning:
        raise NotFound("device does not exist")
    name = rules.artifact_name(deployment)
    only = {"scope": "identity", "attribute": "id", "type": "$in", "value": [device_id]}
    plan = Plan(
        id=deployment,
        kind=CONFIGURATION,
        name=name,
        artifact_name=name,
        created=clock.now(),
        size=1,
        retries=retries,
        filter={"id": "", "name": "", "terms": [only]},
        lock=deployment,  # no two are the same
    )
    read = None if control_map is None else control_maps.read(control_map, deployment)
    draft = drafts.Draft(plan, targets, control_map=read, configuration=configuration)
    drafts.write(tx, tenant, draft, waiters)


def candidate(plan: Plan, device_id: str, device_type: str) -> Candidate:
    """The artifact of a configuration deployment, which fits any device type."""
    return Candidate(
        id=plan.id + device_id,
        name=plan.artifact_name,
        device_types=(device_type,),
        depends={},
        size=0,
        key="",
        version=None,
        types=(rules.TYPE,),
    )


def link(tenant: TenantId, server: str, plan: Plan, device_id: str, device_type: str) -> Link:
    """The link with which the device fetches the artifact."""
    expire = (clock.now() + timedelta(seconds=settings.current().configuration_link_life)).replace(microsecond=0)
    said = clock.rfc3339(expire)
    return Link(
        server + rules.link(link_secret.get(), plan.id, device_type, device_id, expire=said, tenant=tenant), expire
    )


def configuration_artifact(deployment: str, device_type: str, device_id: str, given: LinkParameters) -> bytes:
    """The artifact of a link: the same bytes every time.

    Raises:
        BadRequest: a parameter is missing.
        Forbidden: it has expired, or its signature is wrong.
        NotFound: its tenant has no such deployment, or is suspended.
    """
    device_type = rules.of_segment(device_type)
    rules.verify(link_secret.get(), deployment, device_type, device_id, given=given, now=clock.now())
    # The signature covers the parameters, including the tenant, so they can be trusted.
    tenant = TenantId(given.tenant)
    brought = deployments.find_configuration(tenant, deployment) if control.get(tenant).active else None
    if brought is None:
        raise NotFound("Deployment not found")
    name = rules.artifact_name(deployment)
    return artifacts.made(
        name=name,
        device_type=device_type,
        update_type=rules.TYPE,
        provides={f"data-partition.{rules.TYPE}.version": name},
        clears_provides=[f"data-partition.{rules.TYPE}.*"],
        metadata=brought,
    )
