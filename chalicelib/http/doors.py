"""The front doors that cost less than a REST API: an HTTP API (payload format 1.0), or a load balancer.

Neither knows the routes: both hand on whatever comes. What a REST API does with its table of resources is done here:
find the route, fill in what Chalice needs, and refuse what is no route. The answers are the same through all three.
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
"""What every public path begins with: the name of the REST API's stage. These doors have it in the path."""

_AMBIGUOUS: Final = (
    "what this call names cannot be told for sure: an HTTP API decodes paths, and may cut them at a ? or # in a name. "
    "Nothing was changed; send the call to the REST API or a load balancer"
)

_AS_SENT: Final = "/%:@!$&'()*+,;=~-._"
"""What a path may hold as it is."""
_NOTHING: Final[Event] = dict.fromkeys(
    ("body", "headers", "multiValueQueryStringParameters", "queryStringParameters", "stageVariables")
)
"""What Chalice looks for in every event, and these doors may leave out."""


def path_of(event: Event) -> str:
    """The path below the stage as it was sent, percent-encoded; empty if it is not of the API.

    A load balancer hands a path on as it was sent. An HTTP API may have decoded it: characters that must not be in a
    path are encoded again, as the routes expect it. What it made of a ``/``, ``?``, ``#`` or ``%`` in a name cannot be
    undone, so :func:`serve` refuses calls through it that change something by a free name.
    """
    path = quote(str(event.get("path") or ""), safe=_AS_SENT, errors="replace")
    return path if is_console(path) else below(path, STAGE.strip("/"))


def serve(event: Event, table: RouteTable, handler: Handler) -> Event:
    """Answer an event of one of these doors by the handler of a REST API's events."""
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
    """A load balancer's event as a REST API would have sent it."""
    headers: dict[str, list[str]] = {}
    for name, values in _several(event, "multiValueHeaders", "headers"):
        headers.setdefault(name.lower(), []).extend(values)
    # A load balancer leaves the query as it was sent.
    query: dict[str, list[str]] = {}
    for name, values in _several(event, "multiValueQueryStringParameters", "queryStringParameters"):
        query.setdefault(unquote_plus(name), []).extend(map(unquote_plus, values))
    last = {name: values[-1] for name, values in headers.items()}
    if "cookie" in headers:
        # HTTP/2 lets a browser send them one by one.
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
    """Headers or parameters with their values, one at least, in whichever form the target group has them sent."""
    pairs = (event.get(several) or {}).items() or ((name, [value]) for name, value in (event.get(single) or {}).items())
    return [(name, values) for name, values in pairs if values]


def _client(lines: list[str]) -> str:
    """The address that a load balancer put last into ``X-Forwarded-For``; what is before it is the caller's own word.

    Empty if it is none, or if the caller sent further lines, of which nothing says to which one it was added.
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
    """An answer in the one form of headers that a load balancer takes, by its target group's attribute."""
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
