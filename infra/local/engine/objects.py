"""Keeps the objects of S3 that the engine has answered across a power cut.

The engine writes each object to a file of its own, and its metadata to another one, before it answers. Here the answer
also waits until both are on the disk, and says so if they could not be written.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from pathlib import Path

_failed: list[Exception] = []
"""Why files could not be written since the last answer; the engine only logs this."""


def apply() -> None:
    """Patch the engine. Call once."""
    from ministack.services import s3

    s3._atomic_write = _write


async def store() -> None:
    """Returns when all files that the engine has written are on the disk.

    Raises:
        Exception: a file could not be written, for example because the disk is full.
    """
    if _failed:
        error = _failed[-1]
        _failed.clear()
        raise error
    await asyncio.to_thread(_sync, Path(os.environ["S3_DATA_DIR"]))


def _write(path: str, data: bytes | str, *, text: bool = False) -> None:  # noqa: ARG001
    """Write a file in place of the engine's function: what it replaces stays until the new content is on the disk."""
    unfinished = Path(f"{path}.tmp")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            if Path(path).exists():
                os.fdatasync(file.fileno())
        unfinished.replace(path)
    except Exception as error:
        unfinished.unlink(missing_ok=True)
        _failed.append(error)
        raise


def _sync(folder: Path) -> None:
    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs is None or syncfs(descriptor):  # Linux has it
            os.sync()
    finally:
        os.close(descriptor)
