"""Due items are processed even if others fail."""

from __future__ import annotations

import pytest

from chalicelib.errors import Conflict, Unavailable
from chalicelib.storage import due


def test_a_failing_item_does_not_block_others():
    errors = {2: Conflict("two"), 4: Unavailable()}
    done = []

    def work(item: int) -> None:
        if item in errors:
            raise errors[item]
        done.append(item)

    with pytest.raises(ExceptionGroup) as raised:
        due.work_off(range(1, 6), work)

    assert done == [1, 3, 5]
    assert raised.value.exceptions == (errors[2], errors[4])


def test_nothing_is_raised_if_nothing_fails():
    done: list[int] = []

    due.work_off(iter([1, 2]), done.append)

    assert done == [1, 2]
