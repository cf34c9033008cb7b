"""Management API v1, integrations ("iot-manager")."""

from __future__ import annotations

import uuid
from typing import Any

from chalice.app import Blueprint

from chalicelib.errors import BadRequest, NotFound
from chalicelib.fleet import heads
from chalicelib.http import paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Accepted, Created, NoContent, Reply, UserRequest, accepted, created, no_content
from chalicelib.integrations import shapes, views
from chalicelib.integrations.service import operators
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v1/iot-manager/integrations", Permission.INTEGRATIONS_READ)
def list_integrations(request: UserRequest) -> Reply[list[shapes.IntegrationShape]]:
    """List the tenant's webhooks, without their secrets."""
    page = paging.read_page(request)
    found = operators.listed(request.tenant)
    return Reply(
        200,
        [views.integration(each) for each in found[page.start : page.stop]],
        paging.headers(request, page, more=len(found) > page.stop),
    )


@user_route(bp, "POST /management/v1/iot-manager/integrations", Permission.INTEGRATIONS_MANAGE)
def create_integration(request: UserRequest, body: shapes.NewIntegration) -> Created:
    """Create a webhook.

    Raises:
        Conflict: there is a webhook with this URL.
        Unprocessable: the tenant has reached its limit of webhooks.
    """
    integration = operators.create(request.tenant, body)
    return created(f"/api/management/v1/iot-manager/integrations/{integration}")


@user_route(bp, "DELETE /management/v1/iot-manager/integrations/{id}", Permission.INTEGRATIONS_MANAGE)
def delete_integration(request: UserRequest, id: str) -> NoContent:
    """Delete a webhook."""
    operators.delete(request.tenant, id)
    return no_content()


@user_route(bp, "PUT /management/v1/iot-manager/integrations/{id}/credentials", Permission.INTEGRATIONS_MANAGE)
def set_integration_credentials(request: UserRequest, body: shapes.Credentials, id: str) -> NoContent:
    """Change a webhook's URL or secret.

    Raises:
        Conflict: there is another webhook with this URL.
    """
    operators.set_credentials(request.tenant, id, body)
    return no_content()


@user_route(bp, "GET /management/v1/iot-manager/events", Permission.INTEGRATIONS_READ)
def list_events(request: UserRequest) -> Reply[list[shapes.EventShape]]:
    """List the events of the last week, newest first."""
    page = paging.read_page(request)
    integration = request.query.get("integration_id") or None
    # One row more than the page tells whether another follows.
    found = operators.events(request.tenant, _uuid(integration), page.start, page.stop + 1)
    shown = [views.event(each) for each in found[: page.size]]
    return Reply(200, shown, paging.headers(request, page, more=len(found) > page.size))


@user_route(bp, "POST /management/v1/iot-manager/events", Permission.INTEGRATIONS_MANAGE)
def send_event_again(request: UserRequest, body: shapes.Resend) -> Accepted:
    """Send an event of the last week to a webhook again, delivered or not. Not part of Mender's API.

    Raises:
        NotFound: there is no such webhook, or it was not sent this event.
    """
    operators.send_again(request.tenant, body.integration_id, body.event_id, body.event_time)
    return accepted()


def _uuid(text: str | None) -> str | None:
    try:
        return str(uuid.UUID(text)) if text is not None else None
    except ValueError as error:
        raise BadRequest("integration_id: must be a valid UUID") from error


# Twins: the state of a device in another cloud. Webhooks keep none.


@user_route(
    bp,
    "GET /management/v1/iot-manager/devices/{deviceId}/state",
    Permission.INTEGRATIONS_READ,
    within={"device": "deviceId"},
)
def get_device_states(request: UserRequest, deviceId: str) -> Reply[dict[str, Any]]:  # noqa: N803  # API Gateway's name of it
    """Get a device's state in all integrations. Always empty: webhooks keep no state."""
    _require_device(request, deviceId)
    return Reply(200, {})


@user_route(
    bp,
    "GET /management/v1/iot-manager/devices/{deviceId}/state/{integrationId}",
    Permission.INTEGRATIONS_READ,
    within={"device": "deviceId"},
)
def get_device_state(request: UserRequest, deviceId: str, integrationId: str) -> Reply[dict[str, Any]]:  # noqa: N803
    """Get a device's state in an integration. Always 404: webhooks keep no state."""
    raise _no_state(request, deviceId, integrationId)


@user_route(
    bp,
    "PUT /management/v1/iot-manager/devices/{deviceId}/state/{integrationId}",
    Permission.INTEGRATIONS_MANAGE,
    within={"device": "deviceId"},
)
def set_device_state(  # no state is kept, whatever the body says
    request: UserRequest,
    body: bytes,  # noqa: ARG001
    deviceId: str,  # noqa: N803
    integrationId: str,  # noqa: N803
) -> Reply[dict[str, Any]]:
    """Set a device's state in an integration. Always 404: webhooks keep no state."""
    raise _no_state(request, deviceId, integrationId)


@user_route(
    bp,
    "DELETE /management/v1/iot-manager/devices/{deviceId}",
    Permission.INTEGRATIONS_MANAGE,
    within={"device": "deviceId"},
)
def forget_device(request: UserRequest, deviceId: str) -> NoContent:  # noqa: N803
    """Remove a device from all integrations. It is in none, so nothing changes."""
    _require_device(request, deviceId)
    return no_content()


def _require_device(request: UserRequest, device_id: str) -> None:
    if heads.find(request.tenant, device_id) is None:
        raise NotFound("device not found")


def _no_state(request: UserRequest, device_id: str, integration: str) -> NotFound:
    _require_device(request, device_id)
    operators.get(request.tenant, integration)
    return NotFound("the integration keeps no state of devices")
