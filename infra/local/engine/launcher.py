"""The engine's own program: ``python -m infra.local.engine.launcher``, in the engine's environment.

It gets a listening socket from its parent, patches the engine, restores the newest snapshot and serves until SIGTERM or
the end of its standard input, which means that its parent has ended. The app must not import
anything from here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local.engine import auth_proxy
from infra.local.signatures import Key

if TYPE_CHECKING:
    import uvicorn

ENGINE = "1.5.33"
"""The only version for which the patches work, because they use private names."""

KEEP_ALIVE = 75
"""Seconds for which an idle connection stays open; longer than the 60 s for which SDKs reuse theirs."""

STOP_GRACE = 1
"""Seconds for running requests to finish when the engine stops. It does not wait for long polls."""


def main() -> None:
    """Serve until told to stop.

    Raises:
        SystemExit: the engine's version is not the pinned one, or another engine holds the state folder.
    """
    arguments = _arguments()
    found = version("ministack")
    if found != ENGINE:
        sys.exit(f"this launcher is made for ministack {ENGINE}, but ministack {found} is installed")
    key = Key(*json.loads(arguments.key.read_text()))
    # The engine reads its environment when it is imported: its services, and its root credentials.
    services = (
        auth_proxy.STORES | auth_proxy.FUNCTIONS | auth_proxy.INTERNAL if arguments.functions else auth_proxy.STORES
    )
    os.environ["SERVICES"] = ",".join(sorted(auth_proxy.OTHER_NAMES.get(name, name) for name in services))
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = key.id, key.secret
    asyncio.run(_serve(arguments, key))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The embedded AWS engine.")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the listening socket")
    parser.add_argument("--key", type=Path, required=True, help="file of the access key that requests are signed with")
    parser.add_argument("--functions", action="store_true", help="also run the services that deployments need")
    parser.add_argument("--state", type=Path, help="folder of snapshots; without it, nothing is stored")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two snapshots")
    return parser.parse_args()


async def _serve(given: argparse.Namespace, key: Key) -> None:
    import uvicorn
    from ministack import app as engine

    from infra.local.engine import patches
    from infra.local.engine.snapshots import Snapshots

    patches.apply()
    app = engine.app
    snapshots = Snapshots(given.state, given.every) if given.state else None
    if snapshots:
        snapshots.attach()
        app = snapshots.watch(app)
    port, region = int(os.environ["GATEWAY_PORT"]), os.environ["MINISTACK_REGION"]
    app = auth_proxy.AuthProxy(app, key, port=port, region=region, functions=given.functions)
    _empty_tmp()

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="httptools",  # half the time for each request that h11 takes
            ws="wsproto",
            lifespan="on",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_GRACE,
        )
    )
    _stop_at_end_of_input(server)
    background = asyncio.create_task(snapshots.run()) if snapshots else None
    await server.serve([socket.socket(fileno=given.fd)])
    if background:
        background.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await background


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    """Stop the server when standard input ends. Uvicorn itself handles SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()

    def parent_spoke() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            server.should_exit = True

    loop.add_reader(sys.stdin.fileno(), parent_spoke)


def _empty_tmp() -> None:
    """Remove temporary files of a killed engine (mostly Lambda code)."""
    for leftover in Path(os.environ["TMPDIR"]).iterdir():
        shutil.rmtree(leftover, ignore_errors=True)


if __name__ == "__main__":
    main()
