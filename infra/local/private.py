"""Files and folders that only their owner can read."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = 0o077
"""The permission bits of group and others."""


OURS = frozenset(
    {
        "deployed.json",
        "engine",
        "engine.json",
        "engine.lock",
        "engine.log",
        "first_tenant.json",
        "key.json",
        "local-aws",
        "server.json",
        "state",
        "tls",
    }
)
"""File names by which a data folder is recognised."""


class OpenFolderError(Exception):
    """The folder cannot be made private; the message says why and what to do."""


def folder(path: Path) -> None:
    """Create a folder that only its owner can enter, or make an existing data folder private.

    Raises:
        OpenFolderError: it belongs to another user, or holds other files and is not a data folder.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = path.stat()
    if about.st_uid != os.geteuid():
        raise OpenFolderError(
            f"{path} belongs to another user, who could read what is stored there; choose another folder"
        )
    if not about.st_mode & OTHERS:
        return
    names = {entry.name for entry in path.iterdir()}
    if names and not names & OURS:
        raise OpenFolderError(
            f"other users may enter {path}, which also holds other things: name a folder that is used for nothing "
            "else, or close this one with `chmod 700`"
        )
    path.chmod(stat.S_IMODE(about.st_mode) & ~OTHERS)


def write(file: Path, document: Any) -> None:
    """Write a JSON file that only its owner can read; it is never incomplete or readable by others."""
    unfinished = file.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(json.dumps(document, indent=2) + "\n")
    unfinished.replace(file)
