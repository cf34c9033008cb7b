"""What a plan and its add-ons include, in the form that UIs read (``docs/behaviour.md#tenants-and-plans``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import features, settings
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.useradm.shapes import Plan, PlanBinding

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_NAMES = {"os": "Basic", "professional": "Professional", "enterprise": "Enterprise"}
_SHOWN = (
    Feature.RBAC,
    Feature.AUDIT_LOGS,
    Feature.DYNAMIC_GROUPS,
    Feature.TERMINAL,
    Feature.FILE_TRANSFER,
    Feature.CONFIGURATION,
    Feature.MONITORING,
    Feature.REPORTING,
)
"""The features of a plan in the OpenAPI files, in their order."""


def all_plans() -> list[Plan]:
    """The plans, with what they include if every add-on is enabled."""
    return [_plan(name, frozenset(features.ADDONS)) for name in features.PLANS]


def binding(tenant: TenantId) -> PlanBinding:
    """The tenant's plan with its add-ons, and its limits."""
    item = control.get(tenant)
    limits = {"devices": item.devices.standard} if item.devices.standard >= 0 else {}
    if item.includes(Feature.AUDIT_LOGS):
        limits["audit_logs_days"] = item.settings.audit_days or settings.current().audit_days
    return PlanBinding(_plan(item.plan, features.enabled_addons(item.addons)), limits)


def has(tenant: TenantId, plan: str, addon: str) -> bool:
    """Whether the tenant has at least this plan and this add-on; an empty string requires nothing."""
    item = control.get(tenant)
    if plan and not (plan in features.PLANS and features.at_least(item.plan, plan)):
        return False
    return not addon or addon in features.enabled_addons(item.addons)


def _plan(name: str, addons: frozenset[str]) -> Plan:
    included = {str(feature): features.included(feature, name, addons) for feature in _SHOWN}
    return Plan(name, _NAMES.get(name, name), included)
