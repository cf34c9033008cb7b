"""Simulates a process that crashes at one of its calls to DynamoDB, before or after the call is made."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from chalicelib.storage import dynamodb

WRITES = frozenset({"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})
_MOST = 50


class PowerCutError(BaseException):
    """The process has crashed; no error handler may catch this."""


@dataclass
class PowerCut:
    """Whether the crash happened."""

    happened: bool = False


@contextmanager
def power_cut(number: int, *, answered: bool, of: Container[str] | None = None) -> Iterator[PowerCut]:
    """Crash at the block's ``number``-th call, counted from 1; all later calls fail.

    ``answered``: the call is made, and only its answer is lost. ``of``: the operations to count; None: all.
    """
    shared = dynamodb.shared()
    real, calls = shared.call, count(1)
    cut = PowerCut()

    def dispatch(operation: str, *arguments: Any) -> Any:
        if not cut.happened and of is not None and operation not in of:
            return real(operation, *arguments)
        here = next(calls)
        cut.happened = cut.happened or here >= number
        if here > number or (here == number and not answered):
            raise PowerCutError
        answer = real(operation, *arguments)
        if here == number:
            raise PowerCutError
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "call", dispatch)
        yield cut


def each_crash(run: Callable[[], object]) -> Iterator[None]:
    """Run ``run`` repeatedly, crashing one call later each time; yields after each crash.

    Ends when a run completes, once for crashes before a call and once for those after it.
    ``run`` may raise the crash, or catch it like a server that answers 500.
    """
    for answered in (False, True):
        for number in range(1, _MOST):
            with power_cut(number, answered=answered) as cut, suppress(PowerCutError):
                run()
            if not cut.happened:
                break
            yield
        else:
            pytest.fail("it never came through")
