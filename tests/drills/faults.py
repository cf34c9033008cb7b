"""Failures of calls to AWS: before or after the call, temporary or permanent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import botocore.client
import botocore.httpsession
import urllib3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

_call = botocore.client.BaseClient._make_api_call
_send = botocore.httpsession.URLLib3Session.send


class Own:
    """The app's own client, with the attributes of botocore's clients that faults use."""

    def __init__(self, service: str, send: Callable[[], Any]) -> None:
        self.meta = SimpleNamespace(service_model=SimpleNamespace(service_name=service), endpoint_url="")
        self.send = send


def _made(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
    return client.send() if isinstance(client, Own) else _call(client, operation, arguments)


class KilledError(BaseException):
    """Stands for the end of the process: no call follows."""


@dataclass
class Faults:
    """Lets one of the calls fail; calls are counted from 1."""

    kind: str = ""
    at: int = 0
    calls: list[str] = field(default_factory=list)
    dead: bool = False

    def make(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Make one call, or fail if it is the chosen one."""
        if self.dead:
            raise KilledError
        name = f"{client.meta.service_model.service_name}.{operation}"
        self.calls.append(name)
        if len(self.calls) != self.at:
            return _made(client, operation, arguments)
        return FAULTS[self.kind](self, client, operation, arguments)


def _throttled(_: Faults, __: Any, operation: str, ___: Any) -> Any:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


def _refused(_: Faults, __: Any, operation: str, ___: Any) -> Any:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, operation)


def _unreachable(_: Faults, client: Any, __: str, ___: Any) -> Any:
    raise EndpointConnectionError(endpoint_url=client.meta.endpoint_url)


def _answer_lost(_: Faults, client: Any, operation: str, arguments: Any) -> Any:
    _made(client, operation, arguments)
    raise ReadTimeoutError(endpoint_url=client.meta.endpoint_url)


def _sent_again(_: Faults, client: Any, operation: str, arguments: Any) -> Any:
    """The answer is lost once, and botocore repeats the request if its configuration allows."""
    lost: list[Any] = []

    def send(session: Any, request: Any) -> Any:
        answer = _send(session, request)
        if not lost:
            lost.append(request)
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer

    botocore.httpsession.URLLib3Session.send = send
    try:
        return _made(client, operation, arguments)
    finally:
        botocore.httpsession.URLLib3Session.send = _send


def _killed_before(faults: Faults, _: Any, __: str, ___: Any) -> Any:
    faults.dead = True
    raise KilledError


def _killed_after(faults: Faults, client: Any, operation: str, arguments: Any) -> Any:
    _made(client, operation, arguments)
    faults.dead = True
    raise KilledError


FAULTS: dict[str, Callable[[Faults, Any, str, Any], Any]] = {
    "killed after it": _killed_after,
    "answer lost": _answer_lost,
    "throttled": _throttled,
    "sent twice": _sent_again,
    "refused": _refused,
    "killed before it": _killed_before,
    "unreachable": _unreachable,
}


@contextmanager
def watched(faults: Faults) -> Iterator[None]:
    """Count the calls of a block, and let one of them fail."""

    def make(client: Any, operation: str, arguments: Any) -> Any:
        return faults.make(client, operation, arguments)

    botocore.client.BaseClient._make_api_call = make
    _watching.append(faults)
    try:
        yield
    finally:
        botocore.client.BaseClient._make_api_call = _call
        _watching.remove(faults)


_watching: list[Faults] = []


def made_by_own_client(service: str, operation: str, send: Callable[[], urllib3.BaseHTTPResponse]) -> Any:
    """Count a call of the app's own client with the others, and let it fail with urllib3's errors."""
    if not _watching:
        return send()
    try:
        return _watching[-1].make(Own(service, send), operation, {})
    except ClientError as error:
        refusal = json.dumps({"__type": error.response["Error"]["Code"], "message": "drilled"}).encode()
        return urllib3.HTTPResponse(refusal, status=400, preload_content=True)
    except BotoCoreError as error:
        raise urllib3.exceptions.ProtocolError(str(error)) from error
