"""Parser of DynamoDB's expressions, for names and syntax errors.

Grammar: ``docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html`` and
``.../Expressions.UpdateExpressions.html``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from tests.support.strict.rules import Rule

RESERVED: Final = frozenset((Path(__file__).parent / "reserved_words.txt").read_text().split())
"""``docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html``."""

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<name>#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>\d+)|(?P<sign><>|<=|>=|[=<>()\[\],.+-]))"
)
_COMPARISONS: Final = frozenset({"=", "<>", "<", "<=", ">", ">="})
_TESTS: Final = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
_CLAUSES: Final = frozenset({"SET", "REMOVE", "ADD", "DELETE"})

PathParts = tuple[str | int, ...]
"""A document path: names as they stand in the expression, and indexes of lists."""


@dataclass(frozen=True)
class Operand:
    """``kind``: ``path``, ``value``, or the name of the function that is applied to ``inner``."""

    kind: str
    path: PathParts = ()
    value: str = ""
    inner: tuple[Operand, ...] = ()


@dataclass(frozen=True)
class Term:
    """A comparison (``=``, ``BETWEEN``, ``IN`` ...), a test (``contains`` ...) or an action (``SET`` ...)."""

    operator: str
    operands: tuple[Operand, ...]


@dataclass
class Parsed:
    """A parsed expression, and its errors."""

    names: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    """Attribute names that are used without placeholders."""
    paths: list[PathParts] = field(default_factory=list)
    terms: list[Term] = field(default_factory=list)
    only_and: bool = True
    """Whether its terms are joined by AND only."""
    operators: int = 0
    wrong: list[tuple[Rule, str]] = field(default_factory=list)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Its operators, with the names of :mod:`applied`."""
        return frozenset(f"operator {term.operator}" for term in self.terms)


class _SyntaxError(Exception):
    """The expression does not follow the grammar."""


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _SyntaxError(f"{text[at : at + 20]!r} is unreadable")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return found


class _Reader:
    """A recursive-descent parser of one expression."""

    def __init__(self, text: str) -> None:
        self.out = Parsed()
        self._tokens = _tokens(text)
        self._at = 0

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ("end", "the end")

    def word(self) -> str:
        """The next token as a keyword."""
        kind, text = self.peek()
        return text.upper() if kind == "word" else text if kind == "sign" else ""

    def take(self, expected: str = "") -> tuple[str, str]:
        kind, text = self.peek()
        if kind == "end" or (expected and self.word() != expected):
            raise _SyntaxError(f"{text} stands where {expected or 'more'} is expected")
        self._at += 1
        return kind, text

    def end(self) -> None:
        if self.peek()[0] != "end":
            raise _SyntaxError(f"{self.peek()[1]} follows the end")

    # Paths and operands.

    def path(self) -> PathParts:
        parts: list[str | int] = [self._name()]
        while self.word() in {".", "["}:
            if self.take()[1] == ".":
                parts.append(self._name())
            else:
                kind, text = self.take()
                if kind != "number":
                    raise _SyntaxError(f"{text} is no index of a list")
                parts.append(int(text))
                self.take("]")
        self.out.paths.append(tuple(parts))
        return tuple(parts)

    def _name(self) -> str:
        kind, text = self.take()
        if kind not in {"name", "word"}:
            raise _SyntaxError(f"{text} is no name of an attribute")
        (self.out.names if kind == "name" else self.out.words).add(text)
        return text

    def operand(self, functions: tuple[str, ...]) -> Operand:
        kind, text = self.peek()
        if kind == "value":
            self.take()
            self.out.values.add(text)
            return Operand("value", value=text)
        if kind == "word" and self.peek(1)[1] == "(":
            if text not in functions:
                raise _SyntaxError(f"{text} is no function that may stand here")
            return Operand(text, inner=self._call(1 if text == "size" else 2, functions))
        return Operand("path", path=self.path())

    def _call(self, count: int, functions: tuple[str, ...]) -> tuple[Operand, ...]:
        name = self.take()[1]
        self.out.operators += 1
        self.take("(")
        inner = [self.operand(functions)]
        while self.word() == ",":
            self.take()
            inner.append(self.operand(functions))
        self.take(")")
        if len(inner) != count:
            raise _SyntaxError(f"{name} takes {count} operands")
        if inner[0].kind != "path" and not (name == "list_append" and inner[0].kind in {"value", "if_not_exists"}):
            self.out.wrong.append((Rule.OPERAND_TYPE, f"the first operand of {name} must be a path"))
        return tuple(inner)

    # Conditions.

    def condition(self) -> None:
        self._and()
        while self.word() == "OR":
            self.take()
            self.out.operators += 1
            self.out.only_and = False
            self._and()

    def _and(self) -> None:
        self._not()
        while self.word() == "AND":
            self.take()
            self.out.operators += 1
            self._not()

    def _not(self) -> None:
        if self.word() == "NOT":
            self.take()
            self.out.operators += 1
            self.out.only_and = False
            self._not()
        elif self.word() == "(":
            self._in_parentheses()
        elif self.peek()[0] == "word" and self.peek(1)[1] == "(" and self.peek()[1] in _TESTS:
            name = self.peek()[1]
            self.out.terms.append(Term(name, self._call(_TESTS[name], ("size",))))
        else:
            self._comparison()

    def _in_parentheses(self) -> None:
        start = self._at
        self.take("(")
        self.condition()
        self.take(")")
        inside = self._tokens[start + 1 : self._at - 1]
        if inside[0][1] == "(" and _closes(inside) == len(inside) - 1:
            self.out.wrong.append((Rule.PARENTHESES, "a condition stands in two pairs of parentheses"))

    def _comparison(self) -> None:
        left = self.operand(("size",))
        operator = self.word()
        self.out.operators += 1
        if operator == "BETWEEN":
            self.take()
            low = self.operand(("size",))
            self.take("AND")
            operands: tuple[Operand, ...] = (left, low, self.operand(("size",)))
        elif operator == "IN":
            self.take()
            self.take("(")
            several = [self.operand(("size",))]
            while self.word() == ",":
                self.take()
                several.append(self.operand(("size",)))
            self.take(")")
            if len(several) > 100:
                self.out.wrong.append((Rule.IN_SIZE, f"IN has {len(several)} operands"))
            operands = (left, *several)
        elif operator in _COMPARISONS:
            self.take()
            operands = (left, self.operand(("size",)))
        else:
            raise _SyntaxError(f"{self.peek()[1]} stands where a comparison is expected")
        if operator in _COMPARISONS and operands[0] == operands[1]:
            self.out.wrong.append((Rule.SAME_OPERAND, f"both sides of {operator} are the same"))
        self.out.terms.append(Term(operator, operands))

    # Projections and updates.

    def projection(self) -> None:
        self.path()
        while self.word() == ",":
            self.take()
            self.path()

    def update(self) -> None:
        seen: set[str] = set()
        while self.peek()[0] != "end":
            clause = self.word()
            if clause not in _CLAUSES:
                raise _SyntaxError(f"{self.peek()[1]} begins no clause")
            self.take()
            if clause in seen:
                self.out.wrong.append((Rule.UPDATE_CLAUSE, f"{clause} stands twice"))
            seen.add(clause)
            self._action(clause)
            while self.word() == ",":
                self.take()
                self._action(clause)

    def _action(self, clause: str) -> None:
        self.out.operators += 1
        target = Operand("path", path=self.path())
        if clause == "REMOVE":
            self.out.terms.append(Term(clause, (target,)))
        elif clause == "SET":
            self.take("=")
            functions = ("if_not_exists", "list_append")
            operands = [target, self.operand(functions)]
            if self.word() in {"+", "-"}:
                operands.append(Operand(self.take()[1]))
                operands.append(self.operand(functions))
            self.out.terms.append(Term(clause, tuple(operands)))
        else:
            kind, text = self.peek()
            if kind != "value":
                raise _SyntaxError(f"{text} stands where {clause} needs a value")
            self.out.terms.append(Term(clause, (target, self.operand(()))))


def _closes(tokens: list[tuple[str, str]]) -> int:
    """The position of the parenthesis that closes the first one."""
    depth = 0
    for at, (_, text) in enumerate(tokens):
        depth += (text == "(") - (text == ")")
        if depth == 0:
            return at
    return -1


@lru_cache(maxsize=4096)
def parse(kind: str, text: str) -> Parsed:
    """Parse an expression; ``kind`` is its parameter's name."""
    try:
        reader = _Reader(text)
        if kind == "UpdateExpression":
            reader.update()
        elif kind == "ProjectionExpression":
            reader.projection()
        else:
            reader.condition()
        reader.end()
    except _SyntaxError as error:
        return Parsed(wrong=[(Rule.EXPRESSION_SYNTAX, f"{kind} {text[:200]!r}: {error}")])
    for word in sorted(reader.out.words):
        if word.upper() in RESERVED:
            reader.out.wrong.append((Rule.RESERVED, f"{word} in {kind} {text[:200]!r}"))
    return reader.out
