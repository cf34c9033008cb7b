"""What is served is Mender's API: the route table against the published OpenAPI description."""

from __future__ import annotations

import re
from collections import defaultdict

from infra.scripts.compatibility import PAGE, Operation, answered, served
from tests.contract.description import described, needed

pytestmark = needed

BEYOND = {
    Operation("/management/v1/auditlogs/chains", "GET"): "whether the log is as it was written",
    Operation("/management/v1/console/cost", "GET"): "what a fleet costs on AWS, as docs/cost.md has it",
    Operation("/management/v1/console/overview", "GET"): "what needs attention first, in one call",
    Operation("/management/v1/console/public", "GET"): "what the console shows before anybody signs in",
    Operation("/management/v1/console/session", "GET"): "what it starts with when somebody has",
    Operation("/management/v1/deployments/artifacts/directupload/{}", "GET"): "what became of a direct upload",
    Operation("/management/v1/deployments/artifacts/directupload/{}", "DELETE"): "how a direct upload is given up",
    Operation("/management/v1/deployments/artifacts/directupload/{}/parts", "GET"): "how it is paused and resumed",
    Operation("/management/v1/deployments/deployments/devices/{}/upcoming", "GET"): "what a device gets next",
    Operation("/management/v1/deployments/limits/{}", "GET"): "the limits that Mender's UI asks for beside storage",
    Operation("/management/v1/deviceconnect/devices/{}/connect/ticket", "POST"): "how a browser opens a session",
    Operation("/management/v1/deviceconnect/sessions/{}/recording", "GET"): "a recording in one answer",
    Operation("/management/v1/devicemonitor/settings/global/channel/alerts/{}/status", "GET"): "what its PUT has set",
    Operation("/management/v1/iot-manager/events", "POST"): "an event once more to a webhook",
    Operation("/management/v1/useradm/oidc/{}/callback", "GET"): "where an identity provider sends users back to",
    Operation("/management/v1/useradm/oidc/{}/start", "GET"): "where a login by OpenID Connect begins",
    Operation("/management/v1/useradm/users/me/2fa/disable", "POST"): "the description has it by the user's id only",
    Operation("/management/v1/useradm/users/me/2fa/enable", "POST"): "the same",
    Operation("/management/v1/useradm/users/me/2fa/recovery-codes", "POST"): "codes for who lost the phone",
    Operation("/management/v1/useradm/users/me/sessions", "GET"): "where one is signed in",
    Operation("/management/v1/useradm/users/{}/invitation", "POST"): "another invitation by mail",
    Operation("/management/v2/tenantadm/metrics", "GET"): "a tenant's numbers at a glance, also for Prometheus",
    Operation("/management/v2/tenantadm/settings", "GET"): "settings of the server for a tenant",
    Operation("/management/v2/tenantadm/settings", "PUT"): "the same",
}
"""What is served though the description does not have it, and why."""

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
