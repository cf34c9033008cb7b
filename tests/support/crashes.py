"""A process that dies at one of its calls to DynamoDB, before it is made or after: what is left must be mendable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from chalicelib.storage import connection

_MOST = 50


class PowerCutError(Exception):
    """The process is dead."""


def each_crash(run: Callable[[], object]) -> Iterator[None]:
    """Run ``run`` again and again, each time dying one call later; yields after each death.

    Ends when it came through, once for deaths before a call is made and once for those that only lose its answer.
    """
    for answered in (False, True):
        for number in range(1, _MOST):
            if not _dies(run, number, answered=answered):
                break
            yield
        else:
            pytest.fail("it never came through")


def _dies(run: Callable[[], object], number: int, *, answered: bool) -> bool:
    shared = connection.shared()
    real, calls = shared.dispatch, count(1)

    def cut(*arguments: Any) -> Any:
        last = next(calls) == number
        if last and not answered:
            raise PowerCutError
        answer = real(*arguments)
        if last:
            raise PowerCutError
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "dispatch", cut)
        try:
            run()
        except PowerCutError:
            return True
    return False
