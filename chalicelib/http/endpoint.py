"""Routes: ``@user_route``, ``@device_route`` and ``@public_route`` declare who may call a handler, and what for.

A route for users has to name its permission, and a handler gets the request type of its audience; mypy rejects handlers
that do not fit. Chalice knows the routes, for deployments; ``chalicelib.routes.App`` answers their events. Errors are
answered as ``{"error", "request_id"}``. An unexpected one is logged with its traceback and answered with ``internal
error``, so no internal text reaches a caller.
"""

from __future__ import annotations

import functools
import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, TypeVar
from urllib.parse import quote, unquote

import msgspec

from chalicelib import limits
from chalicelib.actor import SYSTEM, Acting, Actor
from chalicelib.errors import (
    BadRequest,
    DomainError,
    Forbidden,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.http import access, content, refusals, signin
from chalicelib.http.access import Kind
from chalicelib.http.headers import REQUEST_ID, request_id, standard_headers
from chalicelib.http.identity import Auth, authenticate
from chalicelib.http.request import EDGE, DeviceRequest, Query, Reply, Request, UserRequest
from chalicelib.http.signin import SignIn
from chalicelib.observability import Metric, Observed, count, count_refusal, logger
from chalicelib.rights import EVERYWHERE, Permission
from chalicelib.storage.transactions import ConditionFailed

if TYPE_CHECKING:
    from chalice.app import Blueprint

    from chalicelib.call import Context


Event = Mapping[str, Any]
"""A call as a REST API's gateway passes it to Lambda."""
Answer = dict[str, Any]
"""An answer in the form that such a gateway expects."""
Handler = Callable[..., Reply[Any]]
UserHandler = TypeVar("UserHandler", bound=Callable[Concatenate[UserRequest, ...], Reply[Any]])
DeviceHandler = TypeVar("DeviceHandler", bound=Callable[Concatenate[DeviceRequest, ...], Reply[Any]])
PublicHandler = TypeVar("PublicHandler", bound=Callable[Concatenate[Request, ...], Reply[Any]])
AnyHandler = TypeVar("AnyHandler", bound=Handler)
Repair = Callable[[bytes], bytes | None]
Within = Mapping[Kind, str]
_DECODING = "failed to decode request body: "
_CLIENT = "x-lamplighter-client"
"""The header with the caller's address, set by the edge (``infra/templates/edge.yaml``)."""
_STATUS_IS_ENOUGH = frozenset({refusals.STATUSES[TooManyRequests], refusals.STATUSES[Unavailable]})
_HEADERS = 8 * limits.KIB
"""Bytes of a function's payload that are reserved for an answer's status and headers."""


class EndpointSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a route declares; tests and the local gateway read it from the handler's ``endpoint_spec``."""

    method: str
    path: str
    auth: Auth
    permission: Permission | None = None
    """The permission that users need; None for devices and public routes."""
    body: Any = None
    """The shape of a JSON body, ``bytes`` for a raw one, None for none: the annotation of the handler's ``body``."""
    body_limit: int = limits.BODY
    stream_limit: int = 0
    body_error: str = _DECODING
    repair: Repair | None = None
    feature: Feature | None = None
    within: Within = {}
    own: str | None = None
    named: str | None = None
    everywhere: bool = False
    sign_in: SignIn = SignIn.ANY

    @property
    def streams_body(self) -> bool:
        """Whether the body is read through ``Request.stream()``."""
        return self.stream_limit > 0

    @property
    def changes_by_name(self) -> bool:
        """Whether a call changes something that its path names by free text, in which any character may occur."""
        return self.method != "GET" and bool("release" in self.within or self.named)

    def explains(self, status: int) -> bool:
        """Whether an answer with this status has a body.

        Mender's clients 4.0 to 5.1 handle a 401, and clients before 5.0.5 a 429, before they set up a reader for the
        body; a body then aborts the client or its update. They need only the status and ``Retry-After``. The exception
        is the request for a token, whose 401 is a regular answer; clients log its text.
        """
        if not self.path.startswith("/devices/"):
            return True
        if status == refusals.STATUSES[Unauthorized]:
            return self.auth is not Auth.DEVICE
        return status not in _STATUS_IS_ENOUGH


def user_route(  # noqa: PLR0913  # one keyword for each promise, all with a safe default
    blueprint: Blueprint,
    route: str,
    permission: Permission,
    *,
    feature: Feature | None = None,
    within: Within = {},  # noqa: B006  # never changed
    own: str | None = None,
    named: str | None = None,
    everywhere: bool = False,
    sign_in: SignIn = SignIn.ANY,
    body_limit: int = limits.BODY,
    stream_limit: int = 0,
    body_error: str = _DECODING,
) -> Callable[[UserHandler], UserHandler]:
    """Declare a route for users.

    Args:
        blueprint: the module's blueprint.
        route: method and full path below the stage, ``"GET /management/v1/..."``.
        permission: the permission that the user needs.
        feature: what the tenant's plan or add-ons must include (403 otherwise); None for what every tenant has.
        within: path variables by what they identify. Users whose permission is limited to some groups or release tags
            get 403 for a device of another group, a release with other tags, and so on.
        own: the path variable that is a user's id: for their own, users need no more than ``BASIC``.
        named: the path variable that is free text, such as a role's name. Calls that write by it are refused at
            gateways that change paths.
        everywhere: refuse users whose permission is limited (403), as for what belongs to no group.
        sign_in: what the token must be; a route that gives, changes or takes credentials needs at least a session.
        body_limit: maximum bytes of the body; 413 beyond that.
        stream_limit: bytes; above 0 the handler reads the body by ``Request.stream()``, so it may exceed an event.
        body_error: the beginning of the text of a decoding error.
    """
    return _declare(
        blueprint,
        route,
        Auth.USER,
        permission=permission,
        feature=feature,
        within=within,
        own=own,
        named=named,
        everywhere=everywhere,
        sign_in=sign_in,
        body_limit=body_limit,
        stream_limit=stream_limit,
        body_error=body_error,
    )


def device_route(
    blueprint: Blueprint,
    route: str,
    *,
    feature: Feature | None = None,
    body_limit: int = limits.BODY,
    body_error: str = _DECODING,
    repair: Repair | None = None,
) -> Callable[[DeviceHandler], DeviceHandler]:
    """Declare a route for accepted devices. Arguments are those of :func:`user_route`.

    Args:
        blueprint: see there.
        route: see there.
        feature: see there.
        body_limit: see there.
        body_error: see there.
        repair: what to read instead of a JSON body that cannot be decoded; if it returns None, the body is refused.
    """
    return _declare(
        blueprint, route, Auth.DEVICE, feature=feature, body_limit=body_limit, body_error=body_error, repair=repair
    )


def public_route(blueprint: Blueprint, route: str) -> Callable[[PublicHandler], PublicHandler]:
    """Declare a route that anybody may call, without a token."""
    return _declare(blueprint, route, Auth.NONE)


def _declare(blueprint: Blueprint, route: str, auth: Auth, **declared: Any) -> Callable[[AnyHandler], AnyHandler]:
    method, path = route.split(" ")

    def decorate(handler: AnyHandler) -> AnyHandler:
        spec = EndpointSpec(method=method, path=path, auth=auth, body=_body_of(handler), **declared)

        @functools.wraps(handler)
        def view(**_: str) -> None:
            raise RuntimeError("App answers events itself, so Chalice calls no view")

        def answer(event: Event, context: Context) -> Answer:
            return _run(spec, handler, event, context)

        view.endpoint_spec = spec  # type: ignore[attr-defined]  # read by tests and the local gateway
        view.answer = answer  # type: ignore[attr-defined]  # called by App
        blueprint.route(path, methods=[method], content_types=["*/*"])(view)
        return handler

    return decorate


def _body_of(handler: Handler) -> Any:
    """The annotation of a handler's ``body``; None if it has none."""
    shape = handler.__annotations__.get("body")
    if isinstance(shape, str):
        # Other annotations are not evaluated, which would slow down cold starts.
        return eval(shape, handler.__globals__)  # noqa: S307  # our own code
    return shape


def _run(spec: EndpointSpec, handler: Handler, event: Event, context: Context) -> Answer:
    """Answer an event of a REST API in the form that its gateway expects.

    Chalice would make its own request of the event, ours of that, and an answer in the reverse way. Each is one step
    here, which saves 40 us.
    """
    request = _request(event)
    with Observed(request.request_id, context):
        reply = _answer(spec, handler, event.get("pathParameters") or {}, request)
        if not spec.explains(reply.status):
            reply.body = None
        return _response(spec, reply, request)


def _answer(spec: EndpointSpec, handler: Handler, uri: dict[str, str], request: Request) -> Reply[Any]:
    # API Gateway leaves path variables encoded.
    values = {name: unquote(value) for name, value in uri.items()} if uri else {}
    try:
        request, actor = _identified(spec, request, values)
        body = _read_body(spec, request)
        with Acting(actor):
            return handler(request, *body, **values)
    except DomainError as error:
        count_refusal(error)
        return refusals.reply(error, request.request_id)
    except ConditionFailed as error:
        # A write lost a race that its service does not handle. Nothing was written, so the caller may try again.
        logger.warning("lost a race", extra=_facts(request) | {"conditions": sorted(error.failed)})
        return refusals.reply(Unavailable(retry_after=1), request.request_id)
    except Exception:  # noqa: BLE001  # the last line of defence: logged, and answered as a 500
        logger.exception("unexpected error", extra=_facts(request))
        count(Metric.UNEXPECTED_ERRORS)
        return Reply(500, {"error": "internal error", "request_id": request.request_id})


def _identified(spec: EndpointSpec, request: Request, values: dict[str, str]) -> tuple[Request, Actor]:
    """The request for the route's audience, after the caller was identified and meets the route's requirements."""
    if spec.auth is Auth.NONE:
        return request, Actor(SYSTEM.kind, SYSTEM.id, request.source_ip)
    identity = authenticate(spec.auth, request.headers)
    actor = Actor(identity.kind, identity.subject, request.source_ip, identity.email)
    if spec.permission is None:
        if spec.feature is not None:
            control.require(identity.tenant, spec.feature)
        return DeviceRequest(*msgspec.structs.astuple(request), identity=identity), actor
    known = UserRequest(*msgspec.structs.astuple(request), identity=identity)
    _authorize(spec, spec.permission, known, values)
    signin.require(spec.sign_in, known)
    return known, actor


def _authorize(spec: EndpointSpec, permission: Permission, request: UserRequest, values: dict[str, str]) -> None:
    identity = request.identity
    is_own = spec.own is not None and values[spec.own] == identity.subject
    needed = Permission.BASIC if is_own else permission
    request.scopes = identity.rights.scopes(needed, (spec.method, _place(spec, values)))
    if not request.scopes:
        raise Forbidden
    if spec.feature is not None:
        control.require(identity.tenant, spec.feature)
    if EVERYWHERE not in request.scopes:
        _confine(spec, request, values)


def _place(spec: EndpointSpec, values: dict[str, str]) -> str:
    """The public path as it was routed, with encoded variables, so that their values cannot pass for segments."""
    return "/api" + spec.path.format(**{name: quote(value, safe="") for name, value in values.items()})


def _confine(spec: EndpointSpec, request: UserRequest, values: dict[str, str]) -> None:
    """Refuse what is outside of the caller's scopes, with the same error as for what does not exist."""
    if spec.everywhere:
        raise Forbidden("this needs a permission that is not limited to some device groups or release tags")
    is_within = access.current().is_within
    if not all(is_within(request, kind, values[variable]) for kind, variable in spec.within.items()):
        raise Forbidden


def _request(event: Event) -> Request:
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    path = event.get("path") or context.get("path") or ""
    gateway_id = context.get("requestId") or ""
    return Request(
        method=context["httpMethod"],
        path=path if path.startswith("/api/") else "/api" + path,
        query=Query(event.get("multiValueQueryStringParameters") or {}),
        headers=headers,
        raw=_raw(event),
        request_id=request_id(headers.get(REQUEST_ID), gateway_id),
        gateway_id=gateway_id,
        source_ip=_source_ip(context, headers),
        answer_limit=limits.BALANCER_PAYLOAD if "elb" in context else limits.LAMBDA_PAYLOAD,
    )


def _source_ip(context: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The caller's address: as our edge reports it, if the call has the edge's secret; otherwise the connected one."""
    connected = str((context.get("identity") or {}).get("sourceIp") or "")
    shown = headers.get(EDGE)
    if shown and _is_our_edge(shown):
        return headers.get(_CLIENT) or connected
    return connected


def _is_our_edge(shown: str) -> bool:
    # Imported here: only calls through an edge need it.
    from chalicelib.aws import private_settings

    try:
        edge = private_settings.edge_secret()
    except Unavailable:
        # Callers that need a token are refused soon after, since tokens need the parameter store too.
        logger.warning("the edge's secret can't be read: its word on who calls is not taken")
        return False
    return bool(edge) and hmac.compare_digest(shown.encode(errors="replace"), edge.encode())


def _raw(event: Event) -> bytes:
    body = event.get("body") or ""
    return b64decode(body) if event.get("isBase64Encoded") else body.encode()


def _read_body(spec: EndpointSpec, request: Request) -> tuple[Any, ...]:
    """The argument ``body`` of the handler, if it has one."""
    if spec.body is None:
        return ()
    if len(request.raw) > spec.body_limit:
        raise TooLarge("http: request body too large")
    if spec.body is bytes:
        return (request.raw,)
    content.require_json(request.headers.get("content-type"), request.raw)
    return (_decoded(spec, request.raw),)


def _decoded(spec: EndpointSpec, raw: bytes) -> Any:
    try:
        return content.decode(raw, spec.body, prefix=spec.body_error)
    except BadRequest:
        repaired = spec.repair(raw) if spec.repair is not None else None
        if repaired is None:
            raise
    return content.decode(repaired, spec.body, prefix=spec.body_error)


def _response(spec: EndpointSpec, reply: Reply[Any], request: Request) -> Answer:
    headers: dict[str, str | list[str]] = {**standard_headers(request.request_id), **reply.headers}
    body = reply.body
    if body is None:
        body = ""
    else:
        headers["Content-Type"] = reply.content_type
        if not isinstance(body, str):
            body = content.encode(body)
        if not _fits(body, request.answer_limit - _HEADERS):
            # If it were sent, the gateway would answer 502 without a reason.
            text = "the answer is too large: ask for less at a time, such as a smaller per_page"
            return _response(spec, refusals.reply(BadRequest(text), request.request_id), request)
    is_private = spec.auth is not Auth.NONE or "authorization" in request.headers
    if is_private or reply.content_type == "application/jwt":
        headers.setdefault("Cache-Control", "no-store")
    several = {name: value for name, value in headers.items() if isinstance(value, list)}
    return {
        "statusCode": reply.status,
        "headers": {name: value for name, value in headers.items() if name not in several} if several else headers,
        "multiValueHeaders": several,
        "body": body,
    }


def _fits(text: str, limit: int) -> bool:
    """Whether a text stays below a limit when it is written as a part of the function's JSON answer."""
    # A character takes at most 12 bytes, since Lambda's runtime writes only ASCII for some versions of Python.
    return len(text) * 12 <= limit or len(json.dumps(text)) <= limit


def _facts(request: Request) -> dict[str, str]:
    return {"method": request.method, "path": request.path}
