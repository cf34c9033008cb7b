"""Polls of another update server, goosebit (hawkBit's protocol, SQLite), in turns with ours, where it is installed.

It is no dependency of this project: install it into an environment of its own, and name that environment's Python.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tests.bench.numbers import Pair, Ratio
from tests.support.running import free_port
from tests.support.usage import cpu

if TYPE_CHECKING:
    from tests.bench.parts import Bench

POLLS: Final = 150
ROUNDS: Final = 5
_SERVE: Final = """
import asyncio, sys
import uvicorn
from tortoise import Tortoise
from goosebit import app
from goosebit.db.config import TORTOISE_CONF

async def create():
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas()
    await Tortoise.close_connections()

asyncio.run(create())
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


async def goosebit(bench: Bench) -> None:
    """Poll both servers over HTTP, one poll at a time; the CPU is that of the whole servers, with their databases."""
    if not bench.goosebit:
        return
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, 1)
        [device] = fleet.devices
        found: list[tuple[float, float]] = []
        with _served(bench.goosebit) as (pid, port):
            for _ in range(ROUNDS + 1):
                before = bench.usage()
                for _ in range(POLLS):
                    await device.poll()
                after = bench.usage()
                ours = sum(after[name] - before[name] for name in ("cpu", "engine_cpu")) / POLLS
                begun = cpu(pid)
                _poll(port, POLLS)
                found.append((ours, (cpu(pid) - begun) / POLLS))
    found.pop(0)  # caches
    ours, theirs = (sorted(each)[len(each) // 2] for each in zip(*found, strict=True))
    pair = Pair(ours, theirs, sorted(one / two for one, two in found))
    bench.results.ratios.append(Ratio("idle poll over HTTP, whole server with its database", "goosebit", pair, None))


def _poll(port: int, times: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(times):
        connection.request("GET", "/DEFAULT/controller/v1/device-1")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"goosebit answered {answer.status}")
    connection.close()


@contextmanager
def _served(python: Path) -> Iterator[tuple[int, int]]:
    """The process id and port of a goosebit server."""
    port = free_port()
    with TemporaryDirectory() as folder:
        environment = os.environ | {"GOOSEBIT_DB_URI": f"sqlite://{folder}/db.sqlite3"}
        running = subprocess.Popen(
            [python, "-c", _SERVE, str(port)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await(running, port)
            yield running.pid, port
        finally:
            running.terminate()
            running.wait()


def _await(running: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if running.poll() is not None:
            raise RuntimeError("goosebit did not start; is it installed for this Python?")
        with suppress(OSError):
            _poll(port, 1)
            return
        time.sleep(0.1)
    raise RuntimeError("goosebit did not start within 30 s")
