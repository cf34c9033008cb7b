"""The server of a soak: ``make run`` on a folder and port of its own, killed and started again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.running import RunningServer, free_port
from tests.support.usage import Memory

PARTS = ("server", "engine")
"""The processes of `make run`: the server, which also has the workers and the schedule in threads, and the engine."""

KILLS = ("server", "engine", "both", "stop")
"""How it is ended: `kill -9` of one process, of both, or SIGTERM."""

_ERROR = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception|Exceeded|Refused)\b.*)$", re.MULTILINE)


class _Life(RunningServer):
    """One life of the server, from a start to its end."""

    def __init__(self, data: Path, port: int, number: int) -> None:
        super().__init__(data, port)
        self._output = data.with_name(f"run-{number}.log")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def pids(self) -> dict[str, int]:
        """The ids of its processes."""
        return {"server": self.pid, "engine": self.engine}


@dataclass
class Sample:
    """The memory of the processes at one time."""

    at: float
    life: int
    rss: dict[str, float]
    """In MB."""


@dataclass
class Server:
    """The server, over all its lives."""

    folder: Path
    lives: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    starts: list[float] = field(default_factory=list)
    """The seconds that each start took."""
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self._life: _Life | None = None
        self._begun = time.monotonic()

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    @property
    def port(self) -> int:
        """Its port, the same in all lives."""
        return self._port

    @property
    def facts(self) -> dict[str, Any]:
        """The content of its `server.json`."""
        return dict(self._running.facts)

    @property
    def pids(self) -> dict[str, int]:
        """The ids of its processes, by their names."""
        return self._running.pids

    @property
    def _running(self) -> _Life:
        if self._life is None:
            raise RuntimeError("the server is not running")
        return self._life

    def allow(self, port: int) -> None:
        """Let the server send events to a port of this machine, from its next start on."""
        os.environ["LAMPLIGHTER_OUTBOUND_NETWORKS"] = "127.0.0.0/8"
        os.environ["LAMPLIGHTER_OUTBOUND_PORTS"] = str(port)

    async def start(self) -> None:
        """Start it; returns once it serves."""
        began = time.monotonic()
        self.lives += 1
        life = _Life(self.data, self._port, self.lives)
        await asyncio.to_thread(life.__enter__)
        self._life = life
        self.starts.append(time.monotonic() - began)

    async def stop(self) -> None:
        """Stop it with SIGTERM; does nothing if it is not running."""
        life, self._life = self._life, None
        if life is not None:
            await asyncio.to_thread(life.stop)

    async def kill(self, how: str) -> None:
        """End it in one of the ways of :data:`KILLS`, and start it again."""
        life, self._life = self._running, None
        self.kills[how] += 1
        if how in {"engine", "both"}:
            os.kill(life.engine, signal.SIGKILL)
        # Without its engine, the server ends by itself.
        end = {"engine": life.join, "stop": life.stop}.get(how, life.kill)
        await asyncio.to_thread(end)
        await self.start()

    @property
    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._life is not None and not self._life.is_running

    def sample(self) -> None:
        """Measure the memory of the processes."""
        life = self._life
        if life is not None and life.is_running:
            rss = {name: Memory.of(pid).now for name, pid in life.pids.items()}
            self.samples.append(Sample(time.monotonic() - self._begun, self.lives, rss))

    def errors(self) -> Counter[str]:
        """The last lines of tracebacks in the logs, without their numbers, by how often they occur."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("run-*.log"):
            for line in _ERROR.findall(path.read_text(errors="replace")):
                found[re.sub(r"[0-9a-f-]{8,}|\d+", "*", line)[:120]] += 1
        return found
