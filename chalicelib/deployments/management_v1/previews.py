"""The parameter ``dry_run`` of the routes that create deployments: a preview instead of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import limits
from chalicelib.deployments.service import managing as service
from chalicelib.deployments.shapes.preview import Assumptions, Preview
from chalicelib.errors import BadRequest
from chalicelib.http import queries
from chalicelib.http.request import Reply, created

if TYPE_CHECKING:
    from chalicelib.http.request import Created, Query, UserRequest

PLACE = "/api/management/v1/deployments/deployments/"


def save_or_preview(request: UserRequest, draft: service.Draft) -> Created | Reply[Preview]:
    """Save a deployment, or with ``dry_run`` only preview it.

    Raises:
        BadRequest: a parameter is not valid. Nothing is saved then.
    """
    if "dry_run" in request.query.multi:
        is_dry = request.query.flag("dry_run")
        if is_dry is None:
            raise BadRequest("dry_run: must be true or false")
        if is_dry:
            return Reply(200, service.preview(request.tenant, draft, _assumptions(request.query)))
    return created(PLACE + service.save(request.tenant, draft))


_USUAL = Assumptions()


def _assumptions(query: Query) -> Assumptions:
    most = limits.PREVIEW_INTERVAL
    return Assumptions(
        poll_interval=int(
            queries.number(query, "poll_interval", _USUAL.poll_interval, limits.PREVIEW_INTERVAL_MIN, most)
        ),
        update_time=int(queries.number(query, "update_time", _USUAL.update_time, 0, most)),
        silent_days=int(queries.number(query, "silent_days", _USUAL.silent_days, 1, limits.PREVIEW_SILENT_DAYS)),
    )
