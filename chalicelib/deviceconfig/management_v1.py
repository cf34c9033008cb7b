"""``/api/management/v1/deviceconfig``: configure devices."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.deviceconfig import service, views
from chalicelib.deviceconfig.shapes import (
    Configuration,
    DeploymentMade,
    DeviceConfiguration,
    NewConfigurationDeployment,
)
from chalicelib.features import Feature
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import NoContent, Reply, UserRequest, no_content
from chalicelib.rights import Permission

bp = Blueprint(__name__)


@user_route(
    bp,
    "GET /management/v1/deviceconfig/configurations/device/{id}",
    Permission.DEVICES_READ,
    feature=Feature.CONFIGURATION,
    within={"device": "id"},
)
def get_configuration(request: UserRequest, id: str) -> Reply[DeviceConfiguration]:
    """Get the configuration that a device should have, and the one that it reported."""
    return Reply(200, views.configuration(id, *service.get(request.tenant, id)))


@user_route(
    bp,
    "PUT /management/v1/deviceconfig/configurations/device/{id}",
    Permission.CONFIGURATION_MANAGE,
    feature=Feature.CONFIGURATION,
    within={"device": "id"},
    body_error="invalid request body: ",
)
def set_configuration(request: UserRequest, body: Configuration, id: str) -> NoContent:
    """Replace the configuration that a device should have."""
    service.configure(request.tenant, id, body)
    return no_content()


@user_route(
    bp,
    "POST /management/v1/deviceconfig/configurations/device/{id}/deploy",
    Permission.CONFIGURATION_MANAGE,
    feature=Feature.CONFIGURATION,
    within={"device": "id"},
    body_error="invalid request body: ",
)
def deploy_configuration(request: UserRequest, body: NewConfigurationDeployment, id: str) -> Reply[DeploymentMade]:
    """Deploy the configuration to the device.

    Raises:
        Unprocessable: too many deployments wait for the device, or are unfinished in the tenant.
    """
    return Reply(200, DeploymentMade(service.deploy(request.tenant, id, body)))
