"""The memory of a relay with idle devices, each with two websockets: its own and the one to API Gateway."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from tests.bench.numbers import ROOT, Number
from tests.support.waiting import until

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from tests.bench.parts import Bench

_SPARE = 200
"""File descriptors that a process needs for other purposes."""
_AT_ONCE = 100


async def relay(bench: Bench) -> None:
    """Open as many idle device websockets as a process may have on this machine, 10,000 at most."""
    wanted = min(bench.size.sockets, (_most_files() - _SPARE) // 2)
    # One process each for the relay, its upstream and the devices. The relay has two sockets for each device.
    with ExitStack() as stack:
        server = stack.enter_context(_Process(_serve))
        environment = os.environ | {
            "RELAY_WEBSOCKETS": f"ws://127.0.0.1:{server.told}",
            "RELAY_REST": "http://127.0.0.1:1",
            "RELAY_PORT": str(server.told + 1),
            "RELAY_NOTICE": "0",
            "RELAY_SPREAD": "0",
        }
        running = subprocess.Popen([sys.executable, "-m", "infra.relay"], cwd=ROOT, env=environment)  # noqa: ASYNC220
        stack.callback(running.wait)
        stack.callback(running.terminate)
        devices = stack.enter_context(_Process(_connect, server.told + 1))
        before = _resident(running.pid)
        begun = time.monotonic()
        devices.pipe.send(wanted)
        opened = devices.pipe.recv()
        seconds = time.monotonic() - begun
        if opened != wanted:
            bench.results.failures.append(f"relay: {opened} of {wanted} websockets were opened")
        after = _resident(running.pid)
    bench.results.numbers["A relay with idle devices"] = [
        Number("device websockets, each with one to API Gateway", opened, ""),
        Number("memory of the relay before / with them", before / 1e6, "MB"),
        Number("... with them", after / 1e6, "MB"),
        Number("memory for each device", (after - before) / max(1, opened) / 1e3, "kB"),
        Number("opened", opened / seconds, "a second", seconds / max(1, opened)),
    ]


def _most_files() -> int:
    """The maximum number of open files of a process, after raising it as far as allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


class _Process:
    """Runs a function in a new process, which reports one value when it is ready and ends with the block."""

    def __init__(self, target: Any, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
        self.told: Any = None

    def __enter__(self) -> Self:
        self._process.start()
        self.told = self.pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self.pipe.close()


def _serve(pipe: Connection) -> None:
    """The relay's upstream: accepts every websocket and sends nothing."""

    async def run() -> None:
        async with serve(
            lambda link: link.wait_closed(), "127.0.0.1", 0, compression=None, ping_interval=None
        ) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            await asyncio.Event().wait()

    _most_files()
    asyncio.run(run())


def _connect(pipe: Connection, port: int) -> None:
    """The devices."""

    async def run() -> None:
        address = f"ws://127.0.0.1:{port}/api/devices/v1/deviceconnect/connect"
        async with AsyncExitStack() as stack:
            gate = asyncio.Semaphore(_AT_ONCE)

            async def dial() -> bool:
                async with gate:
                    opening = connect(address, compression=None, proxy=None, ping_interval=None, open_timeout=120)
                    return bool(await stack.enter_async_context(opening))

            count = await asyncio.to_thread(pipe.recv)
            opened = await asyncio.gather(*(dial() for _ in range(count)), return_exceptions=True)
            pipe.send(sum(each is True for each in opened))
            await asyncio.Event().wait()

    _most_files()
    until("the relay listens", lambda: _listens(port))
    pipe.send("ready")
    asyncio.run(run())


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
