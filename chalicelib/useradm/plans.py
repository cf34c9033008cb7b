"""What a plan and its add-ons include, as UIs ask for it (behaviour notes J: which plans gate what)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.fleet import control
from chalicelib.useradm.shapes import Plan, PlanBinding

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

_NAMES = {"os": "Basic", "professional": "Professional", "enterprise": "Enterprise"}
_ADDONS = {"terminal": "troubleshoot", "file_transfer": "troubleshoot", "configuration": "configure"} | {
    "monitoring": "monitor"
}
"""Features that an add-on brings, whatever the plan."""


def all_plans() -> list[Plan]:
    """The plans, with what they include when every add-on is enabled."""
    return [_plan(name, frozenset(_ADDONS.values())) for name in _NAMES]


def binding(tenant: TenantId) -> PlanBinding:
    """The tenant's plan with its add-ons, and the limits it has."""
    item = control.get(tenant)
    enabled = frozenset(addon["name"] for addon in item.addons if addon.get("enabled"))
    limits = {"devices": item.max_devices} if item.max_devices >= 0 else {}
    return PlanBinding(_plan(item.plan, enabled), limits)


def _plan(name: str, addons: frozenset[str]) -> Plan:
    enterprise = name == "enterprise"
    features = {"rbac": enterprise, "audit_logs": enterprise, "dynamic_groups": enterprise}
    features |= {feature: addon in addons for feature, addon in _ADDONS.items()}
    return Plan(name, _NAMES.get(name, name), features | {"reporting": enterprise})
