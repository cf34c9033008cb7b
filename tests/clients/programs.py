"""Debian's Mender programs: their paths, and reasons to skip tests that need them."""

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
"""Folders whose paths cannot be configured in a client."""


def needs(*programs: str) -> None:
    """Skip the test if a program is missing."""
    missing = [name for name in programs if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def needs_generator() -> None:
    """Skip the test if artifacts cannot be generated."""
    needs("mender-artifact")
    if not GENERATOR.is_file():
        pytest.skip(f"mender-client's example is not installed: {GENERATOR}")


def needs_devices() -> None:
    """Skip the test if the client cannot run in its own mount namespace."""
    needs("mender", "unshare", "mount")
    if os.geteuid():
        pytest.skip("only root can mount folders for each client")
    absent = [str(folder) for folder in (ETC, IDENTITY, INVENTORY, MODULES) if not folder.is_dir()]
    if absent:
        pytest.skip(f"mender-client has no {', '.join(absent)} here")
    if not _can_unshare():
        pytest.skip("this machine allows no private mount namespaces")


@functools.cache
def _can_unshare() -> bool:
    # With a mount, like the clients: containers may allow the namespace and refuse the mount.
    command = ["unshare", "-m", "--propagation", "private", "mount", "--bind", str(IDENTITY), str(IDENTITY)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
