"""``/management/v2/tenantadm/metrics``: the numbers of the caller's tenant. Not part of Mender's API."""

from __future__ import annotations

from chalice.app import Blueprint

from chalicelib.errors import Forbidden
from chalicelib.http import content
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.metrics.shapes import Numbers
from chalicelib.rights import EVERYWHERE, Permission

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v2/tenantadm/metrics", Permission.DEVICES_READ)
def show_metrics(request: UserRequest) -> Reply[Numbers] | Reply[str]:
    """Get the tenant's numbers, as JSON or for Prometheus (``Accept: text/plain``).

    Each number is shown only to users who may see everything that it counts. Not part of Mender's API.
    """
    # Imported here: it loads most features, which other calls of this service do not need.
    from chalicelib.metrics import rules, service

    if not _sees_all(request, Permission.DEVICES_READ):
        raise Forbidden
    numbers = service.numbers(
        request.tenant,
        rollouts=_sees_all(request, Permission.DEPLOYMENTS_READ),
        releases=_sees_all(request, Permission.RELEASES_READ),
        webhooks=_sees_all(request, Permission.INTEGRATIONS_READ),
    )
    accept = request.headers.get("accept", "")
    if content.quality(accept, rules.MEDIA_TYPE) > content.quality(accept, "application/json"):
        return Reply(200, rules.exposition(rules.gauges(numbers)), content_type=rules.CONTENT_TYPE)
    return Reply(200, numbers)


def _sees_all(request: UserRequest, permission: Permission) -> bool:
    """Whether the caller has this permission without a limit, or has a permission by path for this call."""
    return EVERYWHERE in request.identity.rights.scopes(permission, (request.method, request.path))
