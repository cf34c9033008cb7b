"""Debian's Mender programs: where they are, and what keeps tests from using them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

GENERATOR = Path("/usr/share/doc/mender-client/examples/single-file-artifact-gen")
"""Mender's script that packs a file for the update module ``single-file``."""

ETC = Path("/etc/mender")
IDENTITY = Path("/usr/share/mender/identity")
INVENTORY = Path("/usr/share/mender/inventory")
MODULES = Path("/usr/share/mender/modules/v3")
"""Folders that a client can't be told to look for elsewhere."""


def needs(*programs: str) -> None:
    """Skip the test where a program is missing."""
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def needs_generator() -> None:
    """Skip the test where artifacts can't be made."""
    needs("mender-artifact")
    if not GENERATOR.is_file():
        pytest.skip(f"mender-client's example is not installed: {GENERATOR}")


def needs_devices() -> None:
    """Skip the test where the client can't be run in a world of its own."""
    needs("mender", "unshare", "mount")
    if os.geteuid():
        pytest.skip("only root may give each client folders of its own")
    absent = [str(folder) for folder in (ETC, IDENTITY, INVENTORY, MODULES) if not folder.is_dir()]
    if absent:
        pytest.skip(f"mender-client has no {', '.join(absent)} here")
    if not _can_unshare():
        pytest.skip("this machine allows no private mount namespaces")


@functools.cache
def _can_unshare() -> bool:
    # As the clients will do it: containers may allow the namespace and refuse the mount.
    command = ["unshare", "-m", "--propagation", "private", "mount", "--bind", str(IDENTITY), str(IDENTITY)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
