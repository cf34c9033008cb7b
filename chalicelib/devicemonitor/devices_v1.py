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
    """Report alerts: something has become critical, or is fine again.

    Raises:
        NotFound: the device is being removed.
    """
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
    """Report everything that the device watches.

    Raises:
        NotFound: the device is being removed.
    """
    service.report_checks(request.tenant, request.identity.subject, request.body)
    return no_content()
