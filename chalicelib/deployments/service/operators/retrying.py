"""Creates a deployment to the failed devices of an earlier one (``docs/rollouts.md#retry-what-failed``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import limits
from chalicelib.deployments.rules import retrying as rules
from chalicelib.deployments.rules.deployment import NO_GROUP, Retried
from chalicelib.deployments.rules.statuses import Status
from chalicelib.deployments.rules.targets import Targets
from chalicelib.deployments.service import ended
from chalicelib.deployments.service.operators import creating
from chalicelib.deployments.service.operators.finding import require
from chalicelib.deployments.service.operators.reach import permitting, require_reach
from chalicelib.deployments.shapes import NewDeployment
from chalicelib.errors import Conflict, Forbidden, Unprocessable
from chalicelib.fleet import control
from chalicelib.rights import groups_of

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment
    from chalicelib.deployments.service.operators.drafts import Draft
    from chalicelib.deployments.shapes import NewRetry
    from chalicelib.rights import Scopes
    from chalicelib.storage.keys import TenantId


def draft(tenant: TenantId, deployment: str, wanted: NewRetry, scopes: Scopes) -> Draft:
    """A deployment to the devices that have failed in an earlier one so far.

    Decommissioned devices are left out. The new deployment is newer than whatever a device has finished, so devices
    get it.

    Raises:
        Conflict: the deployment was retried too often.
        Forbidden: the new deployment is not within any of the scopes.
        NotFound: there is no such deployment.
        Unprocessable: no device failed, the deployment brings a configuration, or as ``creating.draft``.
    """
    parent = require(tenant, deployment)
    if parent.plan.configures:
        raise Unprocessable(
            "a configuration deployment cannot be retried: deploy the configuration to its device again"
        )
    if len(parent.retried_by) >= limits.DEPLOYMENT_RETRIES:
        raise Conflict(
            f"the deployment was retried {limits.DEPLOYMENT_RETRIES} times, which is the limit: "
            "retry one of its retries, or create a deployment"
        )
    new = _completed(parent, wanted)
    retried = _retried(tenant, parent, wanted, new.artifact_name, scopes)
    number = ended.number(tenant, parent, retried)
    if number > limits.UNDIVIDED_DEVICES and control.get(tenant).parts > 1:
        if not parent.plan.groups:
            require_reach(tenant, scopes, new.artifact_name)
        unlisted = creating.fixed(tenant, new, Targets.of(()), number, [], parent.plan.groups)
        unlisted = creating.prepared(unlisted, new, group=NO_GROUP, retried=retried)
        return _linked(unlisted, deployment, wanted, retried.statuses, number)
    devices = list(ended.devices(tenant, parent, retried)) if number else []
    if not devices:
        raise Unprocessable(
            f"nothing to retry: no device of this deployment has the status {' or '.join(retried.statuses)}, or all "
            "such devices were decommissioned or have left its group"
        )
    if not parent.plan.groups:
        require_reach(tenant, scopes, new.artifact_name, devices=devices)
    # A few devices are shown with the deployment; others are read from its targets, if they fit into an answer.
    shown = [] if len(devices) > limits.FILTER_TARGETS else devices
    terms = [creating.term("identity", "id", "$in", shown)] if len(devices) <= limits.DEPLOYMENT_DEVICES else []
    listed = creating.fixed(tenant, new, Targets.of(devices), len(devices), terms, parent.plan.groups)
    return _linked(listed, deployment, wanted, devices)


def _completed(parent: Deployment, wanted: NewRetry) -> NewDeployment:
    """The request, with the parent's values for what is absent."""
    plan, control_map = parent.plan, parent.control_map
    has_phases = wanted.uniform_phases is not None or len(wanted.phases or ()) > 1
    return NewDeployment(
        name=wanted.name or rules.name(plan, len(parent.retried_by) + 1),
        artifact_name=wanted.artifact_name or plan.artifact_name,
        force_installation=plan.force if wanted.force_installation is None else wanted.force_installation,
        retries=plan.retries if wanted.retries is None else wanted.retries,
        phases=wanted.phases,
        uniform_phases=wanted.uniform_phases,
        rollout=wanted.rollout or rules.rollout(plan, has_phases=has_phases),
        update_control_map=None if control_map is None else {**control_map, "id": None},
    )


def _retried(tenant: TenantId, parent: Deployment, wanted: NewRetry, release: str, scopes: Scopes) -> Retried:
    """The devices to update again. If scopes permit only the deployment's group, those that are still in it.

    Raises:
        Forbidden: no scope permits a deployment to the group.
    """
    groups = None
    if parent.plan.groups:
        allowed = permitting(tenant, scopes, release, parent.plan.groups[0])
        if not allowed:
            raise Forbidden
        groups = groups_of(allowed)
    statuses = sorted({Status(status) for status in wanted.statuses})
    return Retried(parent.id, statuses, None if groups is None else sorted(groups))


def _linked(new: Draft, parent: str, wanted: NewRetry, *chosen: object) -> Draft:
    """The draft with its parent.

    The default name, which is new for each retry, does not count in the comparison of parameters. So a call that is
    sent twice creates one deployment.
    """
    plan = new.plan
    parameters = ["retry", parent, wanted.name, plan.artifact_name, plan.force, *chosen]
    return replace(new, plan=replace(plan, parent=parent, lock=creating.hashed(parameters)))
