"""``/api/management/v1/devicemonitor``: alerts and checks of devices, and mails about alerts."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.devicemonitor import rules, service
from chalicelib.devicemonitor.rules import Window
from chalicelib.devicemonitor.shapes import Alert, ChannelStatus, Check, Level
from chalicelib.errors import BadRequest
from chalicelib.features import Feature
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import NoContent, Reply, UserRequest, no_content
from chalicelib.rights import Permission

bp = Blueprint(__name__)


def _window(request: UserRequest) -> Window:
    after, before = (request.query.get(name) for name in ("issued_after", "issued_before"))
    return Window(
        after=rules.read_time(after, "issued_after") if after else None,
        before=rules.read_time(before, "issued_before") if before else None,
    )


@user_route(
    bp,
    "GET /management/v1/devicemonitor/devices/{id}/alerts",
    Permission.DEVICES_READ,
    feature=Feature.MONITORING,
    within={"device": "id"},
)
def list_alerts(request: UserRequest, id: str) -> Reply[list[Alert]]:
    """List a device's alerts, newest first unless asked otherwise."""
    page, ascending = paging.read_page(request), request.query.flag("sort_ascending")
    if request.query.get("sort_ascending") and ascending is None:
        raise BadRequest("invalid sort_ascending query: must be true or false")
    found, total = service.alerts(
        request.tenant, id, _window(request), page.start, page.stop, oldest_first=bool(ascending)
    )
    return Reply(200, found, paging.headers(request, page, total=total))


@user_route(
    bp,
    "GET /management/v1/devicemonitor/devices/{id}/alerts/latest",
    Permission.DEVICES_READ,
    feature=Feature.MONITORING,
    within={"device": "id"},
)
def list_latest_alerts(request: UserRequest, id: str) -> Reply[list[Alert]]:
    """List the newest alert of each subject, oldest first. Only what is critical, unless asked otherwise."""
    page, wanted = paging.read_page(request), request.query.get("level_from") or Level.CRITICAL
    if wanted not in set(Level):
        raise BadRequest(f"invalid level_from query: {wanted[:32]}")
    found, total = service.latest(request.tenant, id, _window(request), page.start, page.stop, at_least=Level(wanted))
    return Reply(200, found, paging.headers(request, page, total=total))


@user_route(
    bp,
    "GET /management/v1/devicemonitor/devices/{id}/config",
    Permission.DEVICES_READ,
    feature=Feature.MONITORING,
    within={"device": "id"},
)
def list_checks(request: UserRequest, id: str) -> Reply[list[Check]]:
    """List the checks of a device."""
    return Reply(200, service.checks(request.tenant, id))


@user_route(
    bp,
    "GET /management/v1/devicemonitor/settings/global/channel/alerts/{name}/status",
    Permission.BASIC,
    feature=Feature.MONITORING,
)
def show_alert_channel(request: UserRequest, name: str) -> Reply[ChannelStatus]:
    """Get whether mails about alerts are on for all users. Not part of Mender's API."""
    return Reply(200, ChannelStatus(service.channel(request.tenant, name)))


@user_route(
    bp,
    "PUT /management/v1/devicemonitor/settings/global/channel/alerts/{name}/status",
    Permission.USERS_MANAGE,
    feature=Feature.MONITORING,
)
def set_alert_channel(request: UserRequest, body: ChannelStatus, name: str) -> NoContent:
    """Turn mails about alerts on or off for all users."""
    service.set_channel(request.tenant, name, enabled=body.enabled)
    return no_content()
