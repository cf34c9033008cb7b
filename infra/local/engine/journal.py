"""Keeps what the engine has answered across a ``kill -9`` or a power cut: a file of the calls since the last snapshot.

A call that changed something is appended to the file, and answered once it is on the disk; calls that wait share an
``fsync``. At the next start the engine restores the snapshot and runs these calls again, in the same order.

The engine runs one call at a time on its event loop, and begins to answer in the same step. So the file has the order
of the changes, and a fork (``snapshots.py``) contains all changes before it and none after it. Objects in S3 are not in
the file: they have files of their own (``objects.py``).
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping
    from pathlib import Path

    Scope = MutableMapping[str, Any]
    App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

log = logging.getLogger("journal")

_HEAD = struct.Struct(">II")
"""Length of a record and its CRC-32."""


class Journal:
    """The calls since each snapshot, in ``journal-<number of the snapshot>`` of a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._file = -1
        self._added = 0
        self._stored = 0
        self._storing: asyncio.Task[None] | None = None

    def numbers(self) -> list[int]:
        """The numbers of the files, in order."""
        return sorted(map(number_of, self._root.glob("journal-*")))

    def begin(self, number: int) -> None:
        """Add to this file from now on."""
        if self._file >= 0:
            os.fdatasync(self._file)
            os.close(self._file)
            self._stored = self._added
        path = self._path(number)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # A record that is incomplete belongs to a call that was never answered.
        os.truncate(self._file, sum(_HEAD.size + length for length, _ in _records(path)))
        sync_folder(self._root)

    def drop_before(self, number: int) -> None:
        """Remove the files of earlier snapshots."""
        for each in self.numbers():
            if each < number:
                self._path(each).unlink()

    async def store(self, call: bytes) -> None:
        """Append a call; returns when it is on the disk."""
        self._append(_HEAD.pack(len(call), zlib.crc32(call)) + call)
        self._added += 1
        mine = self._added
        while self._stored < mine:
            if self._storing is None:
                self._storing = asyncio.create_task(self._sync())
            await asyncio.shield(self._storing)

    def _append(self, record: bytes) -> None:
        """Write a whole record or nothing: the records after an incomplete one would be lost."""
        size = os.fstat(self._file).st_size
        if os.write(self._file, record) < len(record):
            os.ftruncate(self._file, size)
            raise OSError(errno.ENOSPC, "the disk is full, so a change is not in the journal")

    async def _sync(self) -> None:
        added = self._added
        copy = os.dup(self._file)  # the file may be closed for the next one meanwhile
        try:
            await asyncio.to_thread(os.fdatasync, copy)
        finally:
            os.close(copy)
            self._storing = None
        self._stored = max(self._stored, added)

    async def replay(self, app: App, since: int) -> int:
        """Run again all calls of the files from number ``since`` on; returns how many there were."""
        done = 0
        for number in self.numbers():
            for _, call in _records(self._path(number)) if number >= since else ():
                await _run_again(app, call)
                done += 1
        return done

    def _path(self, number: int) -> Path:
        return self._root / f"journal-{number}"


def number_of(path: Path) -> int:
    """The number at the end of a name."""
    return int(path.name.rpartition("-")[2])


def sync_folder(folder: Path) -> None:
    """Put the names of the files in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Length and content of the whole records of a file."""
    data = memoryview(path.read_bytes())
    while len(data) >= _HEAD.size:
        length, check = _HEAD.unpack_from(data)
        call = bytes(data[_HEAD.size : _HEAD.size + length])
        if len(call) < length or zlib.crc32(call) != check:
            return
        yield length, call
        data = data[_HEAD.size + length :]


def written(scope: Scope, body: bytes) -> bytes:
    """A call as it is kept."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    call = {"method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode("latin-1")}
    return json.dumps(call | {"headers": headers, "body": body.decode("latin-1")}).encode()


async def _run_again(app: App, call: bytes) -> None:
    kept = json.loads(call)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": kept["method"],
        "path": kept["path"],
        "raw_path": kept["path"].encode(),
        "query_string": kept["query"].encode("latin-1"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept["headers"]],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    body = kept["body"].encode("latin-1")
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    await app(scope, receive, send)
    if status[:1] != [200]:
        # Such as the deletion of a message whose receipt is not known any more: it will be delivered again.
        target = dict(kept["headers"]).get("x-amz-target", kept["path"])
        log.warning("a call of the journal was refused this time: %s, status %s", target, status)
