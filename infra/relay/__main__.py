"""``python -m infra.relay``: serves until SIGTERM, then ends its connections gradually and stops.

| variable | meaning |
|---|---|
| ``RELAY_WEBSOCKETS`` | the WebSocket API: ``wss://HOST/STAGE`` |
| ``RELAY_REST`` | the REST API's host: ``https://HOST`` |
| ``RELAY_PORT`` | the port to listen on (8080); the load balancer in front terminates TLS |
| ``RELAY_CA`` | a CA to trust in addition to the system's; empty: none |
| ``RELAY_NOTICE`` | seconds between SIGTERM and ending the first websocket (10) |
| ``RELAY_PATIENCE`` | maximum seconds that an upload waits for its artifact to be verified (55) |
| ``RELAY_SPREAD`` | seconds over which the websockets are ended (60) |
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from infra.relay import uploads
from infra.relay.app import Relay
from infra.relay.protocol import Websockets
from infra.relay.recordings import RestRecordings
from infra.relay.service import Service
from infra.relay.uploads import Api
from infra.relay.upstream import ApiGateway

PING = 30.0
MESSAGE = 8 * 1024 * 1024


def main() -> None:
    """Serve."""
    try:
        websockets, rest = os.environ["RELAY_WEBSOCKETS"], os.environ["RELAY_REST"]
    except KeyError as missing:
        sys.exit(f"relay: {missing} is not set; python -m pydoc infra.relay.__main__ lists the settings")
    tls = ssl.create_default_context()
    if ca := os.environ.get("RELAY_CA"):
        tls.load_verify_locations(ca)
    upstream = ApiGateway(websockets, tls if websockets.startswith("wss:") else None)
    patience = float(os.environ.get("RELAY_PATIENCE", uploads.PATIENCE))
    service = Service(Relay(upstream, RestRecordings(rest, tls), Api(rest, tls, patience=patience)))
    asyncio.run(_serve(service, int(os.environ.get("RELAY_PORT", "8080"))))


async def _serve(service: Service, port: int) -> None:
    config = uvicorn.Config(
        service,
        host="0.0.0.0",  # noqa: S104  # a container's only address
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws=Websockets,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_max_size=MESSAGE,
        ws_per_message_deflate=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    server = _Server(config)
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave.set)
    serving = asyncio.create_task(server.serve())
    leaving = asyncio.create_task(leave.wait())
    await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        await service.drain(float(os.environ.get("RELAY_NOTICE", "10")), float(os.environ.get("RELAY_SPREAD", "60")))
        server.should_exit = True
    leaving.cancel()
    await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the relay's own handlers."""
        yield


if __name__ == "__main__":
    main()
