"""``/api/management/v1/auditlogs``: who changed what, as a list and as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint

from chalicelib import limits, text
from chalicelib.auditlogs.rules.entries import Wanted
from chalicelib.auditlogs.service import reading
from chalicelib.auditlogs.shapes import AuditLog, Health
from chalicelib.errors import BadRequest
from chalicelib.features import Feature
from chalicelib.http import etag, paging, queries
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Reply, UserRequest
from chalicelib.rights import Permission

if TYPE_CHECKING:
    from chalicelib.http.request import Query

bp = Blueprint(__name__)

_DIGITS = 11
"""The largest accepted time in seconds, later than any entry."""


@user_route(bp, "GET /management/v1/auditlogs/logs", Permission.AUDIT_READ, feature=Feature.AUDIT_LOGS)
def list_logs(request: UserRequest) -> Reply[list[AuditLog]]:
    """List the audit log."""
    page = paging.read_page(request, default=limits.AUDIT_PER_PAGE)
    newest_first = queries.newest_first(request.query)
    rows, total = reading.listed(
        request.tenant, _wanted(request.query), page.start, page.stop, newest_first=newest_first
    )
    return etag.conditional(request, Reply(200, rows, paging.headers(request, page, total=total)))


@user_route(bp, "GET /management/v1/auditlogs/logs/export", Permission.AUDIT_READ, feature=Feature.AUDIT_LOGS)
def export_logs(request: UserRequest) -> Reply[str]:
    """Download the audit log as a CSV file.

    The header ``X-Truncated`` says that only its first entries fit into the answer.
    """
    query = request.query
    table, complete = reading.exported(
        request.tenant,
        _wanted(query),
        _number(query, "limit"),
        newest_first=queries.newest_first(query),
        separator=query.get("format_separator") or ".",
        ignored=query.all("ignore"),
    )
    headers: dict[str, str | list[str]] = {"Content-Disposition": text.attachment("auditlogs.csv")}
    if not complete:
        headers["X-Truncated"] = "true"
    return Reply(200, table, headers, content_type="text/csv")


@user_route(bp, "GET /management/v1/auditlogs/chains", Permission.AUDIT_READ, feature=Feature.AUDIT_LOGS)
def check_chains(request: UserRequest) -> Reply[Health]:
    """Check whether entries were altered, removed or reordered, and get the chain heads. Not part of Mender's API."""
    return Reply(200, reading.health(request.tenant))


def _wanted(query: Query) -> Wanted:
    return Wanted(
        actor_id=query.get("actor_id") or None,
        actor_type=query.get("actor_type") or None,
        actor_email=query.get("actor_email") or None,
        object_id=query.get("object_id") or None,
        object_type=query.get("object_type") or None,
        deployment_name=query.get("object_deployment_name") or None,
        created_after=_number(query, "created_after"),
        created_before=_number(query, "created_before"),
    )


def _number(query: Query, name: str) -> int | None:
    said = query.get(name)
    if not said:
        return None
    if not (said.isascii() and said.isdigit()) or len(said) > _DIGITS:
        raise BadRequest(f'invalid {name} query: "{said[:32]}"')
    return int(said)
