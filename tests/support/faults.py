"""Simulates AWS failures that the embedded engine does not have, at a chosen call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

import pytest
import urllib3

from chalicelib.aws import client
from chalicelib.storage.pool import Answer, Pool

_OPERATION: Final = re.compile(rb"DynamoDB_20120810\.(\w+)")
SINGLE: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem"})
BATCHES: Final = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}


@dataclass(frozen=True)
class Request:
    """A request to DynamoDB. ``send`` sends it, each time it is called."""

    operation: str
    body: dict[str, Any]
    send: Callable[[], Answer]


@dataclass(frozen=True)
class Fault:
    """A failure: ``meets`` selects the requests that can have it; ``play`` answers one of them, or raises."""

    meets: Callable[[Request], bool]
    play: Callable[[Request], Answer]


def _answer(content: dict[str, Any], status: int = 200) -> Answer:
    return Answer(status, b"", json.dumps(content).encode())


def _any(_: Request) -> bool:
    return True


def refuses(code: str, status: int = 400, *, meets: Callable[[Request], bool] = _any) -> Fault:
    """DynamoDB refuses the request without effect."""
    return Fault(
        meets, lambda _: _answer({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}, status)
    )


def cancels(code: str) -> Fault:
    """A transaction is cancelled because of its last write."""

    def play(request: Request) -> Answer:
        reasons = [{"Code": "None"}] * (len(request.body["TransactItems"]) - 1) + [{"Code": code, "Message": "no"}]
        return _answer({"__type": "a#TransactionCanceledException", "CancellationReasons": reasons}, 400)

    return Fault(lambda request: request.operation == "TransactWriteItems", play)


def _silent(_: Request) -> Answer:
    raise TimeoutError


def _loses(request: Request) -> Answer:
    request.send()
    raise ConnectionResetError


def _leaves_undone(request: Request) -> Answer:
    return _answer({BATCHES[request.operation]: request.body["RequestItems"]})


FAULTS: Final = {
    "silence": Fault(_any, _silent),
    "lost-answer": Fault(_any, _loses),
    "throttled": refuses("ProvisionedThroughputExceededException"),
    "throttled-index": refuses("ThrottlingException", meets=lambda request: "IndexName" in request.body),
    "expired-credentials": refuses("ExpiredTokenException"),
    "conflict": refuses("TransactionConflictException", meets=lambda request: request.operation in SINGLE),
    "cancelled-conflict": cancels("TransactionConflict"),
    "cancelled-throttled": cancels("ThrottlingError"),
    "cancelled-capacity": cancels("ProvisionedThroughputExceeded"),
    "undone": Fault(lambda request: request.operation in BATCHES, _leaves_undone),
}
"""Temporary failures, which retries should hide."""

FINAL: Final = {
    "cancelled-invalid": cancels("ValidationError"),
    "cancelled-collection": cancels("ItemCollectionSizeLimitExceeded"),
}
"""A permanent failure: a transaction that AWS always refuses."""


@dataclass
class Played:
    """How many requests could have had the failure, and how many had it."""

    met: int = 0
    played: int = 0
    lock: Any = field(default_factory=Lock)


@contextmanager
def at(number: int, fault: Fault, *, for_good: bool = False, repeated: bool = False) -> Iterator[Played]:
    """Simulate the failure at the ``number``-th matching request, from 1.

    ``for_good``: at all from there on; ``repeated``: at each ``number``-th one.
    """
    real = Pool.exchange
    so_far = Played()

    def exchange(self: Pool, request: bytes, silence: float) -> Answer:
        head, _, body = request.partition(b"\r\n\r\n")
        found = _OPERATION.search(head)
        if found is None:
            return real(self, request, silence)  # of another service
        about = Request(found[1].decode(), json.loads(body), lambda: real(self, request, silence))
        with so_far.lock:
            if meets := fault.meets(about):
                so_far.met += 1
            plays = meets and (so_far.met >= number if for_good else so_far.met == number)
            plays = plays or (meets and repeated and so_far.met % number == 0)
            so_far.played += plays
        return fault.play(about) if plays else about.send()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "exchange", exchange)
        patch.setattr("random.uniform", lambda low, _: low)  # no pauses
        yield so_far


OthersPlay = Callable[[Callable[[], Any]], Any]


def _says(status: int, code: str) -> OthersPlay:
    body = f"<Error><Code>{code}</Code></Error>".encode()
    return lambda _: urllib3.HTTPResponse(body, {"Content-Type": "application/xml"}, status, preload_content=True)


def _others_silent(_: Callable[[], Any]) -> Any:
    raise urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool("aws"), "url", "silence")


def _others_lose(send: Callable[[], Any]) -> Any:
    send()
    raise urllib3.exceptions.ProtocolError("the connection is gone")


OTHERS: Final[dict[str, OthersPlay]] = {
    "silence": _others_silent,
    "lost-answer": _others_lose,
    "slow-down": _says(503, "SlowDown"),
    "expired-credentials": _says(400, "ExpiredToken"),
}
"""Temporary failures of other services."""


@contextmanager
def others_at(number: int, play: OthersPlay) -> Iterator[Played]:
    """The same at the ``number``-th request to any service except DynamoDB."""
    pool = client.pool()
    real = pool.request
    so_far = Played()

    def request(*about: Any, **more: Any) -> Any:
        with so_far.lock:
            so_far.met += 1
            plays = so_far.met == number
            so_far.played += plays
        return play(lambda: real(*about, **more)) if plays else real(*about, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "request", request)
        patch.setattr("random.uniform", lambda low, _: low)
        yield so_far
