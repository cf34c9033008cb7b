"""The paths of all screens of the console, for tests and screenshots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browser.fleet import Fleet

SCREENS: dict[str, Callable[[Fleet], str]] = {
    "overview": lambda _: "/",
    "deployments": lambda _: "/deployments",
    "deployments-scheduled": lambda _: "/deployments?status=scheduled",
    "deployments-finished": lambda _: "/deployments?status=finished",
    "deployment-running": lambda fleet: f"/deployments/{fleet.deployments['running']}",
    "deployment-failures": lambda fleet: f"/deployments/{fleet.deployments['failing']}?status=failure",
    "deployment-log": lambda fleet: f"/deployments/{fleet.deployments['failing']}?log={fleet.devices[33].id}",
    "deployment-retry": lambda fleet: f"/deployments/{fleet.deployments['failing']}?dialog=retry",
    "deployment-report": lambda fleet: f"/deployments/{fleet.deployments['failing']}/report",
    "deployment-gated": lambda fleet: f"/deployments/{fleet.deployments['gated']}",
    "deployment-stopped": lambda fleet: f"/deployments/{fleet.deployments['stopped']}",
    "deployment-pause": lambda fleet: f"/deployments/{fleet.deployments['gated']}?dialog=pause",
    "deployment-open-phase": lambda fleet: f"/deployments/{fleet.deployments['gated']}?dialog=phase",
    "deployment-unapproved": lambda fleet: f"/deployments/{fleet.deployments['unapproved']}",
    "deployment-scheduled": lambda fleet: f"/deployments/{fleet.deployments['scheduled']}",
    "deployment-new": lambda _: "/deployments/new?release=gateway-os-2.0&group=production&step=devices",
    "deployment-new-phases": lambda _: (
        f"/deployments/new?release=gateway-os-2.0&to=all&phases={_phases()}&step=rollout"
    ),
    "deployment-new-protected": lambda _: (
        f"/deployments/new?release=gateway-os-2.0&to=all&phases=5@,25@,@&protect={_protection()}&step=rollout"
    ),
    "deployment-new-review": lambda _: (
        "/deployments/new?release=gateway-os-2.0&to=all&phases=5@,25@,@&protect={}&step=review&preview=1"
    ),
    "audit-log": lambda _: "/auditlogs",
    "devices": lambda _: "/devices",
    "devices-none": lambda _: "/devices?q=nothing-of-this-name",
    "devices-pending": lambda _: "/devices?status=pending",
    "first-device": lambda _: "/start",
    "device": lambda fleet: f"/devices/{fleet.devices[0].id}",
    "device-inventory": lambda fleet: f"/devices/{fleet.devices[0].id}?tab=inventory",
    "device-deployments": lambda fleet: f"/devices/{fleet.devices[33].id}?tab=deployments",
    "device-why": lambda fleet: f"/devices/{fleet.devices[37].id}?tab=deployments&open=why",
    "device-configuration": lambda fleet: f"/devices/{fleet.devices[0].id}?tab=configuration",
    "device-alerts": lambda fleet: f"/devices/{fleet.devices[6].id}?tab=alerts",
    "device-terminal": lambda fleet: f"/devices/{fleet.devices[0].id}?tab=terminal",
    "device-files": lambda fleet: f"/devices/{fleet.devices[0].id}?tab=files",
    "device-recordings": lambda fleet: f"/devices/{fleet.devices[0].id}?tab=recordings",
    "releases": lambda _: "/releases",
    "releases-empty": lambda _: "/releases?name=nothing-of-this-name",
    "settings-profile": lambda _: "/settings/profile",
    "settings-notifications": lambda _: "/settings/notifications",
    "settings-tokens": lambda _: "/settings/tokens",
    "settings-users": lambda _: "/settings/users",
    "user-new": lambda _: "/settings/users?edit=new",
    "release": lambda _: "/releases/gateway-os-2.0",
    "roles": lambda _: "/settings/roles",
    "role-new": lambda _: "/settings/roles?new=1",
    "permission-set-new": lambda _: "/settings/roles?newset=1",
    "webhook-new": lambda _: "/settings/webhooks?edit=new",
    "acceptance": lambda _: "/settings/acceptance",
    "acceptance-new": lambda _: "/settings/acceptance?edit=new",
    "tenants": lambda _: "/settings/tenants",
    "cost": lambda _: "/settings/cost?devices=10000&artifact=20&connected=10",
    "trust": lambda _: "/settings/trust",
    "trusted-key-new": lambda _: "/settings/trust?new=1",
    "organization": lambda _: "/settings/organization",
    "sso": lambda _: "/settings/sso",
    "api": lambda _: "/api?tag=Deployments",
    "api-read": lambda _: "/api/listDeploymentsV2?p.per_page=2",
    "api-write": lambda _: "/api/createDeploymentV1",
}
"""Paths by the names of their pictures."""


def _protection() -> str:
    """A protection with two windows, as it is in the URL of a deployment that is being made."""
    windows = [{"days": ["sat", "sun"], "start": "02:00", "hours": "4"}, {"days": [], "start": "22:00", "hours": "2"}]
    return quote(json.dumps({"windows": windows}))


def _phases() -> str:
    """Phases of a deployment that is being made, as they are in its URL: now, tomorrow, the day after."""
    days = [(datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:00:00.000Z") for days in (1, 2)]
    return f"10@,25@{days[0]},@{days[1]}"
