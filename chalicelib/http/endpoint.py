"""``@endpoint``: what turns a function into a route. Nothing is public, and no right is implied, by default.

It is a decorator and not Chalice middleware because Chalice makes a 500 of an exception before any middleware
sees it (aws/chalice#1884). Errors leave here as ``{"error", "request_id"}``; an unexpected one is logged with its
trace and answered with ``internal error``, so no inner text reaches a caller.
"""

from __future__ import annotations

import functools
import hmac
import json
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec
from chalice.app import Blueprint, Response

from chalicelib import limits
from chalicelib.actor import SYSTEM, Actor, acting
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
from chalicelib.http import content, signin
from chalicelib.http.headers import REQUEST_ID, request_id, standard_headers
from chalicelib.http.identity import Auth, authenticate
from chalicelib.http.request import EDGE, Query, Reply, Request
from chalicelib.http.signin import SignIn
from chalicelib.observability import Metric, count, count_refusal, logger, observed
from chalicelib.rights import EVERYWHERE, Permission
from chalicelib.storage.transactions import ConditionFailed

if TYPE_CHECKING:
    from chalice.app import Chalice
    from chalice.app import Request as Call


View = Callable[..., Reply[Any]]
Repair = Callable[[bytes], bytes | None]
_bound: list[Chalice] = []
_CLIENT = "x-lamplighter-client"
"""Header by which an edge says who calls (``infra/templates/edge.yaml``)."""
_STATUS_IS_ENOUGH = frozenset({TooManyRequests.status, Unavailable.status})
_HEADERS = 8 * limits.KIB
"""What an answer's status and headers may take of a function's payload."""


class EndpointSpec(msgspec.Struct, frozen=True):
    """What a route declares; tests and the local gateway read it from the view's ``endpoint_spec``."""

    method: str
    path: str
    auth: Auth
    permission: Permission | None
    body: Any
    body_limit: int
    streams_body: bool
    stream_limit: int
    body_error: str
    repair: Repair | None
    feature: Feature | None
    device: str | None
    release: str | None
    artifact: str | None
    deployment: str | None
    auth_set: str | None
    own: str | None
    named: str | None
    everywhere: bool
    sign_in: SignIn

    @property
    def changes_by_name(self) -> bool:
        """Whether a call changes what its path names by free text, where any character is part of the name."""
        return self.method != "GET" and bool(self.release or self.named)

    def explains(self, status: int) -> bool:
        """Whether an answer with this status has a body.

        Mender's clients 4.0 to 5.1 handle a 401, and clients before 5.0.5 a 429, before they set up a reader for the
        body; a body then aborts the client or its update. What they act upon is the status and ``Retry-After``. The
        request for a token is the exception: its 401 is an answer to the question asked, and clients log its text.
        """
        if not self.path.startswith("/devices/"):
            return True
        if status == Unauthorized.status:
            return self.auth is not Auth.DEVICE
        return status not in _STATUS_IS_ENOUGH


def bind(app: Chalice) -> None:
    """Name the app whose current request views are given. Called once, by ``app.py``."""
    _bound[:] = [app]


def endpoint(  # noqa: PLR0913  # one keyword a promise; all but three have a default that is safe
    blueprint: Blueprint,
    route: str,
    *,
    auth: Auth,
    permission: Permission | None,
    body: Any = None,
    body_limit: int = limits.BODY,
    stream_limit: int = 0,
    body_error: str = "failed to decode request body: ",
    repair: Repair | None = None,
    feature: Feature | None = None,
    device: str | None = None,
    release: str | None = None,
    artifact: str | None = None,
    deployment: str | None = None,
    auth_set: str | None = None,
    own: str | None = None,
    named: str | None = None,
    everywhere: bool = False,
    sign_in: SignIn = SignIn.ANY,
) -> Callable[[View], View]:
    """Declare a route.

    Args:
        blueprint: the spec file's blueprint.
        route: method and full path below the stage, ``"GET /management/v1/..."``.
        auth: who may call.
        permission: the right a user needs; None for devices and public routes.
        body: the shape of a JSON body; ``bytes`` for a raw one that the view reads itself; None for no body.
        body_limit: bytes; beyond it 413.
        stream_limit: bytes; above 0 the body is read through ``Request.stream()`` and may be larger than an event.
        body_error: what the text of a decoding error begins with.
        repair: what to read instead of a JSON body that can't be decoded; None from it: nothing, the body is refused.
        feature: what the tenant's plan or add-ons must include (403 otherwise); None for what every tenant has.
        device: the path variable that is a device's id: users whose right ends at some groups get 403 for others.
        release: the path variable that is a release's name: the same for rights that end at release tags.
        artifact: the path variable that is an artifact's id: the same, by its release.
        deployment: the path variable that is a deployment's id: the same, by its devices and its release.
        auth_set: the path variable that is an authentication set's id: the same, by its device.
        own: the path variable that is a user's id: on their own, users need no more than ``BASIC``.
        named: the path variable that is another name of free text, such as a role's: front doors that change paths
            refuse calls that write by it.
        everywhere: whether the right must hold without an end, as for what belongs to no group: 403 for others.
        sign_in: what is asked of the token; anything that gives, changes or takes credentials wants at least a session.
    """
    if (auth is Auth.USER) != (permission is not None):
        raise ValueError(f"{route}: users need a permission, devices and the public have none")
    method, path = route.split(" ")
    streams = stream_limit > 0
    spec = EndpointSpec(
        method=method,
        path=path,
        auth=auth,
        permission=permission,
        body=body,
        body_limit=body_limit,
        streams_body=streams,
        stream_limit=stream_limit,
        body_error=body_error,
        repair=repair,
        feature=feature,
        device=device,
        release=release,
        artifact=artifact,
        deployment=deployment,
        auth_set=auth_set,
        own=own,
        named=named,
        everywhere=everywhere,
        sign_in=sign_in,
    )

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(**uri: str) -> Response:
            return _run(spec, view, uri)

        run.endpoint_spec = spec  # type: ignore[attr-defined]  # read by tests and the local gateway
        blueprint.route(path, methods=[method], content_types=["*/*"])(run)
        return view

    return decorate


def _run(spec: EndpointSpec, view: View, uri: dict[str, str]) -> Response:
    request = _request(_call())
    with observed(request.request_id, _bound[0].lambda_context):
        reply = _answer(spec, view, uri, request)
        if not spec.explains(reply.status):
            reply.body = None
        return _response(reply, request)


def _answer(spec: EndpointSpec, view: View, uri: dict[str, str], request: Request) -> Reply[Any]:
    # API Gateway leaves path variables encoded.
    values = {name: unquote(value) for name, value in uri.items()}
    try:
        if spec.auth is not Auth.NONE:
            request.identity = authenticate(spec.auth, request.headers)
            _authorize(spec, request, values)
            signin.require(spec.sign_in, request)
        _read_body(spec, request)
        with acting(_actor(request)):
            return view(request, **values)
    except DomainError as error:
        count_refusal(error)
        return _refusal(error, request)
    except ConditionFailed as error:
        # A write lost a race that its service does not handle: nothing was written, the caller may try again.
        logger.warning("lost a race", extra=_facts(request) | {"conditions": sorted(error.failed)})
        return _refusal(Unavailable("service unavailable", retry_after=1), request)
    except Exception:  # noqa: BLE001  # the last line of defence: logged, and answered as a 500
        logger.exception("unexpected error", extra=_facts(request))
        count(Metric.UNEXPECTED_ERRORS)
        return Reply(500, {"error": "internal error", "request_id": request.request_id})


def _authorize(spec: EndpointSpec, request: Request, values: dict[str, str]) -> None:
    identity = request.identity
    if spec.permission is not None:
        is_own = spec.own is not None and values[spec.own] == identity.subject
        permission = Permission.BASIC if is_own else spec.permission
        request.scopes = identity.rights.scopes(permission, (spec.method, _place(spec, values)))
        if not request.scopes:
            raise Forbidden("forbidden")
    if spec.feature is not None:
        control.require(identity.tenant, spec.feature)
    if request.scopes and EVERYWHERE not in request.scopes:
        _confine(spec, request, values)


def _place(spec: EndpointSpec, values: dict[str, str]) -> str:
    """The public path as it was routed: no value of a variable can be taken for a part of it."""
    return "/api" + spec.path.format(**{name: quote(value, safe="") for name, value in values.items()})


def _confine(spec: EndpointSpec, request: Request, values: dict[str, str]) -> None:
    """Refuse what is outside of the caller's scopes, in the same way as what does not exist."""
    if spec.everywhere:
        raise Forbidden("this needs a permission that is not limited to some device groups or release tags")
    # Imported here: only for users whose rights end somewhere.
    from chalicelib.http import confinement

    named = {
        kind: values[variable]
        for kind, variable in (
            ("device", spec.device),
            ("release", spec.release),
            ("artifact", spec.artifact),
            ("deployment", spec.deployment),
            ("auth_set", spec.auth_set),
        )
        if variable is not None
    }
    if not all(confinement.INSIDE[kind](request, value) for kind, value in named.items()):
        raise Forbidden("forbidden")


def _actor(request: Request) -> Actor:
    if not request.is_identified:
        return Actor(SYSTEM.kind, SYSTEM.id, request.source_ip)
    identity = request.identity
    return Actor(identity.kind, identity.subject, request.source_ip, identity.email)


def _call() -> Call:
    call = _bound[0].current_request
    if call is None:
        raise RuntimeError("a view was called outside of a request")
    return call


def _request(call: Call) -> Request:
    event = call.to_original_event()
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    path = event.get("path") or context.get("path") or ""
    return Request(
        method=context["httpMethod"],
        path=path if path.startswith("/api/") else "/api" + path,
        query=Query(event.get("multiValueQueryStringParameters") or {}),
        headers=headers,
        raw=_raw(call),
        request_id=request_id(headers.get(REQUEST_ID)),
        gateway_id=context.get("requestId", ""),
        source_ip=_source_ip(context, headers),
        answer_limit=limits.BALANCER_PAYLOAD if "elb" in context else limits.LAMBDA_PAYLOAD,
    )


def _source_ip(context: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The caller's address: what the edge says, where that is an edge of ours; else whoever connected."""
    connected = str((context.get("identity") or {}).get("sourceIp") or "")
    shown = headers.get(EDGE)
    if shown and _is_our_edge(shown):
        return headers.get(_CLIENT) or connected
    return connected


def _is_our_edge(shown: str) -> bool:
    # Imported here: only calls through an edge show a secret.
    from chalicelib.aws import private_settings

    try:
        edge = private_settings.edge_secret()
    except Unavailable:
        # Whoever has to be known is refused soon after, since tokens need the store as well.
        logger.warning("the edge's secret can't be read: its word on who calls is not taken")
        return False
    return bool(edge) and hmac.compare_digest(shown.encode(errors="replace"), edge.encode())


def _raw(call: Call) -> bytes:
    raw = call.raw_body
    return raw if isinstance(raw, bytes) else str(raw).encode()


def _read_body(spec: EndpointSpec, request: Request) -> None:
    if spec.body is None or spec.streams_body:
        return
    if len(request.raw) > spec.body_limit:
        raise TooLarge("http: request body too large")
    if spec.body is not bytes:
        content.require_json(request.headers.get("content-type"), request.raw)
        request.body = _decoded(spec, request.raw)


def _decoded(spec: EndpointSpec, raw: bytes) -> Any:
    try:
        return content.decode(raw, spec.body, prefix=spec.body_error)
    except BadRequest:
        repaired = spec.repair(raw) if spec.repair is not None else None
        if repaired is None:
            raise
    return content.decode(repaired, spec.body, prefix=spec.body_error)


def _refusal(error: DomainError, request: Request) -> Reply[Any]:
    body = error.body
    if body is None:
        body = {"error": error.text, "request_id": request.request_id, **error.extra}
    headers: dict[str, str | list[str]] = dict(error.headers)
    if isinstance(error, Unavailable):
        # Who failed together must not come back together.
        headers.setdefault("Retry-After", str(random.randint(5, 15)))  # noqa: S311  # no secret
    return Reply(error.status, body, headers)


def _response(reply: Reply[Any], request: Request) -> Response:
    headers: dict[str, str | list[str]] = {**standard_headers(request.request_id), **reply.headers}
    body = reply.body
    if body is None:
        body = ""
    else:
        headers["Content-Type"] = reply.content_type
        if not isinstance(body, str):
            body = content.encode(body)
        if not _fits(body, request.answer_limit - _HEADERS):
            # Sent, it would be a 502 without a word.
            text = "the answer is too large: ask for less at a time, such as a smaller per_page"
            return _response(_refusal(BadRequest(text), request), request)
    if request.is_identified or request.headers.get("authorization") or reply.content_type == "application/jwt":
        headers.setdefault("Cache-Control", "no-store")
    return Response(body=body, status_code=reply.status, headers=headers)


def _fits(text: str, limit: int) -> bool:
    """Whether a text stays below a limit when the function's answer, of which it is a part, is written as JSON."""
    # A character becomes 12 bytes at most: Lambda's runtime for some versions of Python writes ASCII only.
    return len(text) * 12 <= limit or len(json.dumps(text)) <= limit


def _facts(request: Request) -> dict[str, str]:
    return {"method": request.method, "path": request.path}
