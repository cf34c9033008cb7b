"""``/api/devices/v1/devicemonitor``: what a device has noticed, and what it watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.devicemonitor import service
from chalicelib.devicemonitor.shapes import Checks, NewAlerts
from chalicelib.features import Feature
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import no_content

if TYPE_CHECKING:
    from chalicelib.http.request import NoContent, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "POST /devices/v1/devicemonitor/alert",
    auth=Auth.DEVICE,
    permission=None,
    body=NewAlerts,
    feature=Feature.MONITORING,
)
def report_alerts(request: Request) -> NoContent:
    """Alerts: something is critical, or well again."""
    service.report(request.tenant, request.identity.subject, request.body)
    return no_content()


@endpoint(
    bp,
    "POST /devices/v1/devicemonitor/config",
    auth=Auth.DEVICE,
    permission=None,
    body=Checks,
    feature=Feature.MONITORING,
)
def report_checks(request: Request) -> NoContent:
    """What the device watches: all of it."""
    service.report_checks(request.tenant, request.identity.subject, request.body)
    return no_content()
