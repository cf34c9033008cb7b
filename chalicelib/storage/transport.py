"""How requests reach DynamoDB: kept connections, retries, corrected clocks. In place of a botocore client.

A client costs 40 ms of a cold start, which is the service's model, and five of six parts of the CPU of each call.
What is kept of its promises, since callers rely on them:

- A failure that may pass (throttling, a 5xx, a lost, cut or damaged answer) is tried again, up to four times in all,
  after a random pause below a doubling bound, as long as the budget of time allows
  (``docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html``).
- So is a single write that meets a transaction on its item, as often as the budget allows.
- The parts of a batch that DynamoDB leaves undone are sent again, after such a pause, until all are done or the budget
  is used up: callers never see ``UnprocessedItems`` or ``UnprocessedKeys``
  (``docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html``).
- A connection that says nothing is given up after a second and a half, and the request is sent over a new one.
- Credentials that have expired are looked up again.
- So a write whose answer was lost may be done twice. A transaction carries a token that makes the second one void. A
  repeated ``PutItem`` or ``DeleteItem`` says the same again; with a condition, it may be refused because of the
  first, which the refusal says. ``Item.save_if`` and ``Item.update_if`` then read the item and see whether the write
  was their own; ``Item.delete_if`` is a transaction. A repeated ``UpdateItem`` with ``ADD`` adds twice: use it alone
  only where a gap is harmless, as in sequence numbers, and in a transaction where counts must be exact.
- An answer is checked against DynamoDB's CRC32 of it.
- A clock that is off is corrected by the ``Date`` of the refusal.
"""

from __future__ import annotations

import random
import time
import uuid
import zlib
from email.utils import mktime_tz, parsedate_tz
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

import msgspec
from botocore.exceptions import BotoCoreError

from chalicelib import call
from chalicelib.errors import Unavailable
from chalicelib.storage import credentials, wire
from chalicelib.storage.pool import Pool

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

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
"""A transaction is writing the item: a single write was refused whole. It is tried again as transactions themselves
are, as often as the budget allows."""
_LATE: Final = frozenset({"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"})
_BATCHES: Final = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}
"""Operations that may be done in part, and where their answers say what is left."""
_DOUBLINGS: Final = 5
"""The bound of pauses stops growing after so many."""
_SKEW: Final = 60.0
"""A clock this near to AWS's (5 minutes are allowed) is not why a signature was refused."""


class Patience(msgspec.Struct, frozen=True):
    """How long an operation may take, in seconds. With the defaults, DynamoDB can be silent for 7 s in all.

    Nothing is waited for longer than the call of Lambda that it is done for has left (``chalicelib.call``).
    """

    connect: float = 2.0
    read: float = 1.5
    """Longest silence of the first attempt: DynamoDB answers within milliseconds, so a connection that says nothing is
    dead. It doubles, up to what is left of the budget, but is at least ``connect``."""
    budget: float = 6.0
    """No attempt begins later than this."""
    attempts: int = 4
    pause: float = 0.025
    """Bound of the first pause; it doubles."""
    throttled_pause: float = 0.25
    """The same after throttling: capacity comes by the second, and a Lambda that waits is paid for."""


class Refused(Exception):
    """DynamoDB refused a request, for good. ``reasons`` are a transaction's, one for each of its items.

    ``unsure``: it may have done what was asked for at an earlier attempt, whose answer was lost.
    """

    unsure = False

    def __init__(self, code: str, message: str, request_id: str, reasons: list[dict[str, Any]]) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.request_id = request_id
        self.reasons = reasons


class _Again(Exception):
    """An attempt failed in a way that may pass.

    ``pause`` bounds the pause after a first failure. ``patient``: only the budget ends the attempts, not their number.
    ``unsure``: a write may have been done all the same.
    """

    def __init__(self, why: str, pause: float, *, patient: bool = False, unsure: bool = False) -> None:
        super().__init__(why)
        self.pause = pause
        self.patient = patient
        self.unsure = unsure


class Transport:
    """Runs operations against one endpoint. Safe to share between threads."""

    def __init__(self, region: str, url: str | None = None, patience: Patience | None = None) -> None:
        """``url``: an embedded engine's; None: the region's own endpoint."""
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._region = region
        self._patience = patience or Patience()
        self._pool = Pool(url or f"https://dynamodb.{region}.{suffix}", self._patience.connect)
        self._skew = 0.0

    def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Run one operation.

        Raises:
            Refused: DynamoDB answered that it won't.
            Unavailable: no answer, or throttled, after all attempts; or there are no credentials.
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
        """Send a batch, and again what is left of it, until all is done."""
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
            # What got smaller may have been too large for one answer: nothing to wait for.
            fruitless = fruitless + 1 if _amount(left) == _amount(request["RequestItems"]) else 0
            pause = self._patience.throttled_pause * 2 ** (fruitless - 1) if fruitless else self._patience.pause
            _wait(pause, end, _Again("DynamoDB left a part of the batch undone", pause))
            request = {**request, "RequestItems": left}

    def _insist(self, operation: str, request: dict[str, Any], end: float) -> dict[str, Any]:
        """Try until ``end``, on the monotonic clock."""
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
        head = wire.head(self._pool.host, self._region, operation, body, _signer(), time.time() + self._skew)
        try:
            answer = self._pool.exchange(head + body, silence)
        except (OSError, HTTPException) as error:
            raise _Again(repr(error), self._patience.pause, unsure=True) from error
        if answer.headers.get("x-amz-crc32", crc := str(zlib.crc32(answer.body))) != crc:
            raise _Again("damaged answer", self._patience.pause, unsure=True)
        try:
            content = wire.decode(answer.body)
        except msgspec.DecodeError as error:
            if answer.status == 200:
                raise _Again("unreadable answer", self._patience.pause, unsure=True) from error
            content = {}  # not DynamoDB, something on the way: its status has to do
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
        if code in _LATE and self._correct_clock(answer.headers.get("Date")):
            return _Again(f"{code}: {message}", 0)
        request_id = answer.headers.get("x-amzn-requestid", "")
        return Refused(code, message, request_id, content.get("CancellationReasons", []))

    def _correct_clock(self, date: str | None) -> bool:
        """Take over DynamoDB's clock. False if ours was right: then the secret is wrong, and stays so."""
        parsed = parsedate_tz(date or "")
        skew = mktime_tz(parsed) - time.time() if parsed else self._skew
        if abs(skew - self._skew) <= _SKEW:
            return False
        self._skew = skew
        return True


def _amount(batch: dict[str, Any]) -> int:
    """How many keys or writes there are in a batch."""
    return sum(len(about["Keys"] if isinstance(about, dict) else about) for about in batch.values())


def _wait(bound: float, end: float, why: _Again) -> float:
    """Pause for a random time below ``bound``; what is left until ``end`` then. Never pauses for nothing.

    Raises:
        Unavailable: the pause would last beyond ``end``.
    """
    # Full jitter: callers that were throttled together must not come back together.
    pause = random.uniform(0, bound)  # noqa: S311  # not for security
    left = min(end - time.monotonic(), call.time_left()) - pause
    if left <= 0:
        raise Unavailable from why
    time.sleep(pause)  # noqa: TID251  # shorter than any schedule
    return left


def _signer() -> ReadOnlyCredentials:
    try:
        return credentials.current().get_frozen_credentials()
    except BotoCoreError as error:
        raise Unavailable from error
