"""Several writes that happen together or not at all.

A feature collects its writes in a :class:`Transaction`, passes it to the services whose items change with it, and
commits it once. Writes have labels, which tell which condition has failed.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import msgspec

from chalicelib import call
from chalicelib.errors import Unavailable
from chalicelib.storage import dynamodb
from chalicelib.storage.transport import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from chalicelib.storage.base import Item
    from chalicelib.storage.writes import Write

MAX_ITEMS: Final = 100
"""AWS: writes in one ``TransactWriteItems``."""
_Write = tuple[str, str, dict[str, Any]]
"""A collected write: label, kind, arguments."""
_P = ParamSpec("_P")
_T = TypeVar("_T")
_ATTEMPTS: Final = 12
_CHANGES: Final = 24
"""How often a change is decided before the caller is asked to try again later."""
_BACKOFF: Final = 0.02
_SHOW: Final = "ALL_OLD"
"""A failed condition returns the stored item."""
_PASSING: Final = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})
"""Reasons of a cancellation for which a retry may succeed. The others (``ItemCollectionSizeLimitExceeded``,
``ValidationError``) are permanent:
``docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html``."""


def retried(change: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function that reads, decides and commits: it runs again whenever it raises :class:`ConditionFailed`.

    There are pauses between its runs, and at most ``_CHANGES`` runs, as long as the call has time.

    Raises:
        Unavailable: other writers came first each time.
    """

    @wraps(change)
    def again(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        for attempt in range(_CHANGES):
            try:
                return change(*args, **kwargs)
            except ConditionFailed:
                if not _paused(attempt):
                    break
        raise Unavailable(retry_after=1)

    return again


def _paused(attempt: int) -> bool:
    """Pause after an attempt (0: the first); returns whether there was time for it.

    Its length is random between 0 and a growing bound, so that colliding writers do not collide again.
    """
    pause = random.uniform(0, _BACKOFF * 2 ** min(attempt, 5))  # noqa: S311  # not for security
    if pause >= call.time_left():
        return False
    time.sleep(pause)  # noqa: TID251  # shorter than any schedule
    return True


class ConditionFailed(Exception):
    """At least one write's condition failed; nothing was written.

    ``failed`` maps the label of each such write to the stored item (in DynamoDB's typed form), if there is one. It is
    empty where a change is found to be outdated before it is written.
    """

    def __init__(self, failed: dict[str, dict[str, Any] | None] | None = None) -> None:
        super().__init__(f"conditions failed: {', '.join(sorted(failed or ()))}")
        self.failed = failed or {}


class Transaction(msgspec.Struct):
    """Writes to commit together. An item can be written only once; its condition is a part of the write."""

    _writes: list[_Write] = []
    _late: list[Callable[[Transaction], None]] = []
    _then: list[Callable[[], None]] = []

    def __len__(self) -> int:
        """The number of collected writes, without late ones."""
        return len(self._writes)

    def late(self, add: Callable[[Transaction], None]) -> None:
        """Let ``add`` add writes at each attempt to commit, from what it reads then.

        For writes that accompany another change, such as the next entry of an audit chain: if only conditions of late
        writes fail, only ``add`` runs again, and the caller does not notice.
        """
        self._late.append(add)

    @property
    def latecomers(self) -> tuple[Callable[[Transaction], None], ...]:
        """The functions passed to :meth:`late`, so that a later call can add to what an earlier one collects."""
        return tuple(self._late)

    def then(self, follow: Callable[[], None]) -> None:
        """Call ``follow`` after everything is written. Equal functions are called once.

        For things that may be lost if the process dies, such as waking a worker: the schedule must find the written
        items too.
        """
        if follow not in self._then:
            self._then.append(follow)

    def put(self, item: Item, condition: Condition | None = None, *, label: str = "") -> None:
        """Write the whole item."""
        kwargs = item.get_save_kwargs_from_instance(condition=condition, return_values_on_condition_failure=_SHOW)
        self._writes.append((label, "Put", kwargs))

    def update(
        self, item: Item, actions: Iterable[Action], condition: Condition | None = None, *, label: str = ""
    ) -> None:
        """Change some attributes of the item with ``item``'s key. Creates it unless a condition says otherwise.

        Raises:
            ValueError: there is no action. DynamoDB refuses such an update; :meth:`check` is for a condition alone.
        """
        if not (given := list(actions)):
            raise ValueError("an update needs at least one action; use check() for a condition alone")
        kwargs = item.get_update_kwargs_from_instance(
            actions=given, condition=condition, return_values_on_condition_failure=_SHOW
        )
        self._writes.append((label, "Update", kwargs))

    def write(self, write: Write, *, label: str = "") -> None:
        """Add a write that is built by hand."""
        self._writes.append((label, write.kind, {**write.request(), "ReturnValuesOnConditionCheckFailure": _SHOW}))

    def delete(self, item: Item, condition: Condition | None = None, *, label: str = "") -> None:
        """Delete the item with ``item``'s key."""
        kwargs = item.get_delete_kwargs_from_instance(condition=condition, return_values_on_condition_failure=_SHOW)
        self._writes.append((label, "Delete", kwargs))

    def check(self, item: Item, condition: Condition, *, label: str = "") -> None:
        """Require a condition on an item that is not written."""
        kwargs = type(item).get_operation_kwargs_from_class(item.pk, range_key=item.sk, condition=condition)
        kwargs["ReturnValuesOnConditionCheckFailure"] = _SHOW  # pynamodb has no method for it
        self._writes.append((label, "ConditionCheck", kwargs))

    def commit(self) -> None:
        """Write everything, or nothing.

        Conflicts with other transactions and throttling are retried after random pauses, as long as the call has time.
        A token makes it safe to send a transaction again whose answer was lost.

        Raises:
            ConditionFailed: a condition failed.
            Unavailable: other writers came first each time, or DynamoDB throttles.
        """
        if not self._writes and not self._late:
            return
        writes = self._all_writes()
        request = _request(writes)
        for attempt in range(_ATTEMPTS):
            try:
                dynamodb.shared().call("TransactWriteItems", request)
            except Refused as error:
                failed = _failed(writes, error)
                own = {label: item for index, label, item in failed if index < len(self._writes)}
                if own:
                    raise ConditionFailed(own) from error
                if failed:
                    # Only late writes failed. Nothing was written, so different writes with a new token are safe.
                    writes = self._all_writes()
                    request = _request(writes)
                elif not _may_pass(error):
                    raise
            else:
                for follow in self._then:
                    follow()
                return
            if not _paused(attempt):
                break
        raise Unavailable("service unavailable")

    def try_commit(self) -> bool:
        """Like :meth:`commit`, but returns whether everything was written, for callers that then decide again.

        Raises:
            Unavailable: as :meth:`commit`.
        """
        try:
            self.commit()
        except ConditionFailed:
            return False
        return True

    def _all_writes(self) -> list[_Write]:
        late = Transaction()
        for add in self._late:
            add(late)
        return self._writes + late._writes


def _request(writes: list[_Write]) -> dict[str, Any]:
    return {
        "TransactItems": [{kind: kwargs} for _, kind, kwargs in writes],
        "ClientRequestToken": str(uuid.uuid4()),
    }


def _failed(writes: list[_Write], refused: Refused) -> list[tuple[int, str, dict[str, Any] | None]]:
    """Index, label and stored item of each write whose condition failed."""
    return [
        (index, writes[index][0] or f"#{index}", reason.get("Item"))
        for index, reason in enumerate(refused.reasons)
        if reason["Code"] == "ConditionalCheckFailed"
    ]


def _may_pass(refused: Refused) -> bool:
    """Whether a retry may succeed, because only load or other writers prevented the transaction."""
    if refused.code == "TransactionInProgressException":
        return True
    found = {reason["Code"] for reason in refused.reasons} - {"None"}
    return refused.code == "TransactionCanceledException" and bool(found) and found <= _PASSING
