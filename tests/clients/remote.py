"""Remote access with Mender's programs: ``mender-connect`` on the device, and a relay in front of the server."""

from __future__ import annotations

import json
import ssl
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import httpx2

from infra.local.server import Server
from infra.relay.app import Relay
from infra.relay.recordings import RestRecordings
from infra.relay.upstream import ApiGateway
from tests.clients import programs
from tests.clients.device import MenderClient, ended
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


class RemoteDevice:
    """A device with ``mender`` and ``mender-connect``, which share their own D-Bus; a context manager."""

    def __init__(self, folder: Path, facts: Mapping[str, str], *, serial: str, target: Path) -> None:
        self._folder = folder
        self._socket = folder / "bus"
        self._undo = ExitStack()
        self.client = MenderClient(folder / "device", facts, serial=serial, key="ec", target=target, bus=self._socket)
        config = {
            "ShellCommand": "/bin/sh",
            "ShellArguments": [],
            "User": "root",
            "ReconnectIntervalSeconds": 1,
            "Sessions": {"MaxPerUser": 10},
        }
        (folder / "device" / "etc" / "mender-connect.conf").write_text(json.dumps(config))

    def __enter__(self) -> Self:
        configuration = self._folder / "bus.conf"
        configuration.write_text(BUS.format(socket=self._socket))
        bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"], start_new_session=True
        )
        self._undo.callback(ended, bus)
        until("the bus is there", self._socket.exists)
        self._undo.enter_context(self.client)
        command = ["mender-connect", "--config", str(programs.ETC / "mender-connect.conf"), "daemon"]
        self._undo.callback(ended, self.client.run(command, self._folder / "connect.log"))
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def log(self) -> str:
        """The log of ``mender-connect``."""
        return (self._folder / "connect.log").read_text(errors="replace")


class RelayHost:
    """One host as on AWS: websockets and files go through a relay, everything else directly to the server."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        tls = ssl.create_default_context(cafile=facts["ca"])
        self._url = facts["url"]
        self._rest = httpx2.AsyncClient(base_url=self._url, verify=tls, timeout=30)
        upstream = ApiGateway(self._url.replace("http", "ws", 1) + "/websockets", tls)
        self._relay = Relay(upstream, RestRecordings(self._url, tls))
        self._server = Server("127.0.0.1", 0)
        self.facts = {**facts, "url": f"http://127.0.0.1:{self._server.port}"}

    def __enter__(self) -> Self:
        self._server.start(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            for answer in ("startup", "shutdown"):
                await receive()
                if answer == "shutdown":
                    await self._rest.aclose()
                await send({"type": f"lifespan.{answer}.complete"})
        elif self._relay.serves(scope):
            await self._relay(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(name, value) for name, value in scope["headers"] if name not in (b"host", b"transfer-encoding")]
        place = scope["raw_path"] + b"?" + scope["query_string"]
        answer = await self._rest.request(scope["method"], place.decode(), headers=headers, content=body)
        told = [
            (name, value) for name, value in answer.headers.raw if name.lower() not in (b"content-encoding", b"date")
        ]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": told})
        await send({"type": "http.response.body", "body": answer.content})
