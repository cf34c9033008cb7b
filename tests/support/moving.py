"""Changes between any two of the reads of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chalicelib.storage import dynamodb

if TYPE_CHECKING:
    import httpx2


@contextmanager
def between(number: int, change: Callable[[], object]) -> Iterator[list[str]]:
    """Make a change after the block's n-th read; yields the reads."""
    reads: list[str] = []
    is_ours = False

    def observe(operation: str, _request: dict[str, Any], _answer: dict[str, Any]) -> None:
        nonlocal is_ours
        if is_ours:
            return
        reads.append(operation)
        if len(reads) == number:
            is_ours = True
            change()
            is_ours = False

    dynamodb.observers.append(observe)
    try:
        yield reads
    finally:
        dynamodb.observers.remove(observe)


def each_moment(
    read: Callable[[], httpx2.Response], changes: Iterator[Callable[[], object]]
) -> Iterator[httpx2.Response]:
    """The answers of a list with a change after its first read, after its second, and so on."""
    number, reads = 0, [""]
    while number < len(reads):
        number += 1
        with between(number, next(changes)) as reads:
            answer = read()
        assert answer.status_code == 200, answer.text
        yield answer
    assert number > 2
