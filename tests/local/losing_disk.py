"""Runs the engine and records what a power cut would leave of its files.

Used in place of the engine's interpreter: ``losing_disk.py RECORD -m MODULE ...``. Whatever is put on the disk
(``fsync``, ``fdatasync``, ``syncfs``) is recorded in the folder ``RECORD``: contents by inode, names by folder. All
other writes are lost; :func:`left` gives what remains. While the file ``RECORD/stall`` exists, ``syncfs`` never
returns; while ``RECORD/full`` exists, no file can be written in ``objects``.
"""

from __future__ import annotations

import errno
import json
import os
import runpy
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def left(record: Path, data: Path, to: Path, *, names_at_once: bool) -> None:
    """Write the files of ``data`` as a power cut would leave them.

    File systems may put new names on the disk long before contents: ``names_at_once`` has all of them, otherwise only
    those whose folder was synchronized.
    """
    for folder in [data, *(path for path in data.rglob("*") if path.is_dir())]:
        listing = record / f"names-{folder.stat().st_ino}"
        if names_at_once:
            names = {path.name: path.stat().st_ino for path in folder.iterdir() if path.is_file()}
        else:
            names = json.loads(listing.read_text()) if listing.exists() else {}
        target = to / folder.relative_to(data)
        target.mkdir(parents=True, exist_ok=True)
        for name, inode in names.items():
            content = record / f"content-{inode}"
            (target / name).write_bytes(content.read_bytes() if content.exists() else b"")


def _write(path: Path, content: bytes) -> None:
    """Write a record that is whole whenever the process is killed. The snapshots' child writes records too."""
    unfinished = path.with_name(f"unfinished-{os.getpid()}-{path.name}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _keep(record: Path, path: Path) -> None:
    """Record a file's content, or the names in a folder."""
    inode = path.stat().st_ino
    if path.is_dir():
        names = {entry.name: entry.inode() for entry in os.scandir(path) if entry.is_file()}
        _write(record / f"names-{inode}", json.dumps(names).encode())
    else:
        _write(record / f"content-{inode}", path.read_bytes())
        held = record / f"held-{inode}"  # no other file gets this inode after the file is gone
        if not held.exists():
            held.hardlink_to(path)


def _recording(record: Path, sync: Callable[[int], None]) -> Any:
    def recorded(descriptor: int) -> None:
        sync(descriptor)
        _keep(record, Path(f"/proc/self/fd/{descriptor}").readlink())

    return recorded


def _run(record: Path) -> None:
    from infra.local.engine import objects  # noqa: PLC0415  # after the search path is set

    os.fsync = _recording(record, os.fsync)
    os.fdatasync = _recording(record, os.fdatasync)
    data = Path(os.environ["S3_DATA_DIR"]).parent
    sync, opened = objects._sync, os.open

    def sync_all(folder: Path) -> None:
        while (record / "stall").exists():
            (record / "stalled").touch()
            time.sleep(0.01)
        sync(folder)
        # Files that vanish meanwhile are none of S3's.
        for path in [data, *data.rglob("*")]:
            if (path.is_file() or path.is_dir()) and "tmp" not in path.relative_to(data).parts:
                _keep(record, path)

    def open_unless_full(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if (record / "full").exists() and flags & os.O_CREAT and f"{data}/objects" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(path, flags, *more, **named)

    objects._sync = sync_all
    os.open = open_unless_full


if __name__ == "__main__":
    folder, _, module, *arguments = sys.argv[1:]
    shutil.rmtree(Path(folder), ignore_errors=True)
    Path(folder).mkdir()
    sys.path.insert(0, str(Path.cwd()))
    _run(Path(folder))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
