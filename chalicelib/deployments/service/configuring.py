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
from chalicelib.deployments import tables
from chalicelib.deployments.rules import configuration as rules
from chalicelib.deployments.rules import control_maps
from chalicelib.deployments.rules.targets import Targets
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.fleet import control, switches
from chalicelib.fleet.switches import Switch
from chalicelib.storage.keys import TenantId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.deployments.rules.configuration import LinkParameters
    from chalicelib.deployments.service.plans import Plan
    from chalicelib.storage.transactions import Transaction


def new_id() -> str:
    """The id of a deployment that is going to be made."""
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
    """Deploy a configuration to a device, whether it has it already or not. Commits ``tx``.

    It waits on the device's own head: no other device's poll ever sees it.

    Args:
        tx: holds the caller's own writes, which happen with the deployment or not at all.
        tenant: of the device.
        deployment: the new deployment's id.
        device_id: the device.
        configuration: what the device shall be configured with: all of it.
        retries: how often the device may try again.
        control_map: where the update waits for its user.

    Raises:
        BadRequest: clients would not take the map.
        NotFound: there is no such device.
        SwitchedOff: the server takes no new deployments for now.
        Unprocessable: as many deployments wait for the device as may.
        ConditionFailed: with label ``head``: read the device again and try again; or with one of the caller's own.
    """
    # Imported here: devices don't pay for it.
    from chalicelib.deployments.service import drafts

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
    draft = drafts.Draft(
        id=deployment,
        kind=tables.CONFIGURATION,
        name=name,
        artifact_name=name,
        retries=retries,
        targets=targets,
        filter={"id": "", "name": "", "terms": [only]},
        lock=deployment,  # no two are the same
        configuration=configuration,
        control_map=None if control_map is None else control_maps.read(control_map, deployment),
    )
    drafts.write(tx, tenant, draft, waiters)


def candidate(plan: Plan, device_id: str, device_type: str) -> Candidate:
    """The artifact of a configuration deployment: it fits whatever type the device is of."""
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
    """The link by which the device fetches the artifact."""
    expire = (clock.now() + timedelta(seconds=settings.current().configuration_link_life)).replace(microsecond=0)
    said = clock.rfc3339(expire)
    return Link(
        server + rules.link(link_secret.get(), plan.id, device_type, device_id, expire=said, tenant=tenant), expire
    )


def configuration_artifact(deployment: str, device_type: str, device_id: str, given: LinkParameters) -> bytes:
    """The artifact that a link is for: the same bytes every time.

    Raises:
        BadRequest: the link lacks a part.
        Forbidden: it has expired, or was not made here.
        NotFound: its tenant has no such deployment, or is suspended.
    """
    device_type = rules.of_segment(device_type)
    rules.verify(link_secret.get(), deployment, device_type, device_id, given=given, now=clock.now())
    # What the signature covers is ours, the tenant with it.
    tenant = TenantId(given.tenant)
    brought = tables.find_configuration(tenant, deployment) if control.get(tenant).active else None
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
