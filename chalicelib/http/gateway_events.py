"""Events of the cheaper gateways: an HTTP API (payload format 1.0), or a load balancer.

Neither knows the routes: both forward every call. This module does what a REST API does with its resources: it finds
the route, completes the event for Chalice, and refuses unknown routes. The answers are the same through all three.
"""

from __future__ import annotations

import ipaddress
import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus

from chalicelib.http import content
from chalicelib.http.headers import REQUEST_ID, request_id, standard_headers
from chalicelib.http.paths import below, is_console, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.http.endpoint import EndpointSpec
    from chalicelib.http.routing import Match, RouteTable

    Event = dict[str, Any]
    Handler = Callable[[Event], Event]

STAGE: Final = "/api"
"""The beginning of every public path, the name of the REST API's stage. With these gateways it is a part of the path.
"""

_AMBIGUOUS: Final = (
    "what this call names cannot be told for sure: an HTTP API decodes paths, and may cut them at a ? or # in a name. "
    "Nothing was changed; send the call to the REST API or a load balancer"
)

_AS_SENT: Final = "/%:@!$&'()*+,;=~-._"
"""Characters that need no encoding in a path."""
_NOTHING: Final[Event] = dict.fromkeys(
    ("body", "headers", "multiValueQueryStringParameters", "queryStringParameters", "stageVariables")
)
"""Members that Chalice expects in every event, but these gateways may omit."""


def path_of(event: Event) -> str:
    """The percent-encoded path below the stage; empty if it is not a path of the API.

    A load balancer forwards the path unchanged. An HTTP API may have decoded it: characters that must not occur in a
    path are encoded again. How it changed a ``/``, ``?``, ``#`` or ``%`` in a name cannot be undone, so :func:`serve`
    refuses calls through it that change something by a free name.
    """
    path = quote(str(event.get("path") or ""), safe=_AS_SENT, errors="replace")
    return path if is_console(path) else below(path, STAGE.strip("/"))


def serve(event: Event, table: RouteTable, handler: Handler) -> Event:
    """Answer an event of one of these gateways with the handler of a REST API's events."""
    from_balancer = "elb" in event["requestContext"]
    call = _NOTHING | (_balancers(event) if from_balancer else event)
    found = table.find(path_of(event))
    result = _answer(call, found, handler, path_is_as_sent=from_balancer)
    if not from_balancer:
        return result
    return _for_balancer(result, several="headers" not in event)


def _answer(call: Event, found: Match | None, handler: Handler, *, path_is_as_sent: bool) -> Event:
    verb = str(call["httpMethod"])
    if found is None:
        return _refusal(call, 404, "not found")
    allowed = sorted({*found.views, "OPTIONS"})
    if verb == "OPTIONS" and verb not in found.views:
        return _result(_named(call), 200, "", {"Allow": allowed})
    served = "GET" if verb == "HEAD" and verb not in found.views else verb
    if served not in found.views:
        return _refusal(call, 405, "method not allowed", {"Allow": allowed})
    if not path_is_as_sent and _changes_by_name(found, served):
        return _refusal(call, 400, _AMBIGUOUS)
    context = call["requestContext"] | {"resourcePath": found.template, "httpMethod": served}
    result = handler(
        call
        | {
            "resource": found.template,
            "path": plain(path_of(call)),
            "httpMethod": served,
            "pathParameters": found.parameters or None,
            "requestContext": context,
        }
    )
    return result if verb == served else result | {"body": "", "isBase64Encoded": False}


def _changes_by_name(found: Match, verb: str) -> bool:
    spec: EndpointSpec | None = getattr(found.views[verb].view_function, "endpoint_spec", None)
    return spec is not None and spec.changes_by_name


def _balancers(event: Event) -> Event:
    """A load balancer's event in the form of a REST API's."""
    headers: dict[str, list[str]] = {}
    for name, values in _several(event, "multiValueHeaders", "headers"):
        headers.setdefault(name.lower(), []).extend(values)
    # A load balancer does not decode the query.
    query: dict[str, list[str]] = {}
    for name, values in _several(event, "multiValueQueryStringParameters", "queryStringParameters"):
        query.setdefault(unquote_plus(name), []).extend(map(unquote_plus, values))
    last = {name: values[-1] for name, values in headers.items()}
    if "cookie" in headers:
        # In HTTP/2, a browser may send several such headers.
        last["cookie"] = "; ".join(headers["cookie"])
    context = {
        "elb": event["requestContext"]["elb"],
        "requestId": str(uuid.uuid4()),
        "identity": {"sourceIp": _client(headers.get("x-forwarded-for", [])), "userAgent": last.get("user-agent")},
        "path": event.get("path"),
        "stage": STAGE.strip("/"),
    }
    return event | {
        "headers": last,
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "body": event.get("body") or None,
        "requestContext": context,
    }


def _several(event: Event, several: str, single: str) -> list[tuple[str, list[str]]]:
    """Headers or parameters with lists of values, from either form that a target group may use."""
    pairs = (event.get(several) or {}).items() or ((name, [value]) for name, value in (event.get(single) or {}).items())
    return [(name, values) for name, values in pairs if values]


def _client(lines: list[str]) -> str:
    """The address that a load balancer appended to ``X-Forwarded-For``; everything before it is the caller's own claim.

    Empty if it is not an address, or if the caller sent several such headers, because then it is unknown to which one
    it was appended.
    """
    if len(lines) != 1:
        return ""
    text = lines[0].rpartition(",")[2].strip()
    if text.startswith("["):  # with a port, by an attribute of the load balancer
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _for_balancer(result: Event, *, several: bool) -> Event:
    """An answer in the form of headers that the load balancer expects, by its target group's attribute."""
    lines: dict[str, list[str]] = {name: [str(value)] for name, value in (result.get("headers") or {}).items()}
    for name, values in (result.get("multiValueHeaders") or {}).items():
        lines[name] = [str(value) for value in values]
    return {
        "statusCode": result["statusCode"],
        "multiValueHeaders" if several else "headers": (
            lines if several else {name: ", ".join(values) for name, values in lines.items()}
        ),
        "body": result.get("body") or "",
        "isBase64Encoded": bool(result.get("isBase64Encoded")),
    }


def _refusal(call: Event, status: int, text: str, headers: Mapping[str, list[str]] | None = None) -> Event:
    named = _named(call)
    body = content.encode({"error": text, "request_id": named})
    return _result(named, status, body, {"Content-Type": ["application/json"], **(headers or {})})


def _named(call: Event) -> str:
    headers = {name.lower(): value for name, value in (call.get("headers") or {}).items()}
    return request_id(headers.get(REQUEST_ID))


def _result(named: str, status: int, body: str, headers: Mapping[str, list[str]]) -> Event:
    always = {name: [value] for name, value in standard_headers(named).items()}
    return {"statusCode": status, "headers": {}, "multiValueHeaders": {**always, **headers}, "body": body}
