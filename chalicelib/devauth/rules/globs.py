"""Patterns over short texts, in which ``*`` stands for any text and ``?`` for one character.

Everything else is literal, and case counts. There is no escape. The work is at most the product of both lengths, which
are limited (``limits.ACCEPTANCE_PATTERN``).
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` has the form of ``pattern``."""
    first, *others = pattern.split("*")
    if not others:
        return len(text) == len(first) and _is_at(first, text, 0)
    *middle, last = others
    end = len(text) - len(last)
    if end < len(first) or not _is_at(first, text, 0) or not _is_at(last, text, end):
        return False
    at = len(first)
    for part in middle:
        # The leftmost place leaves the most text to the parts that follow, so no other place needs to be tried.
        found = next((place for place in range(at, end - len(part) + 1) if _is_at(part, text, place)), None)
        if found is None:
            return False
        at = found + len(part)
    return True


def _is_at(part: str, text: str, place: int) -> bool:
    """Whether a part without ``*`` matches the text at a place; the text is long enough."""
    return all(wanted in {"?", found} for wanted, found in zip(part, text[place : place + len(part)], strict=True))
