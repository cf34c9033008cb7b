"""Management API v2, device authentication."""

from __future__ import annotations

from urllib.parse import parse_qs

from chalice.app import Blueprint

from chalicelib.devauth import service, shapes, views
from chalicelib.devauth.devices_v1 import read_signed
from chalicelib.devauth.rules.sets import Status
from chalicelib.errors import BadRequest, UnsupportedMediaType
from chalicelib.fleet import counts
from chalicelib.http import content, paging
from chalicelib.http.endpoint import user_route
from chalicelib.http.request import Absent, Created, Existing, NoContent, Reply, UserRequest, created, no_content
from chalicelib.limits import DEVICE_IDS, TEST_DEVICES
from chalicelib.rights import Permission
from chalicelib.tiers import Tier

bp = Blueprint(__name__)


@user_route(bp, "GET /management/v2/devauth/devices", Permission.DEVICES_READ)
def list_devices(request: UserRequest) -> Reply[list[shapes.DeviceShape]]:
    """List devices by status and id, page by page."""
    statuses = request.query.all("status")
    if not set(statuses) <= set(Status):
        text = "filter status must be one of: accepted, pending, rejected, preauthorized or noauth"
        raise BadRequest(text)
    return _page(request, statuses, request.query.all("id"))


@user_route(bp, "POST /management/v2/devauth/devices/search", Permission.DEVICES_READ)
def search_devices(request: UserRequest, body: bytes) -> Reply[list[shapes.DeviceShape]]:
    """Search for devices by status and id. As the list, with the filter in the body; unknown statuses match nothing.

    Raises:
        UnsupportedMediaType: the body is neither JSON nor a form.
    """
    # Exactly these two types, without parameters.
    kind = request.headers.get("content-type", "")
    if kind == "application/json":
        search = content.decode(body, shapes.Search)
    elif kind == "application/x-www-form-urlencoded":
        form = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        search = shapes.Search(status=form.get("status"), id=form.get("id"))
    else:
        raise UnsupportedMediaType("unsupported media type")
    return _page(request, _many(search.status), _many(search.id))


def _many(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _page(request: UserRequest, statuses: list[str], ids: list[str]) -> Reply[list[shapes.DeviceShape]]:
    if len(ids) > DEVICE_IDS:
        raise BadRequest(f"id: too many ids (max: {DEVICE_IDS}); ask for fewer at a time")
    page = paging.read_page(request)
    # A set: a body may name the same status any number of times.
    known = set(statuses) & set(Status)
    # One row more than the page tells whether another follows.
    if statuses and not known:
        devices = []
    elif ids:
        devices = service.selected(request.tenant, ids, known, page.start, page.stop + 1, request.groups)
    else:
        devices = service.listed(request.tenant, known, page.start, page.stop + 1, request.groups)
    more = len(devices) > page.size
    return Reply(
        200,
        [views.device(device) for device in devices[: page.size]],
        paging.headers(request, page, more=more),
    )


@user_route(
    bp,
    "POST /management/v2/devauth/devices",
    Permission.DEVICES_MANAGE,
    everywhere=True,  # a new device is in no group
    body_error="failed to decode preauth request: ",
)
def preauthorise_device(request: UserRequest, body: shapes.PreAuthSet) -> Created | Existing[shapes.DeviceShape]:
    """Preauthorize a device: it is accepted when it first asks.

    A known identity is answered with its device, unless the request has ``force``.
    """
    done, device = service.preauthorise(
        request.tenant, body.identity_data, body.pubkey, force=body.force, tier=body.tier
    )
    if not done:
        return Existing(body=views.device(device, with_sets=False))
    return created(f"devices/{device.id}")


@user_route(bp, "GET /management/v2/devauth/devices/count", Permission.DEVICES_READ)
def count_devices(request: UserRequest) -> Reply[shapes.Count]:
    """Count devices of one status or of all."""
    status = request.query.get("status") or None
    if status is not None and status not in set(Status):
        text = "status must be one of: pending, accepted, rejected, preauthorized, noauth"
        raise BadRequest(text)
    return Reply(200, shapes.Count(counts.number(request.tenant, status, request.groups)))


@user_route(bp, "GET /management/v2/devauth/devices/{id}", Permission.DEVICES_READ, within={"device": "id"})
def get_device(request: UserRequest, id: str) -> Reply[shapes.DeviceShape]:
    """Get a device with its auth sets."""
    return Reply(200, views.device(service.get(request.tenant, id)))


@user_route(bp, "DELETE /management/v2/devauth/devices/{id}", Permission.DEVICES_MANAGE, within={"device": "id"})
def decommission_device(request: UserRequest, id: str) -> NoContent | Absent:
    """Decommission a device: refuse its calls, and delete its data everywhere."""
    return no_content() if service.decommission(request.tenant, id) else Absent()


@user_route(
    bp,
    "DELETE /management/v2/devauth/devices/{id}/auth/{aid}",
    Permission.DEVICES_MANAGE,
    within={"device": "id", "auth_set": "aid"},
)
def remove_auth_set(request: UserRequest, id: str, aid: str) -> NoContent | Absent:  # noqa: ARG001  # B3: the device is not checked
    """Delete an auth set."""
    return no_content() if service.remove_set(request.tenant, aid) else Absent()


@user_route(
    bp,
    "PUT /management/v2/devauth/devices/{id}/auth/{aid}/status",
    Permission.DEVICES_MANAGE,
    within={"device": "id", "auth_set": "aid"},
)
def decide_auth_set(request: UserRequest, body: shapes.NewStatus, id: str, aid: str) -> NoContent:
    """Accept or reject an auth set, or make it pending again.

    Raises:
        Unprocessable: the tenant has as many accepted devices of this tier as it may.
    """
    service.decide(request.tenant, id, aid, body.status)
    return no_content()


@user_route(
    bp,
    "GET /management/v2/devauth/devices/{id}/auth/{aid}/status",
    Permission.DEVICES_READ,
    within={"device": "id", "auth_set": "aid"},
)
def get_auth_set_status(request: UserRequest, id: str, aid: str) -> Reply[shapes.AuthSetStatus]:
    """Get the status of an auth set."""
    return Reply(200, shapes.AuthSetStatus(service.set_status(request.tenant, id, aid)))


@user_route(bp, "PUT /management/v2/devauth/devices/{id}/flags", Permission.DEVICES_MANAGE, within={"device": "id"})
def set_device_flags(request: UserRequest, body: shapes.Flags, id: str) -> NoContent:
    """Mark a device as a test device, or unmark it.

    Raises:
        Unprocessable: the tenant has as many test devices as it may.
    """
    wanted = body.test_device
    if wanted is None:
        raise BadRequest("test_device must be provided")
    service.set_test_device(request.tenant, id, wanted=wanted)
    return no_content()


@user_route(
    bp,
    "POST /management/v2/devauth/auto-auth",
    Permission.DEVICES_MANAGE,
    everywhere=True,  # a new device is in no group
)
def accept_automatically(request: UserRequest, body: bytes) -> Reply[str]:
    """Accept the device whose signed auth request is in the body. The answer is its token, as a JSON string.

    Raises:
        Unprocessable: the tenant's limit of accepted devices is reached.
        UnsupportedMediaType: the body is not JSON.
    """
    content.require_json(request.headers.get("content-type"), body)
    asked, signature = read_signed(request)
    token = service.accept_automatically(request.tenant, asked, body, signature)
    return Reply(200, content.encode(token))


@user_route(bp, "GET /management/v2/devauth/license", Permission.DEVICES_READ, everywhere=True)
def show_license(request: UserRequest) -> Reply[str]:
    """Get the numbers and limits of accepted devices by tier, as CSV."""
    accepted, limits = counts.accepted_by_tier(request.tenant), service.device_limits(request.tenant)
    rows = [f"{tier},{accepted.of(tier)},{limits.of(tier)}" for tier in Tier]
    return Reply(200, "\n".join(["tier,accepted,limit", *rows]) + "\n", content_type="text/csv")


@user_route(bp, "GET /management/v2/devauth/limits/devices", Permission.DEVICES_READ)
def get_device_limits(request: UserRequest) -> Reply[dict[str, int]]:
    """Get the limits of devices by tier, and of test devices. -1: no limit."""
    limits = service.device_limits(request.tenant)
    return Reply(200, {str(tier): limits.of(tier) for tier in Tier} | {"test": TEST_DEVICES})


@user_route(bp, "DELETE /management/v2/devauth/tokens/{id}", Permission.DEVICES_MANAGE, within={"auth_set": "id"})
def revoke_device_token(request: UserRequest, id: str) -> NoContent | Absent:
    """Revoke a device's tokens by their ``jti``. The device has to ask for a new one."""
    return no_content() if service.revoke_token(request.tenant, id) else Absent()


@user_route(bp, "GET /management/v2/devauth/limits/{name}", Permission.DEVICES_READ)
def get_tenant_limit(request: UserRequest, name: str) -> Reply[shapes.Limit]:
    """Get a limit of the tenant. -1: no limit."""
    return Reply(200, shapes.Limit(service.limit(request.tenant, name)))
