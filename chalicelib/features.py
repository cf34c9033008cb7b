"""Which plan or add-on includes which feature.

Source: ``docs/behaviour.md#tenants-and-plans``, and the description of each operation in the OpenAPI files.

A route names its feature (``feature=``) and answers 403 if the tenant's plan and add-ons do not include
it. Plans and add-ons are data of the tenant; a new tenant has all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

PLANS: Final = ("os", "professional", "enterprise")
"""The plans in ascending order of what they include."""


class Feature(StrEnum):
    """A feature that needs a plan or an add-on. Keep the list alphabetical."""

    AUDIT_LOGS = "audit_logs"
    CONFIGURATION = "configuration"
    DEPENDENCIES = "artifact_dependencies"
    DYNAMIC_GROUPS = "dynamic_groups"
    FILE_TRANSFER = "file_transfer"
    INVENTORY_EVENTS = "inventory_events"
    MONITORING = "monitoring"
    PHASES = "phased_rollouts"
    PLAYBACK = "playback"
    RBAC = "rbac"
    REPORTING = "reporting"
    RETRIES = "deployment_retries"
    SSO = "sso"
    SYSTEMS = "systems"
    TERMINAL = "terminal"
    UPDATE_CONTROL = "update_control"


_BY_ADDON: Final = {
    Feature.CONFIGURATION: "configure",
    Feature.FILE_TRANSFER: "troubleshoot",
    Feature.MONITORING: "monitor",
    Feature.PLAYBACK: "troubleshoot",
    Feature.TERMINAL: "troubleshoot",
}
"""Features that an add-on includes, with any plan."""

_BY_PLAN: Final = {
    Feature.AUDIT_LOGS: "enterprise",
    Feature.DEPENDENCIES: "enterprise",
    Feature.DYNAMIC_GROUPS: "enterprise",
    Feature.INVENTORY_EVENTS: "professional",
    Feature.PHASES: "enterprise",
    Feature.PLAYBACK: "enterprise",
    Feature.RBAC: "enterprise",
    Feature.REPORTING: "enterprise",
    Feature.RETRIES: "professional",
    Feature.SSO: "enterprise",
    Feature.SYSTEMS: "enterprise",
    Feature.UPDATE_CONTROL: "enterprise",
}
"""Features that need a plan, with the smallest one. Every tenant has the features in neither table."""

ADDONS: Final = ("configure", "troubleshoot", "monitor")
"""All add-ons, in the order in which tokens and tenants show them."""


def enabled_addons(addons: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The names of the enabled add-ons in ``[{"name": ..., "enabled": ...}]``."""
    return frozenset(str(addon["name"]) for addon in addons if addon.get("enabled"))


def at_least(plan: str, least: str) -> bool:
    """Whether a plan includes everything of ``least``, another plan. An unknown plan includes nothing."""
    return plan in PLANS and PLANS.index(plan) >= PLANS.index(least)


def included(feature: Feature, plan: str, addons: Collection[str]) -> bool:
    """Whether this plan or one of these enabled add-ons includes the feature."""
    addon, least = _BY_ADDON.get(feature), _BY_PLAN.get(feature)
    if addon is None and least is None:
        return True
    return addon in addons or (least is not None and at_least(plan, least))
