"""``/api/devices/v1/devicemonitor``: alerts and checks that a device reports."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.devicemonitor import service
from chalicelib.devicemonitor.shapes import Checks, NewAlerts
from chalicelib.features import Feature
from chalicelib.http.endpoint import device_route
from chalicelib.http.request import DeviceRequest, NoContent, no_content

bp = Blueprint(__name__)


@device_route(bp, "POST /devices/v1/devicemonitor/alert", feature=Feature.MONITORING)
def report_alerts(request: DeviceRequest, body: NewAlerts) -> NoContent:
    """Report alerts: something has become critical, or is back to normal.

    Raises:
        NotFound: the device is being removed.
    """
    service.report(request.tenant, request.identity.subject, body)
    return no_content()


@device_route(bp, "POST /devices/v1/devicemonitor/config", feature=Feature.MONITORING)
def report_checks(request: DeviceRequest, body: Checks) -> NoContent:
    """Report all checks of the device.

    Raises:
        NotFound: the device is being removed.
    """
    service.report_checks(request.tenant, request.identity.subject, body)
    return no_content()
