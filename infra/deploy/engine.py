"""The embedded engine as a local AWS: ``make deploy STAGE=local-aws`` deploys to it.

A separate process (the keeper) runs the engine, with policies enforced, until it is told to stop; a lock shows whether
it is running. Its data is lost when it ends.
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
"""The name of its stage."""
FOLDER = ROOT / ".local" / STAGE
_LIMIT = 60.0
_started: dict[Path, subprocess.Popen[bytes]] = {}
"""The keepers that this process has started, by folder; it has to wait for them when it stops them."""


@dataclass(frozen=True, slots=True)
class LocalAws:
    """The engine with its files in ``folder``."""

    folder: Path = FOLDER

    def variables(self) -> dict[str, str] | None:
        """The environment variables for the running engine; None if it does not run."""
        with self._lock() as free:
            pass
        if free or not self._note.exists():  # without the file, it is starting or ending
            return None
        found: dict[str, str] = json.loads(self._note.read_text())["environment"]
        return found

    def ensure(self) -> tuple[dict[str, str], bool]:
        """Start the engine unless it runs; returns its environment, and whether it was started."""
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
                start_new_session=True,  # it continues after this program and its terminal
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
                raise RuntimeError("the embedded engine does not stop")
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
        # A process that checks whether the lock is free holds it for a moment.
        with self._lock(patience=2) as free:
            if not free:
                sys.exit("the engine is already running")
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
        """Hold the keeper's lock for a block; False if another process still holds it after so many seconds."""
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
    """Set the environment of this process and its children to the engine only."""
    environment.drop_foreign()
    os.environ.update(variables)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Runs the engine of the stage local-aws.")
    parser.add_argument("folder", type=Path)
    LocalAws(parser.parse_args().folder).keep()
