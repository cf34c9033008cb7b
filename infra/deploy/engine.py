"""The embedded engine as an AWS of one's own: ``make deploy STAGE=local-aws`` deploys to it.

A process of its own keeps the engine, policies enforced, until it is told to stop; a lock tells whether it lives. It
keeps nothing beyond its end.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from infra.local import environment, private
from infra.local.engine.process import Engine
from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

STAGE = "local-aws"
"""The stage that is deployed to it."""
FOLDER = ROOT / ".local" / STAGE
_LIMIT = 60.0
_started: dict[Path, subprocess.Popen[bytes]] = {}
"""The keepers that this process started, by their folder, and has to wait for if it also ends them."""


@dataclass(frozen=True, slots=True)
class LocalAws:
    """The engine whose data and notes are in ``folder``."""

    folder: Path = FOLDER

    def variables(self) -> dict[str, str] | None:
        """The environment in which SDKs find the running engine; None if it does not run."""
        with self._lock() as free:
            pass
        if free or not self._note.exists():  # without a note it starts, or ends
            return None
        found: dict[str, str] = json.loads(self._note.read_text())["environment"]
        return found

    def ensure(self) -> tuple[dict[str, str], bool]:
        """The environment of the engine, which is started unless it runs; and whether it was."""
        known = self.variables()
        if known is not None:
            return known, False
        private.folder(self.folder)
        with (self.folder / "keeper.log").open("wb") as log:
            keeper = subprocess.Popen(
                [sys.executable, "-m", __name__, str(self.folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives this program and its terminal
            )
        _started[self.folder] = keeper
        deadline = time.monotonic() + _LIMIT
        while time.monotonic() < deadline and keeper.poll() is None:
            if (found := self.variables()) is not None:
                return found, True
            time.sleep(0.1)
        raise RuntimeError(f"the embedded engine did not start; see {self.folder / 'keeper.log'}")

    def stop(self) -> bool:
        """Stop the engine; False if it did not run."""
        if self.variables() is None:
            return False
        os.kill(json.loads(self._note.read_text())["pid"], signal.SIGTERM)
        deadline = time.monotonic() + _LIMIT
        while self.variables() is not None:
            if time.monotonic() > deadline:
                raise RuntimeError("the embedded engine does not end")
            time.sleep(0.1)
        if own := _started.pop(self.folder, None):
            own.wait(_LIMIT)
        return True

    def keep(self) -> None:
        """Run the engine until SIGTERM."""
        os.umask(private.OTHERS)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # Whoever only looks whether it is free holds the lock for a moment.
        with self._lock(patience=2) as free:
            if not free:
                sys.exit("the engine runs already")
            with Engine(self.folder / "engine", persist=False, auth=True) as engine:
                note = {"pid": os.getpid(), "environment": engine.env()}
                private.write(self._note, note)
                stop.wait()
                self._note.unlink()

    @property
    def _note(self) -> Path:
        return self.folder / "engine.json"

    @contextmanager
    def _lock(self, patience: float = 0) -> Iterator[bool]:
        """Hold the keeper's lock for a block; False: someone else holds it, after that many seconds still."""
        private.folder(self.folder)
        deadline = time.monotonic() + patience
        with (self.folder / "engine.lock").open("w") as lock:
            while not (free := _locked(lock)) and time.monotonic() < deadline:
                time.sleep(0.05)
            yield free


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def enter(variables: dict[str, str]) -> None:
    """Let this process and its children find the engine, and nothing else."""
    environment.drop_foreign()
    os.environ.update(variables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Keeps the engine of the stage local-aws.")
    parser.add_argument("folder", type=Path)
    LocalAws(parser.parse_args().folder).keep()
