"""Websockets of API Gateway: connect, message and disconnect, each a Lambda function of its own.

A device sends its token. A user does too, and names the device in the query (``device_id``). The token is in the
``Authorization`` header, in a cookie, or, from browsers that can set neither, in the query's ``jwt``. A user's browser
may send a ticket instead, in ``ticket`` (``deviceconnect.service.tickets``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalice.app import Blueprint, Response, WebsocketAPI

from chalicelib import access
from chalicelib.errors import DomainError
from chalicelib.http import content, refusals
from chalicelib.http.access import use
from chalicelib.http.headers import standard_headers
from chalicelib.http.identity import Auth, authenticate, identify
from chalicelib.observability import Observed, count_refusal

if TYPE_CHECKING:
    from chalice.app import WebsocketEvent

use(access)  # On Lambda these functions load this module and not app.py.

bp = Blueprint(__name__)
bp.websocket_api = WebsocketAPI()  # without one, Chalice leaves a blueprint's websocket functions as they are


@bp.on_ws_connect(name="ws-connect")
def on_connect(event: WebsocketEvent) -> Response:
    """Accept a device or a user, or refuse with the status of a REST call."""
    with _observed(event):
        return _connect(event)


def _connect(event: WebsocketEvent) -> Response:
    # Imported here: the functions of the REST API import this module, too.
    from chalicelib.deviceconnect import service

    call = event.to_dict()
    headers = {name.lower(): value for name, value in (call.get("headers") or {}).items()}
    query = call.get("queryStringParameters") or {}
    if "authorization" not in headers and query.get("jwt"):
        headers["authorization"] = f"Bearer {query['jwt']}"
    device_id = query.get("device_id")
    try:
        if query.get("ticket"):
            identity = identify(Auth.USER, service.claims_of(query["ticket"], device_id or ""))
        else:
            identity = authenticate(Auth.USER if device_id else Auth.DEVICE, headers)
        if device_id:
            service.require_reach(identity.tenant, identity.rights, device_id)
            user = service.Caller(identity.subject, identity.email, identity.home, identity.token_id)
            outlives = query.get("purpose") != "file"
            service.connect_user(
                identity.tenant, user, device_id, event.connection_id, endpoint(event), outlives=outlives
            )
        else:
            service.connect_device(identity.tenant, identity.subject, event.connection_id, endpoint(event))
    except DomainError as error:
        count_refusal(error)
        refusal = refusals.reply(error, _request_id(event))
        answer = Response("", {**standard_headers(_request_id(event)), **refusal.headers}, refusal.status)
        # A device acts upon the status alone, and its client may fail on a body (`endpoint.EndpointSpec.explains`).
        if device_id:
            answer.body = content.encode(refusal.body)
            answer.headers["Content-Type"] = "application/json"
        return answer
    return Response("", {}, 200)


@bp.on_ws_message(name="ws-message")
def on_message(event: WebsocketEvent) -> None:
    """Forward a message."""
    # Imported here: the functions of the REST API import this module, too.
    from chalicelib.deviceconnect import service

    with _observed(event):
        service.received(event.connection_id, event.body or "", endpoint(event))


@bp.on_ws_disconnect(name="ws-disconnect")
def on_disconnect(event: WebsocketEvent) -> None:
    """Record that a websocket has closed."""
    # Imported here: the functions of the REST API import this module, too.
    from chalicelib.deviceconnect import service

    with _observed(event):
        service.disconnected(event.connection_id)


def _observed(event: WebsocketEvent) -> Observed:
    return Observed(_request_id(event), event.context)


def _request_id(event: WebsocketEvent) -> str:
    return str(event.to_dict()["requestContext"].get("requestId", ""))


def endpoint(event: WebsocketEvent) -> str:
    """The API that holds this connection, as ``<api id>/<stage>``; a custom domain has no ``@connections``."""
    context = event.to_dict()["requestContext"]
    return f"{context['apiId']}/{context['stage']}"
