"""One request in the event format of each gateway."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from chalicelib.http.routing import RouteTable
from infra.local import rest_event

BINARY = ("multipart/form-data", "multipart/mixed", "application/octet-stream")
CLIENT = "203.0.113.9"
Event = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A client's request. ``path`` is percent-encoded and relative to ``/api``."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def rest(self, routes: RouteTable) -> Event:
        """The event of a REST API, which has found the route."""
        found = routes.find(self.path)
        assert found is not None
        head = rest_event.Head(self.method, f"/api{self.path}", self.query, self.headers, CLIENT, "https", "HTTP/1.1")
        return rest_event.build(head, found, self.method, self.body, BINARY)

    def http_api(self, *, decoded: bool = False) -> Event:
        """The event of an HTTP API, payload format 1.0, route ``$default``. ``decoded``: with a decoded path."""
        body, encoded = self._body()
        query = self._query()
        path = f"/api{unquote(self.path) if decoded else self.path}"
        return {
            "version": "1.0",
            "resource": "$default",
            "path": path,
            "httpMethod": self.method,
            "headers": {name: values[-1] for name, values in self.headers.items()},
            "multiValueHeaders": self.headers,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "requestContext": {
                "httpMethod": self.method,
                "identity": {"sourceIp": CLIENT, "userAgent": None},
                "path": path,
                "requestId": "x",
                "resourceId": "$default",
                "resourcePath": "$default",
                "stage": "$default",
            },
            "pathParameters": None,
            "stageVariables": None,
            "body": body,
            "isBase64Encoded": encoded,
        }

    def balancer(self, *, several: bool = True) -> Event:
        """The event of a load balancer; ``several``: multi-value headers and parameters are enabled."""
        body, encoded = self._body()
        headers = self.headers | {"x-forwarded-for": [f"198.51.100.1, {CLIENT}"]}
        query: dict[str, list[str]] = {}
        for pair in filter(None, self.query.split("&")):
            name, _, value = pair.partition("=")
            query.setdefault(name, []).append(value)
        event = {
            "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:..."}},
            "httpMethod": self.method,
            "path": f"/api{self.path}",
            "body": body or "",
            "isBase64Encoded": encoded,
        }
        if several:
            return event | {"multiValueHeaders": headers, "multiValueQueryStringParameters": query}
        return event | {
            "headers": {name: values[-1] for name, values in headers.items()},
            "queryStringParameters": {name: values[-1] for name, values in query.items()},
        }

    def _query(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    def _body(self) -> tuple[str | None, bool]:
        """The body as text or in base64, by content type."""
        kind = self.headers.get("content-type", [""])[0].partition(";")[0]
        if not self.body:
            return None, False
        if kind.startswith("text/") or kind == "application/json":
            return self.body.decode(), False
        return base64.b64encode(self.body).decode(), True
