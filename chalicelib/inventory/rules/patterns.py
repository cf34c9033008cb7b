r"""Regular expressions of searches, matched in time that grows with the text and never explodes.

Python's ``re`` backtracks: ``(a+)+$`` against 40 letters takes years, and a search applies its pattern to a whole
fleet. Here a pattern becomes a set of states that all advance together (Thompson's construction); transitions are
remembered as they appear. Supported are literals, ``.``, classes, ``\d \w \s`` and their negations, groups, ``|``, ``*
+ ? {m,n}`` (lazy ones match the same), ``^`` and ``$``. Back references and look-around, which need backtracking, are
refused (``docs/adr/0009-own-regular-expressions.md``).

A pattern is anchored at the beginning, except in the form ``/pattern/flags`` (OpenAPI). Text that is not a regular
expression is refused: by the OpenAPI text it would find nothing, and nobody would know why.
"""

from __future__ import annotations

import re

import msgspec

from chalicelib.errors import BadRequest

_STATES = 500
"""Maximum states of a pattern; counted repeats multiply them."""
_TEXT = 1024
"""Characters of a value that are matched."""
_REMEMBERED = 5_000
"""Maximum remembered transitions."""
_DEPTH = 50
_WORK = 10_000_000
"""Maximum work of one search. A unit is a character that is matched, or an eighth of a computed state. Patterns with
few states stay far below it in a fleet of 100,000 devices."""
_STATE = 8
"""Units of a computed state: it takes about as long as this many characters."""
_FLAGS = "imsux"


class _MalformedError(ValueError):
    """The text is not a regular expression."""


class _Chars(msgspec.Struct, frozen=True):
    """A set of characters: ranges, or everything except these."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False
    fold: bool = False

    def __contains__(self, char: str) -> bool:
        forms = {char, char.lower(), char.upper()} if self.fold else {char}
        return any(low <= form <= high for low, high in self.ranges for form in forms) is not self.negated


_DIGIT = (("0", "9"),)
_WORD = (*_DIGIT, ("A", "Z"), ("_", "_"), ("a", "z"))
_SPACE = ((" ", " "), ("\t", "\r"))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}


class Pattern(msgspec.Struct):
    """A compiled pattern: states with edges that consume a character and free edges, some of them only at an end."""

    anchored: bool = False
    edges: list[list[tuple[_Chars, int]]] = []
    free: list[list[tuple[str, int]]] = []
    start: int = 0
    accept: int = -1
    work: int = 0
    """Work done so far."""
    _known: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern matches in the first characters of ``text``.

        Raises:
            BadRequest: matching took too much work in all texts so far.
        """
        text = text[:_TEXT]
        self.work += len(text)
        if self.work > _WORK:
            raise BadRequest("filter $regex: the pattern is too expensive for this many values; simplify it")
        states = self._closure({self.start}, "^" if text else "^$")
        for char in text:
            if self.accept in states:
                return True
            following = self._known.get((states, char))
            if following is None:
                following = self._step(states, char)
            states = following
        return self.accept in self._closure(set(states), "$" if text else "^$")

    def _step(self, states: frozenset[int], char: str) -> frozenset[int]:
        self.work += _STATE * len(states)
        reached = {target for state in states for chars, target in self.edges[state] if char in chars}
        if not self.anchored:
            reached.add(self.start)
        following = self._closure(reached, "")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[states, char] = following
        return following

    def _closure(self, states: set[int], at: str) -> frozenset[int]:
        waiting = list(states)
        while waiting:
            for condition, target in self.free[waiting.pop()]:
                if condition in at and target not in states:
                    states.add(target)
                    waiting.append(target)
        return frozenset(states)


def of_filter(text: str) -> Pattern:
    """The pattern of a filter's value.

    Raises:
        BadRequest: it is not a regular expression, too large, or not supported.
    """
    full = re.fullmatch(rf"/(.*)/([{_FLAGS}]*)", text, re.DOTALL)
    source, flags = (full.group(1), full.group(2)) if full else (text, "")
    try:
        return _Compiler(source, fold="i" in flags).compiled(anchored=full is None)
    except _MalformedError as error:
        raise BadRequest(f"filter $regex: not a valid regular expression: {error}") from error


_Part = tuple[int, int]
"""Two states: the begin and the end of a part of the pattern."""


class _Compiler:
    """Compiles a pattern from left to right."""

    def __init__(self, source: str, *, fold: bool) -> None:
        self._source = source
        self._fold = fold
        self._at = 0
        self._pattern = Pattern()

    def compiled(self, *, anchored: bool) -> Pattern:
        """The pattern; the whole source must be valid."""
        if self._source.startswith("(?i)"):
            self._fold, self._at = True, len("(?i)")
        begin, end = self._either(0)
        if self._at < len(self._source):
            raise _MalformedError("unmatched )")
        self._pattern.anchored, self._pattern.start, self._pattern.accept = anchored, begin, end
        return self._pattern

    def _state(self) -> int:
        if len(self._pattern.edges) >= _STATES:
            raise BadRequest("filter $regex: the pattern is too large")
        self._pattern.edges.append([])
        self._pattern.free.append([])
        return len(self._pattern.edges) - 1

    def _go(self, source: int, target: int, condition: str = "") -> None:
        self._pattern.free[source].append((condition, target))

    def _next(self) -> str:
        if self._at >= len(self._source):
            raise _MalformedError("unexpected end of the pattern")
        self._at += 1
        return self._source[self._at - 1]

    def _ahead(self) -> str:
        return self._source[self._at : self._at + 1]

    def _either(self, depth: int) -> _Part:
        if depth > _DEPTH:
            raise BadRequest("filter $regex: the pattern is nested too deeply")
        begin, end = self._state(), self._state()
        while True:
            first, last = self._sequence(depth)
            self._go(begin, first)
            self._go(last, end)
            if self._ahead() != "|":
                return begin, end
            self._at += 1

    def _sequence(self, depth: int) -> _Part:
        begin = end = self._state()
        while self._ahead() not in {"", "|", ")"}:
            mark = self._at
            part = self._atom(depth)
            first, last = self._repeated(part, mark, depth)
            self._go(end, first)
            end = last
        return begin, end

    def _repeated(self, part: _Part, mark: int, depth: int) -> _Part:
        bounds = self._bounds()
        if bounds is None:
            return part
        least, most = bounds
        after = self._at
        begin, end = self._state(), self._state()
        at = begin
        # Each repetition is a copy: the atom is read again from its position in the source.
        for count in range(max(least, 1 if most is None else most)):
            if count:
                self._at = mark
                part = self._atom(depth)
            if count >= least:
                self._go(at, end)
            self._go(at, part[0])
            at = part[1]
        self._go(at, end)
        if most is None:
            self._go(at, part[0])
        self._at = after
        return begin, end

    def _bounds(self) -> tuple[int, int | None] | None:
        """The bounds of a quantifier at this position; None if there is none."""
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        found: tuple[int, int | None] | None = simple.get(self._ahead())
        if found is not None:
            self._at += 1
        else:
            counted = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}").match(self._source, self._at)
            if counted is None:
                return None
            self._at = counted.end()
            least = int(counted[1])
            most = least if counted[2] is None else int(counted[3] or -1)
            found = (least, None if most < 0 else most)
            if 0 <= most < least:
                raise _MalformedError("in {m,n}, m must not be greater than n")
        if self._ahead() == "?":
            self._at += 1
        if self._ahead() in {"*", "+"}:
            raise _MalformedError("two quantifiers follow each other")
        return found

    def _atom(self, depth: int) -> _Part:
        char = self._next()
        if char == "(":
            return self._group(depth)
        if char in "*+?":
            raise _MalformedError("nothing to repeat")
        if char in "^$":
            begin, end = self._state(), self._state()
            self._go(begin, end, char)
            return begin, end
        begin, end = self._state(), self._state()
        self._pattern.edges[begin].append((self._chars(char), end))
        return begin, end

    def _group(self, depth: int) -> _Part:
        if self._ahead() == "?":
            if not self._source.startswith("?:", self._at):
                raise BadRequest("filter $regex: this kind of group is not supported")
            self._at += 2
        part = self._either(depth + 1)
        if self._next() != ")":
            raise _MalformedError("missing ) of a group")
        return part

    def _chars(self, char: str) -> _Chars:
        if char == ".":
            return _Chars((("\n", "\n"),), negated=True)
        if char == "[":
            return self._class()
        ranges, negated = self._escape() if char == "\\" else (((char, char),), False)
        return _Chars(ranges, negated, self._fold)

    def _escape(self) -> tuple[tuple[tuple[str, str], ...], bool]:
        char = self._next()
        known = _CLASSES.get(char.lower())
        if known is not None:
            return known, char.isupper()
        if char.isalnum() and char not in _CONTROL:
            raise BadRequest(f"filter $regex: \\{char} is not supported")
        char = _CONTROL.get(char, char)
        return ((char, char),), False

    def _class(self) -> _Chars:
        negated = self._ahead() == "^"
        self._at += negated
        ranges: list[tuple[str, str]] = []
        first = True
        while (char := self._next()) != "]" or first:
            first = False
            low, opposite = self._escape() if char == "\\" else (((char, char),), False)
            if opposite:
                raise BadRequest("filter $regex: negated classes inside brackets are not supported")
            if self._ahead() == "-" and self._source[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._at += 1
                char = self._next()
                high, _ = self._escape() if char == "\\" else (((char, char),), False)
                if len(low) > 1 or len(high) > 1 or low[0][0] > high[0][1]:
                    raise _MalformedError("a range in brackets must go from one character to a later one")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        return _Chars(tuple(ranges), negated, self._fold)
