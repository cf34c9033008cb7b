"""A process that dies at one of its calls to DynamoDB, before it is made or after: what is left must be mendable."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from chalicelib.storage import connection

WRITES = frozenset({"TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})
_MOST = 50


class PowerCutError(BaseException):
    """The process is dead: no handler of errors gets to see it."""


@dataclass
class PowerCut:
    """Whether it came to it."""

    happened: bool = False


@contextmanager
def power_cut(number: int, *, answered: bool, of: Container[str] | None = None) -> Iterator[PowerCut]:
    """Let the block's ``number``-th call, counted from 1, be the last: all others fail.

    ``answered``: the last one is made, and only its answer is lost. ``of``: the operations that count; None: all.
    """
    shared = connection.shared()
    real, calls = shared.dispatch, count(1)
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
        patch.setattr(shared, "dispatch", dispatch)
        yield cut


def each_crash(run: Callable[[], object]) -> Iterator[None]:
    """Run ``run`` again and again, each time dying one call later; yields after each death.

    Ends when it came through, once for deaths before a call is made and once for those that only lose its answer.
    ``run`` may let the death show, or swallow it as a server does that answers 500.
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
