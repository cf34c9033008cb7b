"""Lets every call fail in every way: at each call, process and engine fork, and the child continues with a failure."""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from tests.drills.client import Line
from tests.drills.faults import FAULTS, Faults

KINDS = ("killed before it", "refused", "throttled", "answer lost")
"""The kinds of failures. Being killed after a call is the same as before the next one."""

T = TypeVar("T")


@dataclass(frozen=True)
class Drill:
    """One failure and its result."""

    scenario: str
    number: int
    call: str
    failure: str
    first: str
    """How the first run ended."""
    wrong: list[str]
    """The differences found after the second run."""


class Branching(Faults):
    """Lets each call fail in a forked child of this process.

    ``folders`` are restored after each child, which changes them. With ``every``, only the first call of each kind
    fails, and of these every n-th, with one failure each. With 0, all calls fail with all :data:`KINDS`, or with one
    kind each if ``turn`` is given.
    """

    def __init__(self, line: Line, folders: Sequence[Path], *, every: int = 0, turn: int | None = None) -> None:
        super().__init__()
        self._line = line
        self._folders = folders
        self._every = every
        self._turn = turn
        self._looked: dict[str, list[str]] = {}
        self._parent: Connection | None = None

    @property
    def failed(self) -> bool:
        """Whether a call has failed in this process."""
        return self._parent is not None

    def make(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Make one call; fork children in which it fails."""
        if self._parent is None:
            name = f"{client.meta.service_model.service_name}.{operation}"
            for kind in self._kinds(name):
                if self._branch(name, kind):
                    break
        return super().make(client, operation, arguments)

    def _kinds(self, name: str) -> Iterator[str]:
        if not self._every and self._turn is None:
            yield from KINDS
        elif self._turn is not None:
            yield KINDS[(len(self.calls) + self._turn) % len(KINDS)]
        elif name not in self.calls:
            kinds = list(FAULTS)
            turn, rest = divmod(len(set(self.calls)), self._every)
            if rest == 0:
                yield kinds[turn % len(kinds)]

    def _branch(self, name: str, kind: str) -> bool:
        """Fork; returns true in the child."""
        kept = {path: path.read_bytes() for folder in self._folders for path in folder.glob("*.json")}
        gc.freeze()  # keeps the collector from touching existing objects in each child, which would copy their memory
        copy = self._line.fork()
        here, there = Pipe()
        child = os.fork()
        if child == 0:
            here.close()
            self._parent = there
            self._line.move(copy)
            self.kind, self.at = kind, len(self.calls) + 1
            return True
        there.close()
        drill = Drill("", len(self.calls) + 1, name, kind, "", ["the drill itself failed"])
        with suppress(EOFError):
            drill = self._heard(here)
        os.waitpid(child, 0)
        print(json.dumps(asdict(drill)), file=sys.__stdout__, flush=True)  # the output of the deployment is redirected
        for folder in self._folders:
            for path in folder.glob("*.json"):
                path.unlink()
        for path, data in kept.items():
            path.write_bytes(data)
        return False

    def _heard(self, child: Connection) -> Drill:
        """The child's result. Before it, the child asks for known results of states, and reports those it finds."""
        while True:
            word, *rest = child.recv()
            match word:
                case "known":
                    child.send(self._looked.get(rest[0]))
                case "found":
                    self._looked[rest[0]] = rest[1]
                case _:
                    return Drill(*rest)

    def once(self, state: str, look: Callable[[], list[str]]) -> list[str]:
        """Check a state, unless another child has checked the same one; returns the differences found."""
        assert self._parent is not None
        self._parent.send(("known", state))
        known: list[str] | None = self._parent.recv()
        if known is None:
            known = look()
            self._parent.send(("found", state, known))
        return known

    def end(self, scenario: str, first: str | None, wrong: list[str]) -> None:
        """Send the result to the parent, and exit."""
        assert self._parent is not None
        said = first or "succeeded anyway"
        self._parent.send(("ended", scenario, self.at, self.calls[self.at - 1], self.kind, said, wrong))
        self._parent.close()
        os._exit(0)

    def guarded(self, run: Callable[[], T]) -> T:
        """A context for branching in which a child exits even after an unexpected error."""
        try:
            return run()
        except BaseException:
            if self._parent is None:
                raise
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)
