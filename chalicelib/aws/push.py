"""Messages to websockets of API Gateway (``@connections``).

A server that holds the websockets itself (the local gateway) registers with :func:`deliver_by`; then nothing is posted.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import settings
from chalicelib.aws import client

_SILENCE = 5.0
"""Maximum silence of API Gateway in seconds. A retried message may arrive twice."""


class Sockets(Protocol):
    """The holder of the websockets."""

    def send(self, connection: str, text: str) -> bool:
        """Send a message; False if there is no such connection."""

    def close(self, connection: str) -> None:
        """Close a connection; also one that is gone."""


_here: list[Sockets] = []


def deliver_by(sockets: Sockets | None) -> Sockets | None:
    """Send messages through ``sockets`` of this process from now on; None: post them. Returns the previous one."""
    before = _here[0] if _here else None
    _here[:] = [] if sockets is None else [sockets]
    return before


def public_url(server: str, endpoint: str = "", *, edge: bool) -> str:
    """The URL at which browsers open websockets, ``wss://host/path``.

    The edge and the server on one machine have websockets at the host of the REST API. Without an edge the WebSocket
    API has a host of its own, which only its connections name.

    Args:
        server: ``https://host`` as the browser addressed it.
        endpoint: the API that holds a connection; empty: any of this region, for the page's content security policy.
        edge: whether the call came through an edge.
    """
    known, aws = settings.current(), settings.aws()
    if known.websocket_url:
        return known.websocket_url.rstrip("/")
    if edge or not aws.on_lambda:
        return f"{server.replace('http', 'ws', 1)}/websockets"
    api, _, stage = endpoint.partition("/")
    return f"wss://{api or '*'}.execute-api.{aws.region}.{aws.domain}/{stage}".rstrip("/")


def send(endpoint: str, connection: str, text: str) -> bool:
    """Send ``text`` to a connection; False if it is gone.

    Args:
        endpoint: ``<api id>/<stage>`` of the API that holds it.
        connection: its id.
        text: at most 128 KB.

    Raises:
        Unavailable: API Gateway did not accept it.
    """
    if _here:
        return _here[0].send(connection, text)
    return _call("POST", endpoint, connection, text.encode()) != 410  # GoneException


def close(endpoint: str, connection: str) -> None:
    """Close a connection; also one that is gone.

    Raises:
        Unavailable: API Gateway did not answer.
    """
    if _here:
        _here[0].close(connection)
    else:
        _call("DELETE", endpoint, connection, b"")


def _base(endpoint: str) -> str:
    aws = settings.aws()
    if aws.endpoint_url:
        return f"{aws.endpoint_url}/_aws/execute-api/{endpoint}"
    api_id, _, stage = endpoint.partition("/")
    return f"https://{api_id}.execute-api.{aws.region}.{aws.domain}/{stage}"


def _call(method: str, endpoint: str, connection: str, data: bytes) -> int:
    # "=" ends most ids and must be sent encoded, and signed as it is sent.
    url = f"{_base(endpoint)}/@connections/{quote(connection, safe='')}"
    request = AWSRequest(method, url, data=data)
    answer = client.send(
        SigV4Auth(client.credentials(), "execute-api", settings.aws().region), request, silence=_SILENCE
    )
    if answer.status >= 400 and answer.status != 410:
        raise client.AwsError("PostToConnection", answer.status, (answer.data or b"").decode(errors="replace")[:200])
    return int(answer.status)
