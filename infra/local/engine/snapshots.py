"""Preserves the engine's state, at the cost of a fork. The calls since then are in a journal (``journal.py``).

The engine writes its state only at a clean stop. Its handlers run on one event loop, and none of the relevant services
awaits in the middle of a change, so between two callbacks of the loop the state is consistent, transactions included. A
snapshot is therefore a fork in a callback. The child has a frozen, copy-on-write copy of everything and can take its
time to write it; the loop waits only for the fork, whatever the size of the state. (DynamoDB's expiry of items has a
thread of its own, which the fork excludes by the service's lock.)

A snapshot is a folder ``snapshot-<number>``, renamed into place once all its files are on disk, so the restored state
is always a single moment of all services. The files have the engine's own format.
"""

from __future__ import annotations

import asyncio
import copy
import fcntl
import json
import logging
import os
import shutil
import sys
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Never

from infra.local.engine import objects
from infra.local.engine.journal import Journal, number_of, sync_folder, written

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.engine.journal import App, Scope

log = logging.getLogger("snapshots")

WRITING_SHARE = 4
"""The minimum pause after a snapshot, as a multiple of its duration: writing uses at most a fifth of one core, however
large the state is."""

LOCK_WAIT = 1.0
"""Seconds to wait for the folder: a child of an engine that was just killed may still hold its lock."""

READS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List", "Receive")
"""Prefixes of calls that change no state to be stored. (If a receive is lost, its message is delivered again.)"""


class Snapshots:
    """The snapshots in one folder; exactly one engine at a time may hold it.

    Raises:
        SystemExit: another engine holds the folder.
    """

    def __init__(self, root: Path, every: float) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._every = every
        self._lock = _open(root / "engine.lock")
        _take(self._lock, root)
        os.close(self._writing())  # the last snapshot of a killed engine may still be being written
        self._changes = 0
        self._kept = 0
        for unfinished in root.glob("unfinished-*"):
            shutil.rmtree(unfinished)
        self._newest = max((number_of(path) for path in root.glob("snapshot-*")), default=0)
        self._restored = self._newest
        self._journal = Journal(root)
        # Snapshots that were begun and never finished have left journals: their calls come after the newest one's.
        self._newest = max([self._newest, *self._journal.numbers()])

    def attach(self) -> None:
        """Make the engine restore the newest snapshot when it starts, and write one when it stops."""
        from ministack import app as engine
        from ministack.core import persistence

        persistence.STATE_DIR = str(self._folder(self._restored))

        def save(_services: object) -> None:
            if self._changes != self._kept:
                os.waitpid(self._fork(), 0)

        engine.save_all = save

    def watch(self, app: App) -> App:
        """Wrap an app so that changes are in the journal before they are answered; at its start, replay the journal."""

        async def watched(scope: Scope, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, self._starting(app, send))
            elif scope["type"] != "http" or not _may_change(scope):
                await app(scope, receive, send)
            elif _is_call(scope):
                body = await _read(receive)
                store = partial(self._journal.store, written(scope, body))
                await app(scope, _given(body, receive), self._noting(store, send))
            else:
                # Functions and APIs are in the snapshots only: a deployment that breaks off is started again.
                store_files = objects.store if _is_of_s3(scope) else _store_nothing
                await app(scope, receive, self._noting(store_files, send))

        return watched

    def _noting(self, store: Callable[[], Awaitable[None]], send: Any) -> Any:
        """Wrap ``send`` so that a successful answer waits until the change is stored; errors are sent at once."""

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] < HTTPStatus.MULTIPLE_CHOICES:
                self._changes += 1
                await store()
            await send(message)

        return noting

    def _starting(self, app: App, send: Any) -> Any:
        async def starting(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                done = await self._journal.replay(app, self._restored)
                self._changes += done
                log.info("%d calls of the journal were run again", done)
                self._journal.begin(self._newest)
            await send(message)

        return starting

    async def run(self) -> None:
        """Take a snapshot every few seconds if something changed. Runs until it is cancelled."""
        rest = self._every
        while True:
            await asyncio.sleep(rest)
            if self._changes == self._kept:
                continue
            noted, begun = self._changes, time.monotonic()
            child = self._fork()
            held = time.monotonic() - begun
            _, status = await asyncio.to_thread(os.waitpid, child, 0)
            took = time.monotonic() - begun
            rest = max(self._every, WRITING_SHARE * took)
            if status == 0:
                self._kept = noted
                log.info("snapshot %d: held %.1f ms, written in %.2f s", self._newest, held * 1e3, took)
            else:
                log.error("snapshot %d failed, status %d", self._newest, status)

    def _writing(self) -> int:
        """Wait for the lock that is held while a snapshot is written."""
        descriptor = _open(self._root / "writing.lock")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _fork(self) -> int:
        """Fork a child that writes a snapshot; returns its process id. Call on the event loop."""
        writing = self._writing()
        self._newest += 1
        with _no_expiry(), warnings.catch_warnings():
            # 3.12+ warns that a thread may hold a lock for ever in the child. The child takes none but the
            # allocator's and the interpreter's own, which fork leaves free.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            self._write_and_leave(writing)
        self._journal.begin(self._newest)
        os.close(writing)
        return child

    def _write_and_leave(self, writing: int) -> Never:
        """Write the snapshot in the child and exit. Of the parent's descriptors it keeps only the lock for writing."""
        status = 1
        try:
            os.closerange(3, writing)
            os.closerange(writing + 1, os.sysconf("SC_OPEN_MAX"))
            os.nice(5)
            # This process is a frozen copy already, so the services need not copy theirs once more.
            copy.deepcopy = lambda value, _memo=None: value  # type: ignore[assignment,misc]
            self._write()
            status = 0
        except BaseException as error:  # noqa: BLE001  # nothing above this frame may run in the child
            sys.stderr.write(f"snapshot {self._newest}: {error!r}\n")
        finally:
            os._exit(status)

    def _write(self) -> None:
        from ministack import app as engine
        from ministack.core import persistence

        unfinished = self._root / f"unfinished-{self._newest}"
        unfinished.mkdir()
        for service, state in engine._build_persistence_save_dict().items():
            payload = state()
            if payload is None:
                continue
            document = {
                "__ministack_format__": persistence._state_format_version(service),
                "payload": payload,
            }
            with (unfinished / f"{service}.json").open("w") as file:
                file.write(json.dumps(document, default=persistence._json_default))
                file.flush()
                os.fsync(file.fileno())
        sync_folder(unfinished)
        unfinished.rename(self._folder(self._newest))
        sync_folder(self._root)
        for path in self._root.glob("snapshot-*"):
            if path != self._folder(self._newest):
                shutil.rmtree(path)
        self._journal.drop_before(self._newest)

    def _folder(self, number: int) -> Path:
        return self._root / f"snapshot-{number}"


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _take(lock: int, folder: Path) -> None:
    """Hold the lock for as long as this process lives.

    Raises:
        SystemExit: another engine does.
    """
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                sys.exit(f"another engine works on {folder}")
            time.sleep(0.02)
        else:
            return


@contextmanager
def _no_expiry() -> Iterator[None]:
    """Exclude DynamoDB's thread that expires items."""
    module = sys.modules.get("ministack.services.dynamodb")
    if module is None:
        yield
        return
    with module._lock:
        yield


def _may_change(scope: Scope) -> bool:
    """Whether a request may have changed state to be stored."""
    if scope["method"] in ("GET", "HEAD"):
        return False
    target = next((value for name, value in scope["headers"] if name == b"x-amz-target"), b"")
    return not target.decode("latin-1").partition(".")[2].startswith(READS)


def _is_call(scope: Scope) -> bool:
    """Whether a request is a call of a service with one address, such as DynamoDB or SQS. S3 keeps files of its own."""
    return any(name == b"x-amz-target" for name, _ in scope["headers"])


def _is_of_s3(scope: Scope) -> bool:
    """Whether a request is signed for S3, in its header or its link."""
    signed = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    return b"/s3/aws4_request" in signed or b"%2Fs3%2Faws4_request" in scope["query_string"]


async def _store_nothing() -> None:
    pass


async def _read(receive: Any) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _given(body: bytes, receive: Any) -> Any:
    """Gives a body that was read, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Any:
        return left.pop() if left else await receive()

    return given
