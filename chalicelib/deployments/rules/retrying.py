"""Deployments to the failed devices of an earlier one (``docs/rollouts.md#retry-what-failed``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import limits
from chalicelib.deployments.shapes.rollout import Rollout

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Plan

_NAMED = re.compile(r"(?P<base>.*) \(retry (?P<path>\d+(?:\.\d+)*)\)", re.DOTALL)


def name(plan: Plan, number: int) -> str:
    """The name of the ``number``-th retry of a deployment, from 1: ``winter (retry 2)``.

    The first retry of that one is ``winter (retry 2.1)``, so no two retries have the same name. Long names are cut.
    """
    found = _NAMED.fullmatch(plan.name) if plan.parent is not None else None
    base, path = (found["base"], f"{found['path']}.{number}") if found else (plan.name, str(number))
    suffix = f" (retry {path})"
    if len(suffix) > limits.DEPLOYMENT_NAME:
        # A retry of a retry, more than a hundred times: begin to count anew.
        base, suffix = plan.name, f" (retry {number})"
    return base[: limits.DEPLOYMENT_NAME - len(suffix)] + suffix


def rollout(plan: Plan, *, has_phases: bool) -> Rollout | None:
    """The rollout of a retry: that of the deployment, without what needs phases if the retry has none."""
    given = plan.rollout
    if given is None or has_phases:
        return given
    stop = None if given.stop is None else replace(given.stop, per="deployment")
    kept = replace(given, gate=None, stop=stop)
    return None if kept == Rollout() else kept
