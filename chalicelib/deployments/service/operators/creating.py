"""Drafts of new deployments, which ``drafts`` saves and ``previewing`` previews; and the end of deployments.

Sources: ``docs/behaviour.md#creating-deployments`` and ``docs/behaviour.md#aborting-deployments``.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from chalicelib import clock, limits, times
from chalicelib.artifacts import service as artifacts
from chalicelib.auditlogs import service as auditlogs
from chalicelib.deployments.rules import control_maps, phases, rollout
from chalicelib.deployments.rules.deployment import Plan, Preparing, Retried
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import closing, plans, rollouts
from chalicelib.deployments.service.auditing import audited
from chalicelib.deployments.service.operators.drafts import Draft
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.service.operators.reach import require_reach
from chalicelib.deployments.shapes.rollout import Rollout
from chalicelib.deployments.tables import deployments
from chalicelib.errors import BadRequest, Conflict, NotFound, Unprocessable
from chalicelib.features import Feature
from chalicelib.fleet import control, counts, membership, schema
from chalicelib.fleet.head import ACCEPTED
from chalicelib.inventory import service as inventory
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chalicelib.deployments.rules.phases import Phase
    from chalicelib.deployments.shapes import NewDeployment, NewDynamicDeployment, NewSoftwareDeployment
    from chalicelib.rights import Scopes
    from chalicelib.storage.keys import TenantId


def draft(tenant: TenantId, wanted: NewDeployment, scopes: Scopes) -> Draft:
    """A deployment to listed devices, or to all accepted devices.

    Raises:
        BadRequest: there is not exactly one selection of devices, no device, or a list beyond the limit.
        Forbidden: it is not within any of the scopes.
        Unprocessable: there is no such artifact.
    """
    if wanted.all_devices == bool(wanted.devices):
        raise BadRequest(
            "Validating request body: Invalid deployments definition: provide either devices or all_devices"
        )
    if len(wanted.devices or ()) > limits.DEPLOYMENT_DEVICES:
        raise BadRequest(
            "Validating request body: Invalid deployments definition: devices: too many to list "
            f"(max: {limits.DEPLOYMENT_DEVICES}); deploy to a group, a filter or all devices instead"
        )
    require_reach(tenant, scopes, wanted.artifact_name, devices=set(wanted.devices or ()))
    if wanted.all_devices:
        terms = [term("identity", "status", "$eq", "accepted")]
        number = counts.number(tenant, ACCEPTED, None) if control.get(tenant).parts > 1 else 0
        if number > limits.UNDIVIDED_DEVICES:
            return _unlisted(tenant, wanted, number, terms, None)
        return _for_devices(tenant, wanted, list(membership.accepted_devices(tenant)), terms, None)
    devices = list(dict.fromkeys(wanted.devices or ()))
    return _for_devices(tenant, wanted, devices, [term("identity", "id", "$in", devices)], None)


def draft_for_group(tenant: TenantId, group: str, wanted: NewDeployment, scopes: Scopes) -> Draft:
    """A deployment to the accepted devices of a group.

    Raises:
        BadRequest: the body also selects devices, or the group has no accepted device.
        Forbidden: as :func:`draft`.
        Unprocessable: as :func:`draft`.
    """
    if wanted.all_devices or wanted.devices:
        raise BadRequest(
            "Validating request body: Invalid deployments definition: "
            "devices and all_devices are not allowed together with a group"
        )
    require_reach(tenant, scopes, wanted.artifact_name, group=group)
    terms = [term("system", "group", "$eq", group)]
    number = membership.group_size(tenant, group) if control.get(tenant).parts > 1 else 0
    if number > limits.UNDIVIDED_DEVICES:
        return _unlisted(tenant, wanted, number, terms, [group])
    members = list(membership.group_members(tenant, group, status=ACCEPTED))
    return _for_devices(tenant, wanted, members, terms, [group])


def term(scope: str, attribute: str, kind: str, value: object) -> dict[str, Any]:
    """A condition of how devices were chosen, in the wire format."""
    return {"scope": scope, "attribute": attribute, "type": kind, "value": value}


def draft_for_filter(tenant: TenantId, wanted: NewDynamicDeployment, scopes: Scopes) -> Draft:
    """A deployment to the devices that match a saved filter when they poll.

    Raises:
        BadRequest: there are phases, and one of them would have no device.
        Forbidden: as :func:`draft`, because a filter may match devices of any group.
        Unprocessable: there is no such filter; or as :func:`draft`.
    """
    require_reach(tenant, scopes, wanted.artifact_name)
    try:
        found = inventory.get_filter(tenant, wanted.filter_id)
    except NotFound as error:
        raise Unprocessable("No filter for the deployment: filter_id does not name a saved filter") from error
    initial = inventory.count_accepted(tenant, found.terms)
    return _draft(
        tenant,
        wanted,
        Targets.of(()),
        targeted=initial,
        size=wanted.max_devices or 0,
        filter=msgspec.to_builtins(found),
        chosen=[wanted.filter_id],
        dynamic=True,
        initial=initial,
    )


def _for_devices(
    tenant: TenantId,
    wanted: NewDeployment,
    devices: list[str],
    terms: list[dict[str, Any]],
    groups: list[str] | None,
) -> Draft:
    if not devices:
        raise BadRequest("No devices for the deployment")
    if len(devices) > limits.FILTER_TARGETS:
        # The targets contain the list, so the deployment's own item stays small.
        terms = [each if each["type"] != "$in" else {**each, "value": []} for each in terms]
    return fixed(tenant, wanted, Targets.of(devices), len(set(devices)), terms, groups)


def _unlisted(
    tenant: TenantId, wanted: NewDeployment, number: int, terms: list[dict[str, Any]], groups: list[str] | None
) -> Draft:
    """A large deployment to about ``number`` devices, of the group or all."""
    unlisted = fixed(tenant, wanted, Targets.of(()), number, terms, groups)
    return prepared(unlisted, wanted, group=groups[0] if groups else None)


def prepared(draft: Draft, wanted: NewDeployment, *, group: str | None, retried: Retried | None = None) -> Draft:
    """The draft of a large deployment, whose targets a worker lists: the devices of the group, retried ones, or all."""
    preparing = Preparing(
        group=group,
        expected=draft.plan.size,
        phases=wanted.phases,
        uniform_phases=wanted.uniform_phases,
        retried=retried,
    )
    plan = replace(draft.plan, parts=limits.DEPLOYMENT_PARTS, in_bucket=True)
    return replace(draft, plan=plan, preparing=preparing)


def fixed(
    tenant: TenantId,
    wanted: NewDeployment,
    targets: Targets,
    number: int,
    terms: list[dict[str, Any]],
    groups: list[str] | None,
) -> Draft:
    """The draft of a deployment to ``number`` devices that do not change: the targets, or those that a worker lists."""
    return _draft(
        tenant,
        wanted,
        targets,
        targeted=number,
        size=number,
        filter={"id": "", "name": "", "terms": terms},
        groups=groups,
        # The order of devices makes a difference, as in Mender.
        chosen=[wanted.devices or [], wanted.all_devices, groups or []],
    )


def _draft(
    tenant: TenantId, wanted: NewSoftwareDeployment, targets: Targets, *, targeted: int, chosen: list[Any], **more: Any
) -> Draft:
    """The common parts of all software deployments.

    Args:
        tenant: the deployment's tenant.
        wanted: the request.
        targets: the fixed targets.
        targeted: the number of devices that phases divide.
        chosen: how devices were chosen, for the comparison of parameters.
        more: further fields of the plan.
    """
    candidates = artifacts.candidates(tenant, wanted.artifact_name)
    if not candidates:
        raise Unprocessable("No artifact for the deployment")
    if wanted.retries:
        control.require(tenant, Feature.RETRIES)
    now, deployment = clock.now(), str(uuid.uuid4())
    planned = _phases(tenant, wanted, targeted, now)
    plan = Plan(
        id=deployment,
        name=wanted.name,
        artifact_name=wanted.artifact_name,
        force=wanted.force_installation,
        retries=wanted.retries,
        created=now,
        phases=planned,
        artifacts=[candidate.id for candidate in candidates],
        rollout=_rollout(tenant, wanted, planned),
        lock=hashed([wanted.name, wanted.artifact_name, wanted.force_installation, *chosen]),
        **more,
    )
    relative = phases.relative(wanted.phases, wanted.uniform_phases)
    return Draft(plan, targets, _control_map(tenant, wanted, deployment), relative=relative)


def _phases(tenant: TenantId, wanted: NewSoftwareDeployment, targeted: int, now: datetime) -> tuple[Phase, ...]:
    # A single phase only gives a start time, for which the plan need not include phases.
    if wanted.uniform_phases is not None or len(wanted.phases or ()) > 1:
        control.require(tenant, Feature.PHASES)
    has_gate = wanted.rollout is not None and wanted.rollout.gate is not None
    return phases.of_request(wanted.phases, wanted.uniform_phases, targeted, now, has_gate=has_gate)


def _rollout(tenant: TenantId, wanted: NewSoftwareDeployment, planned: Sequence[Phase]) -> Rollout | None:
    if wanted.rollout is None or wanted.rollout == Rollout():
        return None
    schema.require(rollouts.VERSION)
    zone = wanted.rollout.time_zone or control.get(tenant).settings.time_zone
    is_zone = not wanted.rollout.windows or times.is_zone(zone)
    return rollout.read(wanted.rollout, planned, zone=zone, is_zone=is_zone)


def _control_map(tenant: TenantId, wanted: NewSoftwareDeployment, deployment: str) -> dict[str, Any] | None:
    if wanted.update_control_map is None:
        return None
    control.require(tenant, Feature.UPDATE_CONTROL)
    return control_maps.read(wanted.update_control_map, deployment)


def hashed(parameters: list[Any]) -> str:
    """A hash of the parameters that no two unfinished deployments may share."""
    return hashlib.sha256(msgspec.json.encode(parameters)).hexdigest()


def change_control_map(tenant: TenantId, deployment: str, given: dict[str, Any]) -> None:
    """Replace the update control map of a deployment that has one.

    Raises:
        BadRequest: clients would refuse the map.
        NotFound: there is no such deployment.
        Conflict: it was created without a map, or waits for approval.
    """
    stored = require(tenant, deployment)
    if stored.control_map is None:
        raise Conflict("the deployment was created without an update control map; create another one with a map")
    if stored.waits:
        raise Conflict("the deployment waits for approval, so it cannot be changed; abort it and create another one")
    found = control_maps.read(given, deployment)
    tx = Transaction()
    deployments.change_map(tx, tenant, deployment, found)
    change = f"Update control map: {msgspec.json.encode(found).decode()}"
    auditlogs.record(tx, tenant, auditlogs.Action.UPDATE, audited(stored.plan), change=change)
    tx.commit()


@retried
def abort(tenant: TenantId, deployment: str) -> None:
    """Abort a deployment. No row is changed, whatever its size: closed counters refuse every later report.

    Raises:
        Unprocessable: it is finished or does not exist.
    """
    stored = deployments.find(tenant, deployment)
    if stored is not None and stored.aborted and stored.due is not None:
        closing.close_parts(tenant, stored.plan)
    if stored is None or not stored.is_open:
        raise Unprocessable("Deployment already finished")
    plan = plans.keep(tenant, stored)
    tx = Transaction()
    closing.close(tx, tenant, plan, clock.now(), deployments.ABORTED)
    auditlogs.record(tx, tenant, auditlogs.Action.ABORT, audited(plan))
    tx.commit()
    if not plan.on_heads:
        control.forget(tenant)
    if plan.parts:
        # If this process dies before it has closed all of them, another abort or the schedule does it.
        closing.close_parts(tenant, plan)
