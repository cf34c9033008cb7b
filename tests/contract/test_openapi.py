"""The app serves Mender's API: compares the route table with the published OpenAPI description."""

from __future__ import annotations

import re
from collections import defaultdict

from infra.scripts.compatibility import PAGE, Operation, answered, served
from tests.contract.description import described, needed

pytestmark = needed

BEYOND = {
    Operation("/management/v1/auditlogs/chains", "GET"): "whether the audit log is unchanged",
    Operation("/management/v1/console/cost", "GET"): "the cost of a fleet on AWS, by the model of docs/cost.md",
    Operation("/management/v1/console/overview", "GET"): "the console's overview in one call",
    Operation("/management/v1/console/public", "GET"): "data of the console before sign-in",
    Operation("/management/v1/console/session", "GET"): "data of the console after sign-in",
    Operation("/management/v1/deployments/artifacts/directupload/{}", "GET"): "the state of a direct upload",
    Operation("/management/v1/deployments/artifacts/directupload/{}", "DELETE"): "cancels a direct upload",
    Operation(
        "/management/v1/deployments/artifacts/directupload/{}/parts", "GET"
    ): "pauses and resumes a direct upload",
    Operation("/management/v1/deployments/deployments/devices/{}/explain", "GET"): "why a device gets no update",
    Operation("/management/v1/deployments/deployments/devices/{}/upcoming", "GET"): "the next deployments of a device",
    Operation("/management/v1/deployments/deployments/{}/approval", "POST"): "a second person decides",
    Operation("/management/v1/deployments/deployments/{}/devices/export", "GET"): "the devices as a file",
    Operation("/management/v1/deployments/deployments/{}/report", "GET"): "the course of a deployment",
    Operation("/management/v1/deployments/deployments/{}/retry", "POST"): "a deployment to the devices that failed",
    Operation("/management/v1/deployments/deployments/{}/rollout", "POST"): "pauses, resumes, opens phases",
    Operation("/management/v1/deployments/limits/{}", "GET"): "limits that Mender's UI reads besides storage",
    Operation("/management/v1/deviceconnect/devices/{}/connect/ticket", "POST"): "lets a browser open a session",
    Operation("/management/v1/deviceconnect/sessions/{}/recording", "GET"): "a recording in one answer",
    Operation(
        "/management/v1/devicemonitor/settings/global/channel/alerts/{}/status", "GET"
    ): "the value set by its PUT",
    Operation("/management/v1/iot-manager/events", "POST"): "sends an event to a webhook again",
    Operation("/management/v1/useradm/oidc/{}/callback", "GET"): "the redirect URL of an identity provider",
    Operation("/management/v1/useradm/oidc/{}/start", "GET"): "begins a login by OpenID Connect",
    Operation("/management/v1/useradm/users/me/2fa/disable", "POST"): "in the description only by the user's id",
    Operation("/management/v1/useradm/users/me/2fa/enable", "POST"): "the same",
    Operation("/management/v1/useradm/users/me/2fa/recovery-codes", "POST"): "recovery codes for a lost phone",
    Operation("/management/v1/useradm/users/me/sessions", "GET"): "the user's sessions",
    Operation("/management/v1/useradm/users/{}/invitation", "POST"): "sends an invitation again",
    Operation("/management/v2/tenantadm/metrics", "GET"): "a tenant's metrics, also for Prometheus",
    Operation("/management/v2/tenantadm/settings", "GET"): "the server's settings of a tenant",
    Operation("/management/v2/tenantadm/settings", "PUT"): "the same",
    **{
        Operation(f"/management/v1/deployments/trust/{path}", method): "trusted keys and what is demanded of artifacts"
        for path, method in (
            ("keys", "GET"),
            ("keys", "POST"),
            ("keys/{}", "DELETE"),
            ("policy", "GET"),
            ("policy", "PUT"),
        )
    },
    **{
        Operation(f"/management/v2/devauth/acceptance/{path}", method): "devices that are accepted by rules"
        for path, method in (
            ("identities", "DELETE"),
            ("identities", "GET"),
            ("identities", "POST"),
            ("identities/{}", "DELETE"),
            ("preview", "POST"),
            ("rules", "GET"),
            ("rules", "POST"),
            ("rules/{}", "DELETE"),
            ("rules/{}", "PUT"),
        )
    },
}
"""Operations that are served but not in the description, and their purpose."""

_COUNTED = re.compile(r"^\| (?P<area>[^|`]+) \| \d+ of \d+ \| (?P<served>\d+) of (?P<all>\d+) \|$", re.MULTILINE)


def test_every_served_operation_is_described_or_explained():
    assert served() - set(described()) == set(BEYOND)


def test_the_compatibility_page_has_the_right_counts_of_operations():
    there = set(described())
    wanted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for operation in there:
        for area in (operation.area, "**Sum**"):
            wanted[area][0] += operation in answered()
            wanted[area][1] += 1
    told = {row["area"]: [int(row["served"]), int(row["all"])] for row in _COUNTED.finditer(PAGE.read_text())}
    assert told == wanted
