"""Runs the app's handlers in threads, and decides which calls wait for a thread and which are refused.

Lambda runs as many calls at once as its quota allows. One machine has a few threads, and when a whole fleet calls at
once, most calls have to wait. A call whose wait would be too long is refused at once and told when to come back. It
costs little, and it is not run, so that it can safely be repeated. A handler gets its full time, however long it
waited for its thread.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")

MARGIN = 0.75
"""Share of the longest wait that a call may have to expect; the rest is for errors of the estimate."""


class BusyError(Exception):
    """All threads will be busy for too long. ``retry_after`` is when the caller should come back, in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class GoneError(Exception):
    """The client closed its connection before its call could begin."""


@dataclass(eq=False, slots=True)
class Call:
    """A call that waits for a thread or runs in one."""

    work: Callable[[], Any]
    begun: Future[None] = field(default_factory=Future)
    outcome: Future[Any] = field(default_factory=Future)

    def run(self) -> Callable[[], None]:
        """Do the work, in the thread that it was given; returns what makes the outcome known."""
        self.begun.set_result(None)
        try:
            return partial(self.outcome.set_result, self.work())
        except BaseException as error:  # noqa: BLE001  # raised where the outcome is awaited
            return partial(self.outcome.set_exception, error)


Line = deque[Call]
"""Calls that wait for a thread, in the order in which they came."""


class Handlers:
    """Threads for handlers, and the calls that wait for one.

    Calls of devices and of users wait in two lines, from which the next one is taken in turn: so operators do not wait
    behind a whole fleet. ``seconds`` is the longest that a handler may take, ``wait`` the longest that a call may wait
    for a thread.
    """

    def __init__(self, threads: int, *, seconds: float, wait: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
        self._threads = threads
        self._seconds = seconds
        self._wait = wait
        self._pace = Pace(threads)
        self.devices, self.users = Line(), Line()
        self._lines = deque((self.devices, self.users))
        self._running = 0
        self._lock = threading.Lock()  # for the lines and the number of running calls

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a thread."""
        return len(self.devices) + len(self.users)

    async def run(self, line: Line, work: Callable[[], T], gone: Callable[[], Awaitable[Any]]) -> T:
        """Run ``work`` in a thread, as soon as it is the turn of a call in ``line``.

        ``gone`` returns when the client has closed its connection.

        Raises:
            BusyError: it would have to wait for too long. It was not run.
            GoneError: the client did not wait for it. It was not run.
            TimeoutError: it takes longer than a handler may. It goes on, as on Lambda, and keeps its thread.
        """
        call = Call(work)
        with self._lock:
            is_free = self._running < self._threads
            if is_free:
                self._running += 1
            else:
                self._require_patience(line)
                line.append(call)
        if is_free:
            self._pool.submit(self._work_off, call)
        else:
            await self._turn(line, call, gone)
        async with asyncio.timeout(self._seconds):
            # Shielded, because nobody can cancel a call that has begun.
            outcome: T = await asyncio.shield(asyncio.wrap_future(call.outcome))
            return outcome

    def close(self) -> None:
        """Accept no further calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _require_patience(self, line: Line) -> None:
        """Raise ``BusyError`` if a call that comes to a line now would have to wait too long."""
        own = len(line) + 1
        others = self.waiting - len(line)
        expected = self._pace.wait(own + min(own, others))
        if expected > MARGIN * self._wait:
            raise BusyError(self._pace.appointment(expected))

    async def _turn(self, line: Line, call: Call, gone: Callable[[], Awaitable[Any]]) -> None:
        """Wait until a thread has taken a call."""
        left = asyncio.ensure_future(gone())
        try:
            awaited = {asyncio.wrap_future(call.begun), left}
            await asyncio.wait(awaited, timeout=self._wait, return_when=asyncio.FIRST_COMPLETED)
            has_left = left.done()
        finally:
            left.cancel()
            is_withdrawn = not call.begun.done() and self._withdraw(line, call)
        if is_withdrawn:
            raise GoneError if has_left else BusyError(self._pace.appointment(self._wait))

    def _withdraw(self, line: Line, call: Call) -> bool:
        """Take a call out of its line; False if a thread has already taken it."""
        with self._lock:
            try:
                line.remove(call)
            except ValueError:
                return False
        return True

    def _work_off(self, call: Call | None) -> None:
        """Run a call and then those that wait, until none does. Runs in a thread.

        The thread takes the next call by itself, because the event loop may be busy with new connections.
        """
        while call:
            begun = time.monotonic()
            make_known = call.run()
            with self._lock:
                self._pace.note(time.monotonic() - begun)
                call = self._next()
                if call is None:
                    self._running -= 1  # before the outcome is known, so that the same client finds a thread free
            make_known()

    def _next(self) -> Call | None:
        """Take the next call, from each line in turn; None if none waits."""
        self._lines.rotate(-1)
        line = self._lines[-1] or self._lines[0]
        return line.popleft() if line else None


class Pace:
    """How fast calls have been handled recently, and what follows from that for those that wait."""

    FIRST = 0.05
    """Seconds for a call, before any has ended."""
    WEIGHT = 1 / 32
    """Weight of the newest call in the average."""
    SPREAD = 1.25
    """Callers come back after up to this many times their time, so that they do not come together."""
    LATEST = 300.0
    """Seconds after which a refused caller should come back at the latest."""

    def __init__(self, threads: int) -> None:
        self._seconds = self.FIRST / threads
        """Average seconds from the end of one call to the end of the next, while all threads are busy."""
        self._threads = threads
        self._promised = 0.0

    def note(self, seconds: float) -> None:
        """Note how long a call took."""
        self._seconds += self.WEIGHT * (seconds / self._threads - self._seconds)

    def wait(self, calls: int) -> float:
        """Seconds until so many of the waiting calls have begun."""
        return calls * self._seconds

    def appointment(self, after: float) -> int:
        """When a refused caller should come back, in whole seconds: not before ``after`` seconds.

        Each one is given a later time than the one before, as if it waited in a line too: callers come back about as
        fast as they can be handled.
        """
        now = time.monotonic()
        self._promised = max(self._promised, now + after) + self._seconds
        seconds = min(self._promised - now, self.LATEST)
        return max(1, math.ceil(seconds * random.uniform(1, self.SPREAD)))  # noqa: S311  # no secret
