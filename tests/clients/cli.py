"""Runs ``mender-cli`` and ``mender-artifact`` like an operator."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING, Self

from tests.clients.device import ended
from tests.clients.programs import GENERATOR

if TYPE_CHECKING:
    from pathlib import Path

    Ended = subprocess.CompletedProcess[str]


class MenderCli:
    """An operator's ``mender-cli``, with its own home folder, and trust in the server's CA."""

    def __init__(self, url: str, ca: str, home: Path) -> None:
        self._url = url
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "SSL_CERT_FILE": ca}

    def __call__(self, *arguments: str, timeout: float = 60) -> Ended:
        """Run a command."""
        return subprocess.run(
            ["mender-cli", "--server", self._url, *arguments],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> Interactive:
        """Start a command that runs until it is stopped."""
        process = subprocess.Popen(
            ["mender-cli", "--server", self._url, *arguments],
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Interactive(process)

    def login(self, user: str, password: str) -> Ended:
        """Log in; later commands use the token stored in the home folder."""
        return self("login", "--username", user, "--password", password)

    def upload(self, file: Path) -> Ended:
        """Upload an artifact."""
        return self("artifacts", "upload", "--no-progress", str(file))


class Interactive:
    """A running command, its output and its input; a context manager, which ends it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.output = b""
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # closes its pipes
            ended(self._process)
            self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        while data := os.read(self._process.stdout.fileno(), 65536):
            self.output += data

    def say(self, text: bytes) -> None:
        """Type."""
        assert self._process.stdin
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def wait(self, seconds: float) -> int:
        """Wait for its exit status."""
        return self._process.wait(seconds)

    def shown(self) -> str:
        """Its output, formatted for people."""
        return self.output.decode(errors="replace")


def single_file(folder: Path, name: str, content: str, *, into: Path, device_type: str) -> Path:
    """Generate an artifact that writes the file ``NAME.txt`` to the device, with Mender's script."""
    payload = folder / f"{name}.txt"
    payload.write_text(content)
    artifact = folder / f"{name}.mender"
    words = ["-n", name, "-t", device_type, "-d", str(into), "-o", str(artifact), str(payload)]
    _make(["sh", str(GENERATOR), *words])
    return artifact


def of_module(folder: Path, name: str, module: str, *, device_type: str) -> Path:
    """Generate an artifact for any other update module."""
    payload = folder / f"{name}.txt"
    payload.write_text(name)
    artifact = folder / f"{name}.mender"
    words = ["-T", module, "-n", name, "-t", device_type, "-f", str(payload), "-o", str(artifact)]
    _make(["mender-artifact", "write", "module-image", *words])
    return artifact


def _make(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
