"""Docstrings as a page for users of the API shows them."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from chalicelib import errors
from chalicelib.http import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLE = re.compile(r":\w+:`~?([^`]+)`")
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_RAISES = "Raises:\n"


class Docstring(NamedTuple):
    """A docstring in parts: its first sentence without the period, the rest, and what is refused by status."""

    summary: str
    description: str
    refusals: dict[int, str]


def of(function: Callable[..., object]) -> Docstring:
    """The docstring of a handler.

    Raises:
        ValueError: there is none, or its section "Raises" names what is no refusal.
    """
    text, _, raises = (inspect.getdoc(function) or "").partition(_RAISES)
    if not text:
        raise ValueError(f"{function.__qualname__} has no docstring")
    first, *rest = _SENTENCE.split(markdown(text), maxsplit=1)
    return Docstring(first.strip().rstrip("."), " ".join(rest).strip(), _refusals(raises))


def _refusals(section: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for each in re.split(r"\n(?=    \w)", "\n" + section.rstrip()):
        name, colon, why = " ".join(each.split()).partition(": ")
        if not name:
            continue
        kind = getattr(errors, name, None)
        if not colon or kind is None or not issubclass(kind, errors.DomainError):
            raise ValueError(f"Raises: {each}")
        found[refusals.status(kind)] = sentence(markdown(why))
    return found


def sentence(text: str) -> str:
    """A text with a capital letter at its beginning and a period at its end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def markdown(text: str) -> str:
    """Text with the project's markup, on one line, in Markdown's."""
    return _ROLE.sub(r"`\1`", " ".join(text.split())).replace("``", "`")


def of_members(shape: type) -> dict[str, str]:
    """The docstrings below the members of a class and its bases, by name."""
    found: dict[str, str] = {}
    for each in reversed(shape.__mro__):
        if not each.__module__.startswith("chalicelib."):
            continue
        declared: Any = ast.parse(inspect.cleandoc("\n" + inspect.getsource(each))).body[0]
        for member, said in pairwise(declared.body):
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name) and _is_text(said):
                found[member.target.id] = markdown(ast.literal_eval(said.value))
    return found


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
