"""``/api/management/v1/deviceconfig``: configure devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib.deviceconfig import service
from chalicelib.deviceconfig.shapes import Configuration, DeploymentMade, NewConfigurationDeployment
from chalicelib.features import Feature
from chalicelib.http.endpoint import endpoint
from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply, no_content
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.deviceconfig.shapes import DeviceConfiguration
    from chalicelib.http.request import NoContent, Request

bp = Blueprint(__name__)


@endpoint(
    bp,
    "GET /management/v1/deviceconfig/configurations/device/{id}",
    auth=Auth.USER,
    permission=Permission.DEVICES_READ,
    feature=Feature.CONFIGURATION,
    device="id",
)
def get_configuration(request: Request, id: str) -> Reply[DeviceConfiguration]:
    """Get the configuration that a device should have, and the one that it reported."""
    return Reply(200, service.get(request.tenant, id))


@endpoint(
    bp,
    "PUT /management/v1/deviceconfig/configurations/device/{id}",
    auth=Auth.USER,
    permission=Permission.CONFIGURATION_MANAGE,
    body=Configuration,
    body_error="invalid request body: ",
    feature=Feature.CONFIGURATION,
    device="id",
)
def set_configuration(request: Request, id: str) -> NoContent:
    """Replace the configuration that a device should have."""
    service.configure(request.tenant, id, request.body)
    return no_content()


@endpoint(
    bp,
    "POST /management/v1/deviceconfig/configurations/device/{id}/deploy",
    auth=Auth.USER,
    permission=Permission.CONFIGURATION_MANAGE,
    body=NewConfigurationDeployment,
    body_error="invalid request body: ",
    feature=Feature.CONFIGURATION,
    device="id",
)
def deploy_configuration(request: Request, id: str) -> Reply[DeploymentMade]:
    """Deploy the configuration to the device.

    Raises:
        Unprocessable: too many deployments wait for the device, or are unfinished in the tenant.
    """
    return Reply(200, DeploymentMade(service.deploy(request.tenant, id, request.body)))
