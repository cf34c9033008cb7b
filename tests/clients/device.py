"""A device: Debian's ``mender`` daemon in a private mount namespace, so that many fit on a machine."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.clients import programs
from tests.simulator.device import PrivateKey
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal["rsa", "ec", "ed25519"]

DEVICE_TYPE = "lamp"
START = "factory"
"""The artifact installed on every device at the beginning."""

FAILING = """#!/bin/sh
case "$1" in
    NeedsArtifactReboot) echo No ;;
    SupportsRollback) echo Yes ;;
    ArtifactInstall) echo "the lamp is broken" >&2; exit 1 ;;
esac
"""

# Waits in the middle of an installation until a test creates `go-on`, at most half a minute.
GATED = """#!/bin/sh
case "$1" in
    NeedsArtifactReboot) echo No ;;
    SupportsRollback) echo Yes ;;
    ArtifactInstall)
        touch {target}/half-installed
        for _ in $(seq 300); do
            test -e {target}/go-on && exit 0
            sleep 0.1
        done
        exit 1 ;;
    ArtifactRollback) mv {target}/half-installed {target}/rolled-back ;;
    ArtifactCommit) touch {target}/committed ;;
esac
"""


# An update module for configurations, which Debian does not have. It stores the configuration.
CONFIGURE = """#!/bin/sh
case "$1" in
    NeedsArtifactReboot) echo No ;;
    SupportsRollback) echo No ;;
    ArtifactInstall) cp "$2/header/meta-data" {target}/configuration.json ;;
esac
"""


class MenderClient:
    """One device; a context manager, which ends it.

    ``target`` is the path in the device of the folder to which updates write, ``installed`` its path outside.
    """

    def __init__(
        self,
        folder: Path,
        facts: Mapping[str, str],
        *,
        serial: str,
        key: Kind,
        target: Path,
        bus: Path | None = None,
        certify: Callable[[PrivateKey], str] | None = None,
    ) -> None:
        """Write the device's files.

        ``facts`` are those of the server; ``bus`` is the socket of a D-Bus for ``mender-connect``; ``certify`` makes a
        certificate of the device's key, as one line that its identity script prints.
        """
        self.serial = serial
        self.id = ""
        self.installed = folder / "installed"
        self._folder = folder
        self._target = target
        self._log = folder / "mender.log"
        self._env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
        if bus is not None:
            self._env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={bus}"
        self._make_folders()
        self._write_config(facts, on_bus=bus is not None)
        own = _write_key(self._folder / "data" / "mender-agent.pem", key)
        if certify is not None:
            with (self._folder / "identity" / "mender-device-identity").open("a") as script:
                script.write(f"echo certificate={certify(own)}\n")

    def _make_folders(self) -> None:
        for name in ("etc", "data", "identity", "inventory", "modules", "bin", "installed"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "etc" / "artifact_info").write_text(f"artifact_name={START}\n")
        (self._folder / "data" / "device_type").write_text(f"device_type={DEVICE_TYPE}\n")
        shutil.copy(programs.MODULES / "single-file", self._folder / "modules")
        scripts = {
            "identity/mender-device-identity": f"#!/bin/sh\necho SerialNo={self.serial}\n",
            "inventory/mender-inventory-lamp": "#!/bin/sh\necho wick=cotton\necho oil=rape\necho oil=olive\n",
            "modules/failing": FAILING,
            "modules/mender-configure": CONFIGURE.format(target=shlex.quote(str(self._target))),
            "modules/gated": GATED.format(target=shlex.quote(str(self._target))),
            # A client's commands to its machine, such as a reboot, must not affect this one.
            "bin/systemctl": "#!/bin/sh\nexit 0\n",
            "bin/reboot": "#!/bin/sh\nexit 0\n",
        }
        for name, text in scripts.items():
            script = self._folder / name
            script.write_text(text)
            script.chmod(0o755)

    def _write_config(self, facts: Mapping[str, str], *, on_bus: bool) -> None:
        config = {
            "ServerURL": facts["url"],
            "ServerCertificate": facts["ca"],
            "TenantToken": facts["tenant_token"],
            "UpdatePollIntervalSeconds": 1800,  # tests trigger polls by a signal
            "InventoryPollIntervalSeconds": 1800,
            "RetryPollIntervalSeconds": 1,
            "DBus": {"Enabled": on_bus},
        }
        (self._folder / "etc" / "mender.conf").write_text(json.dumps(config))

    def __enter__(self) -> Self:
        daemon = ["mender", "--data", str(self._folder / "data"), "--no-syslog", "--log-level", "debug", "daemon"]
        self._process = self.run(daemon, self._log)
        return self

    def run(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in the device's namespace; the caller has to end it."""
        seen = {
            "etc": programs.ETC,
            "identity": programs.IDENTITY,
            "inventory": programs.INVENTORY,
            "modules": programs.MODULES,
            "installed": self._target,
        }
        binds = [shlex.join(["mount", "--bind", str(self._folder / own), str(at)]) for own, at in seen.items()]
        script = " && ".join([*binds, f"exec {shlex.join(command)}"])
        with log.open("w") as output:
            return subprocess.Popen(
                ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a session of its own, so that its children can be ended with it
            )

    def __exit__(self, *_: object) -> None:
        ended(self._process)

    def log(self) -> str:
        """The client's log."""
        return self._log.read_text(errors="replace")

    def poll_until(self, what: str, seen: Callable[[], Any], *, timeout: float = 30) -> Any:
        """Trigger polls until ``seen`` returns something true, and return that."""
        return self._signal_until(signal.SIGUSR1, what, seen, timeout)

    def send_inventory_until(self, what: str, seen: Callable[[], Any], *, timeout: float = 30) -> Any:
        """Trigger inventory reports until ``seen`` returns something true, and return that."""
        return self._signal_until(signal.SIGUSR2, what, seen, timeout)

    def wait(self, what: str, seen: Callable[[], Any], *, timeout: float = 30) -> Any:
        """Wait until ``seen`` returns something true, and return that; a failure shows the end of the device's log."""

        def alive() -> Any:
            assert self._process.poll() is None, f"{self.serial} died\n{self._tail()}"
            return seen()

        return until(f"{self.serial}: {what}", alive, timeout=timeout, detail=self._tail)

    def _signal_until(self, number: signal.Signals, what: str, seen: Callable[[], Any], timeout: float) -> Any:
        pokes = 0

        def poke() -> Any:
            nonlocal pokes
            # The client ignores the signal in some states, so it is repeated about every two seconds.
            if not (value := seen()) and pokes % 20 == 0:
                os.kill(self._process.pid, number)
            pokes += 1
            return value

        return self.wait(what, poke, timeout=timeout)

    def _tail(self) -> str:
        return "\n".join(self.log().splitlines()[-40:])


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def _write_key(file: Path, kind: Kind) -> PrivateKey:
    key: PrivateKey
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 3072)
    elif kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(pem)
    file.chmod(0o600)
    return key
