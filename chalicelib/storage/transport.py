"""Sends requests to DynamoDB instead of a botocore client: with kept connections, retries and a corrected clock.

A client would cost 40 ms of a cold start, to load the service's model, and five sixths of the CPU time of each call.
Callers can rely on this:

- A failure that may pass (throttling, a 5xx, a lost, cut or damaged answer) is retried. There are at most four
  attempts, with random pauses below a doubling bound, within a budget of time
  (``docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html``).
- A single write that conflicts with a transaction on its item is retried as often as the budget allows.
- The parts of a batch that DynamoDB leaves undone are sent again after such pauses, until all are done or the budget is
  used up. Callers never see ``UnprocessedItems`` or ``UnprocessedKeys``
  (``docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html``).
- A silent connection is given up after a second and a half, and the request is sent over a new one.
- Expired credentials are looked up again.
- Answers are checked against DynamoDB's CRC32. A wrong clock is corrected by the ``Date`` of the refusal.

A write whose answer was lost may be done twice. A transaction has a token that prevents this. A repeated ``PutItem`` or
``DeleteItem`` has the same result. With a condition it may be refused because the first one was done;
``Refused.unsure`` says so, ``Item.save_if`` and ``Item.update_if`` then read the item to see whether it was, and
``Item.delete_if`` is a transaction. A repeated ``UpdateItem`` with ``ADD`` adds twice: use it alone only where a gap is
harmless, as in sequence numbers, and in a transaction where counts must be exact.
"""

from __future__ import annotations

import random
import time
import uuid
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib import call
from chalicelib.errors import Unavailable
from chalicelib.storage import credentials, wire
from chalicelib.storage.pool import BadAnswer, Pool

if TYPE_CHECKING:
    from chalicelib.storage.pool import Answer

_THROTTLED: Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING: Final = frozenset({"InternalServerError", "ReplicatedWriteConflictException", "RequestTimeoutException"})
_CONFLICT: Final = "TransactionConflictException"
"""The code for a single write of an item that a transaction is writing. Nothing was written; it is retried as often as
the budget allows."""
_LATE: Final = frozenset({"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"})
_BATCHES: Final = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}
"""Operations that may be done in part, and the member of their answers that says what is left."""
_DOUBLINGS: Final = 5
"""The number of pauses after which their bound stops growing."""
_SKEW: Final = 60.0
"""If the clock differs by less than this from AWS's (which allows 5 minutes), it is not why a signature was refused."""


class Patience(msgspec.Struct, frozen=True):
    """How long an operation may take, in seconds. With the defaults it gives up after 7 s of silence.

    It never takes longer than the running Lambda call has left (``chalicelib.call``).
    """

    connect: float = 2.0
    read: float = 1.5
    """Longest silence of the first attempt: DynamoDB answers within milliseconds, so a connection that says nothing is
    dead. It doubles, up to what is left of the budget, but is at least ``connect``."""
    budget: float = 6.0
    """The time after which no attempt begins."""
    attempts: int = 4
    pause: float = 0.025
    """Bound of the first pause; it doubles each time."""
    throttled_pause: float = 0.25
    """The same after throttling: capacity returns every second, and waiting Lambdas are paid for."""


class Refused(Exception):
    """DynamoDB refused a request, and a retry would not help. ``reasons`` has one for each item of a transaction.

    ``unsure``: an earlier attempt, whose answer was lost, may have succeeded.
    """

    unsure = False

    def __init__(self, code: str, message: str, request_id: str, reasons: list[dict[str, Any]]) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.request_id = request_id
        self.reasons = reasons


class _Again(Exception):
    """An attempt failed, and a retry may succeed.

    ``pause`` bounds the pause after a first failure. ``patient``: the number of attempts is not limited, only the
    budget. ``unsure``: a write may have been done all the same.
    """

    def __init__(self, why: str, pause: float, *, patient: bool = False, unsure: bool = False) -> None:
        super().__init__(why)
        self.pause = pause
        self.patient = patient
        self.unsure = unsure


class Transport:
    """Runs operations at one endpoint. Threads may share it."""

    def __init__(self, region: str, url: str | None = None, patience: Patience | None = None) -> None:
        """``url``: that of an embedded engine; None: the region's endpoint."""
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._patience = patience or Patience()
        self._pool = Pool(url or f"https://dynamodb.{region}.{suffix}", self._patience.connect)
        self._service = wire.Service("dynamodb", self._pool.host, region, "1.0")
        self._skew = 0.0

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one operation.

        Raises:
            Refused: DynamoDB refused the request.
            Unavailable: all attempts failed or were throttled, or there are no credentials.
        """
        if operation == "TransactWriteItems" and "ClientRequestToken" not in request:
            request = {**request, "ClientRequestToken": str(uuid.uuid4())}
        budget = min(self._patience.budget, call.time_left())
        if budget <= 0:
            raise Unavailable
        end = time.monotonic() + budget
        if operation in _BATCHES:
            return self._batch(operation, request, end)
        return self._insist(operation, request, end)

    def _batch(self, operation: str, request: dict[str, Any], end: float) -> dict[str, Any]:
        """Send a batch, and what is left of it, until all is done."""
        undone = _BATCHES[operation]
        whole: dict[str, Any] = {}
        fruitless = 0
        while True:
            answer = self._insist(operation, request, end)
            left: dict[str, Any] = answer.pop(undone, None) or {}
            for table, items in answer.pop("Responses", {}).items():
                whole.setdefault("Responses", {}).setdefault(table, []).extend(items)
            whole |= answer
            if not left:
                return whole | {undone: {}}
            # If it got smaller, it may have been too large for one answer, which is no reason to wait.
            fruitless = fruitless + 1 if _amount(left) == _amount(request["RequestItems"]) else 0
            pause = self._patience.throttled_pause * 2 ** (fruitless - 1) if fruitless else self._patience.pause
            _wait(pause, end, _Again("DynamoDB left a part of the batch undone", pause))
            request = {**request, "RequestItems": left}

    def _insist(self, operation: str, request: dict[str, Any], end: float) -> dict[str, Any]:
        """Retry until ``end`` (monotonic clock)."""
        body = wire.encode(request)
        patience = self._patience
        silence, attempt, unsure = patience.read, 1, False
        while True:
            try:
                return self._attempt(operation, body, min(silence, call.time_left()))
            except Refused as refused:
                refused.unsure = unsure
                raise
            except _Again as failure:
                unsure = unsure or failure.unsure
                if attempt >= patience.attempts and not failure.patient:
                    raise Unavailable from failure
                left = _wait(failure.pause * 2 ** min(attempt - 1, _DOUBLINGS), end, failure)
            silence, attempt = min(2 * silence, max(left, patience.connect)), attempt + 1

    def _attempt(self, operation: str, body: bytes, silence: float) -> dict[str, Any]:
        target = wire.DYNAMODB + operation
        head = wire.head(self._service, target, body, credentials.keys(), time.time() + self._skew)
        try:
            answer = self._pool.exchange(head + body, silence)
        except (OSError, BadAnswer) as error:
            raise _Again(repr(error), self._patience.pause, unsure=True) from error
        crc = answer.header(b"x-amz-crc32")
        if crc is not None and crc != b"%d" % zlib.crc32(answer.body):
            raise _Again("damaged answer", self._patience.pause, unsure=True)
        try:
            content = wire.decode(answer.body)
        except msgspec.DecodeError as error:
            if answer.status == 200:
                raise _Again("unreadable answer", self._patience.pause, unsure=True) from error
            content = {}  # not from DynamoDB but from something in between: only the status is known
        if answer.status == 200:
            return content
        raise self._failure(answer, content)

    def _failure(self, answer: Answer, content: dict[str, Any]) -> Refused | _Again:
        code = content.get("__type", str(answer.status)).rpartition("#")[2]
        message = content.get("message") or content.get("Message") or ""
        if code in _THROTTLED or answer.status == 429:
            return _Again(code, self._patience.throttled_pause)
        if code == _CONFLICT:
            return _Again(code, self._patience.pause, patient=True)
        if code in _PASSING or answer.status >= 500:
            return _Again(f"{code}: {message}", self._patience.pause, unsure=True)
        if code in credentials.EXPIRED:
            credentials.forget()
            return _Again(f"{code}: {message}", self._patience.pause)
        if code in _LATE and self._correct_clock((answer.header(b"date") or b"").decode("latin-1")):
            return _Again(f"{code}: {message}", 0)
        request_id = (answer.header(b"x-amzn-requestid") or b"").decode("latin-1")
        return Refused(code, message, request_id, content.get("CancellationReasons", []))

    def _correct_clock(self, date: str) -> bool:
        """Adopt DynamoDB's clock. False if ours was right: then the secret is wrong, and a retry is useless."""
        # Imported here because clocks are seldom wrong.
        from email.utils import mktime_tz, parsedate_tz

        parsed = parsedate_tz(date)
        skew = mktime_tz(parsed) - time.time() if parsed else self._skew
        if abs(skew - self._skew) <= _SKEW:
            return False
        self._skew = skew
        return True


def _amount(batch: dict[str, Any]) -> int:
    """The number of keys or writes in a batch."""
    return sum(len(about["Keys"] if isinstance(about, dict) else about) for about in batch.values())


def _wait(bound: float, end: float, why: _Again) -> float:
    """Pause for a random time below ``bound``; returns the seconds that are left until ``end``.

    Raises:
        Unavailable: the pause would last beyond ``end``; it is not made then.
    """
    # Fully random, because callers that were throttled together must not return together.
    pause = random.uniform(0, bound)  # noqa: S311  # not for security
    left = min(end - time.monotonic(), call.time_left()) - pause
    if left <= 0:
        raise Unavailable from why
    time.sleep(pause)  # noqa: TID251  # shorter than any schedule
    return left
