"""``/management/v1/console/cost``: what a fleet costs on AWS. Not part of Mender's API."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib import limits
from chalicelib.cost import service
from chalicelib.cost.rules import Fleet
from chalicelib.cost.shapes import Estimate, Levers
from chalicelib.http import queries
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission

bp = Blueprint(__name__)

_USUAL = Fleet(1000)


@user_route(bp, "GET /management/v1/console/cost", Permission.SETTINGS_MANAGE)
def estimate_cost(request: UserRequest) -> Reply[Estimate]:
    """Estimate what a fleet costs in a month on AWS, by gateway, with list prices."""
    query = request.query
    devices = int(queries.number(query, "devices", _USUAL.devices, 1, limits.COST_DEVICES))
    levers = Levers(
        devices,
        queries.number(query, "poll", _USUAL.poll, limits.COST_INTERVAL_MIN, limits.COST_INTERVAL),
        queries.number(query, "report", _USUAL.report, limits.COST_INTERVAL_MIN, limits.COST_INTERVAL),
        queries.number(query, "updates", _USUAL.updates, 0, limits.COST_UPDATES),
        queries.number(query, "artifact", _USUAL.artifact, 0, limits.COST_ARTIFACT),
        min(devices, int(queries.number(query, "connected", _USUAL.connected, 0, limits.COST_DEVICES))),
    )
    return Reply(200, service.estimate(levers))
