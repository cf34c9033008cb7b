"""Attacks by another user of the machine: files, ports, the process list."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.running import RunningServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


NOBODY = 65534


@pytest.fixture(scope="module")
def running() -> Iterator[RunningServer]:
    """``make run`` with a data folder that was open to all users, in a parent folder that still is."""
    around = Path(tempfile.mkdtemp(prefix="lamplighter-open-"))
    around.chmod(0o755)
    data = around / "data"
    (data / "tls").mkdir(parents=True)
    data.chmod(0o755)
    try:
        with RunningServer(data, free_port()) as server:
            yield server
    finally:
        shutil.rmtree(around)


class TestAnotherUserOfTheMachine:
    """A process of another user, on the same machine."""

    def test_only_the_owner_may_read_the_data_folder(self, running: RunningServer) -> None:
        assert running.data.stat().st_mode & 0o777 == 0o700
        found = {}
        for path in running.data.rglob("*"):
            with suppress(FileNotFoundError):  # an older snapshot goes when a newer one is there
                found[str(path)] = path.stat().st_mode & 0o077
        del found[str(running.data / "tls")]  # this one was there before
        assert len(found) > 10
        assert [path for path, open_to_others in found.items() if open_to_others] == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as another user")
    def test_another_user_cannot_read_it(self, running: RunningServer) -> None:
        files = [str(path) for path in running.data.rglob("*") if path.is_file()]
        script = (
            "import json, sys\n"
            "readable = []\n"
            "for name in json.load(sys.stdin):\n"
            "    try:\n"
            "        readable.append((name, len(open(name, 'rb').read())))\n"
            "    except PermissionError:\n"
            "        pass\n"
            "print(json.dumps(readable))\n"
        )
        assert files
        assert json.loads(as_nobody(script, json.dumps(files))) == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as another user")
    def test_another_user_is_refused_by_the_engine(self, running: RunningServer) -> None:
        script = (
            "import json, sys, urllib.error, urllib.request\n"
            "endpoint = sys.stdin.read()\n"
            "body = json.dumps({'Name': '/lamplighter/local/signing-keys', 'WithDecryption': True}).encode()\n"
            "headers = {'X-Amz-Target': 'AmazonSSM.GetParameter', 'Content-Type': 'application/x-amz-json-1.1'}\n"
            "for path in ('/', '/_ministack/health', '/lamplighter-local-artifacts'):\n"
            "    try:\n"
            "        urllib.request.urlopen(urllib.request.Request(endpoint + path, body, headers))\n"
            "        print('answered', path)\n"
            "    except urllib.error.HTTPError as error:\n"
            "        print(error.code)\n"
        )

        assert as_nobody(script, running.facts["aws_endpoint"]).split() == ["403"] * 3

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a process as another user")
    def test_the_process_list_does_not_show_the_key(self, running: RunningServer) -> None:
        secret = running.facts["aws_secret_access_key"]
        script = (
            "import glob, sys\n"
            "secret, found = sys.stdin.read().encode(), []\n"
            "for name in glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/environ'):\n"
            "    try:\n"
            "        found += [name] if secret in open(name, 'rb').read() else []\n"
            "    except OSError:\n"
            "        pass\n"
            "print(found)\n"
        )

        assert as_nobody(script, secret).strip() == "[]"


def as_nobody(script: str, typed: str) -> str:
    """The output of a program that runs as an unprivileged user."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("there is no Python that other users may run")
    done = subprocess.run(
        [python, "-I", "-c", script],
        cwd="/",
        env={},
        input=typed,
        capture_output=True,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
