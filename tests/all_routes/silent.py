"""Routes that write no audit entry, or whose entries other tests check, and why."""

from __future__ import annotations

V1, V2 = "/management/v1", "/management/v2"

SILENT = {
    f"POST {V1}/deployments/deployments/statistics/list": "reads",
    f"PUT {V1}/deployments/config/binary_delta": "there is nothing to set: 409",
    f"POST {V1}/deployments/artifacts/directupload": "announces a file: the entry is written with the artifact",
    f"DELETE {V1}/deployments/artifacts/directupload/{{id}}": "cancels an upload that is not yet an artifact",
    f"POST {V1}/deviceconnect/devices/{{id}}/check-update": "asks a device to poll for changes made elsewhere",
    f"POST {V1}/deviceconnect/devices/{{id}}/connect/ticket": "prepares a session, which has its own entries",
    f"POST {V1}/deviceconnect/devices/{{id}}/send-inventory": "asks a device to report",
    f"DELETE {V1}/iot-manager/devices/{{deviceId}}": "no integration has device twins",
    f"PUT {V1}/iot-manager/devices/{{deviceId}}/state/{{integrationId}}": "the same: 404",
    f"POST {V1}/useradm/auth/plan-verify": "reads",
    f"POST {V1}/useradm/auth/logout": "ends the caller's own session",
    f"POST {V1}/useradm/settings/me": "the caller's own UI settings",
    f"POST {V2}/devauth/acceptance/preview": "reads",
    f"POST {V2}/devauth/devices/search": "reads",
    f"POST {V2}/inventory/filters/search": "reads",
    "POST /management/v2alpha1/inventory/identities/search": "reads",
}
"""Routes that change nothing that belongs into the audit log."""

ELSEWHERE = {
    f"POST {V1}/deployments/artifacts/directupload/{{id}}/complete": "a worker makes the artifact: tests/auditlogs",
    f"POST {V1}/useradm/sso/idp/metadata": "calls an identity provider: tests/useradm/test_sso_settings.py",
    f"PUT {V1}/useradm/sso/idp/metadata/{{id}}": "as above",
    f"DELETE {V1}/useradm/sso/idp/metadata/{{id}}": "as above",
    f"PUT {V1}/deviceconnect/devices/{{id}}/upload": "needs a connected device: tests/deviceconnect",
}
"""Routes whose change takes more than one call, and the tests that check their entries."""
