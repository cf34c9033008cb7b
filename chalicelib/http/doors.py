"""The front doors that cost less than a REST API: an HTTP API (payload format 1.0), or a load balancer.

Neither knows the routes: both hand on whatever comes. What a REST API does with its table of resources is done here:
find the route, fill in what Chalice needs, and refuse what is no route. The answers are the same through all three.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus

from chalicelib.http import content
from chalicelib.http.request import request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chalicelib.http.routing import Match, RouteTable

    Event = dict[str, Any]
    Handler = Callable[[Event], Event]

STAGE: Final = "/api"
"""What every public path begins with: the name of the REST API's stage. These doors have it in the path."""

_AS_SENT: Final = "/%:@!$&'()*+,;=~-._"
"""What a path may hold as it is."""


def path_of(event: Event) -> str:
    """The path below the stage, percent-encoded; empty if it is not of the API.

    A load balancer hands a path on as it was sent. An HTTP API may have decoded what is no delimiter: that is encoded
    again, as the routes expect it.
    """
    path = quote(str(event.get("path") or ""), safe=_AS_SENT)
    return path.removeprefix(STAGE) if path.startswith(STAGE + "/") else ""


def serve(event: Event, table: RouteTable, handler: Handler) -> Event:
    """Answer an event of one of these doors by the handler of a REST API's events."""
    from_balancer = "elb" in event["requestContext"]
    call = _balancers(event) if from_balancer else dict(event)
    found = table.find(path_of(event))
    result = _answer(call, found, handler)
    if not from_balancer:
        return result
    return _for_balancer(result, several="headers" not in event)


def _answer(call: Event, found: Match | None, handler: Handler) -> Event:
    verb = str(call["httpMethod"])
    if found is None:
        return _refusal(call, 404, "not found")
    allowed = sorted({*found.views, "OPTIONS"})
    if verb == "OPTIONS" and verb not in found.views:
        return _result(200, "", {"Allow": allowed})
    served = "GET" if verb == "HEAD" and verb not in found.views else verb
    if served not in found.views:
        return _refusal(call, 405, "method not allowed", {"Allow": allowed})
    context = call["requestContext"] | {"resourcePath": found.template, "httpMethod": served}
    result = handler(
        call
        | {
            "resource": found.template,
            "path": path_of(call),
            "httpMethod": served,
            "pathParameters": found.parameters or None,
            "requestContext": context,
        }
    )
    return result if verb == served else result | {"body": "", "isBase64Encoded": False}


def _balancers(event: Event) -> Event:
    """A load balancer's event as a REST API would have sent it."""
    headers: Mapping[str, list[str]] = event.get("multiValueHeaders") or {
        name: [value] for name, value in (event.get("headers") or {}).items()
    }
    query: Mapping[str, list[str]] = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    # A load balancer leaves the query as it was sent.
    decoded: dict[str, list[str]] = {}
    for name, values in query.items():
        decoded.setdefault(unquote_plus(name), []).extend(map(unquote_plus, values))
    last = {name: values[-1] for name, values in headers.items() if values}
    # It puts the address of whoever connected last.
    client = last.get("x-forwarded-for", "").rpartition(",")[2].strip()
    context = {
        "requestId": last.get("x-amzn-trace-id") or str(uuid.uuid4()),
        "identity": {"sourceIp": client, "userAgent": last.get("user-agent")},
        "path": event.get("path"),
        "stage": STAGE.strip("/"),
    }
    return event | {
        "headers": last,
        "multiValueHeaders": dict(headers),
        "queryStringParameters": {name: values[-1] for name, values in decoded.items()} or None,
        "multiValueQueryStringParameters": decoded or None,
        "stageVariables": None,
        "body": event.get("body") or None,
        "requestContext": context,
    }


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
    given = {name.lower(): value for name, value in (call.get("headers") or {}).items()}
    named = request_id(given)
    body = content.encode({"error": text, "request_id": named})
    always = {"Content-Type": ["application/json"], "X-MEN-RequestID": [named]}
    return _result(status, body, {**always, **(headers or {})})


def _result(status: int, body: str, headers: Mapping[str, list[str]]) -> Event:
    return {"statusCode": status, "headers": {}, "multiValueHeaders": dict(headers), "body": body}
