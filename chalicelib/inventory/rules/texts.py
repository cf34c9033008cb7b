"""Searches for text: which devices contain what somebody types (``docs/behaviour.md#searches``).

A text is split at spaces into terms, and a device is found if it contains each of them. A term is one word or several
that follow each other, as in ``gateway-07`` or a hardware address; what is between them does not count. It occurs
wherever its first word begins or continues a word of the device, so devices are found letter by letter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.inventory.rules.attributes import IDENTITY, INVENTORY, TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chalicelib.inventory.rules.device import Device

SCOPES = (IDENTITY, INVENTORY, TAGS)
"""Text is looked for in the values of these, in the id, and in the group."""

# How well a term fits. A better grade has all bits of those below it, so that "or" gives the best one.
INSIDE, BEGINNING, WHOLE = 0b001, 0b011, 0b111
POINTS = bytes(grade.bit_count() for grade in range(256))
"""By grade: what a term adds to the rank of a device."""

_SHORT = 3
"""Terms with fewer letters and digits occur inside too many words: for them, only beginnings count."""
_WORD = re.compile(r"[^\W_]+")
_BETWEEN = r"(?:[^\w\n]|_)+"


class Term(msgspec.Struct, frozen=True):
    """One term of a text; its words are folded (:func:`folded`)."""

    words: tuple[str, ...]
    pattern: re.Pattern[str]

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the term occurs in a folded text, and its grade there. No occurrence goes beyond a line."""
        for found in self.pattern.finditer(text):
            start, end = found.span()
            if start and _WORD.match(text, start - 1):
                yield start, INSIDE
            else:
                yield start, BEGINNING if _WORD.match(text, end) else WHOLE


def folded(text: str) -> str:
    """A text in the form in which texts are compared: without upper and lower case."""
    return text.casefold()


def terms(text: str) -> tuple[Term, ...]:
    """The different terms of a text; none if it has no letter and no digit."""
    found = dict.fromkeys(tuple(_WORD.findall(term)) for term in folded(text).split())
    return tuple(_term(words) for words in found if words)


def _term(words: tuple[str, ...]) -> Term:
    begins = r"(?<![^\W_])" if sum(map(len, words)) < _SHORT else ""
    return Term(words, re.compile(begins + _BETWEEN.join(words)))


def text_of(value: Any) -> str:
    """The text of a value, with a line for each item of a list; empty for other types."""
    if isinstance(value, str):
        return value
    return "\n".join(item for item in value if isinstance(item, str)) if isinstance(value, list) else ""


def of(device: Device) -> str:
    """All texts of a device in which terms are looked for, folded."""
    values = [text_of(value) for scope, name, value in device.searched() if searches(scope, name)]
    return folded("\n".join((device.id, device.group or "", *values)))


def searches(scope: str, name: str) -> bool:
    """Whether text is looked for in an attribute besides the id and the group."""
    return scope in SCOPES and (scope, name) != (IDENTITY, "status")


def points(device: Device, wanted: Sequence[Term]) -> int:
    """The rank of a device: the more, the better it fits; 0 if it lacks a term."""
    text = of(device)
    total = 0
    for term in wanted:
        grade = 0
        for _, each in term.places(text):
            grade |= each
        if not grade:
            return 0
        total += POINTS[grade]
    return total
