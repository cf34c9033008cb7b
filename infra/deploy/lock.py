"""One deployment of a stage at a time: an SSM parameter that only one can create.

Whoever holds it writes into it until when. A holder that was killed leaves it behind: on the same machine that is seen
by the process, and elsewhere it ends after :data:`LIFE`, or by ``--break-lock``.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import boto3
import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIFE = 1800.0
"""Seconds until a lock ends that nobody renews: longer than any step between two renewals."""


class LockedError(Exception):
    """Somebody else deploys; the message says who, and until when."""


class Holder(msgspec.Struct, frozen=True):
    """Who deploys."""

    user: str
    host: str
    process: int
    until: float
    """Unix time."""

    @classmethod
    def me(cls, now: float) -> Holder:
        """This process."""
        return cls(_user(), socket.gethostname(), os.getpid(), now + LIFE)

    def ended(self, now: float) -> bool:
        """Whether it is certain that it no longer deploys."""
        return now >= self.until or (self.host == socket.gethostname() and not _runs(self.process))


@contextmanager
def held(stage: str, *, by_force: bool = False, clock: Callable[[], float] = time.time) -> Iterator[Callable[[], None]]:
    """Hold the lock of a stage for a block; yields a function that renews it.

    ``by_force``: take it over from any holder.

    Raises:
        LockedError: somebody else holds it.
    """
    lock = _Lock(boto3.client("ssm"), stage, clock)
    lock.take(by_force=by_force)
    try:
        yield lock.renew
    finally:
        lock.release()


class _Lock:
    def __init__(self, ssm: Any, stage: str, clock: Callable[[], float]) -> None:
        self._ssm = ssm
        self._stage = stage
        self._name = f"/lamplighter/{stage}/deploying"
        self._clock = clock

    def take(self, *, by_force: bool) -> None:
        """Create it, or take over one whose holder has ended."""
        try:
            self._put(self._mine(), overwrite=False)
        except self._ssm.exceptions.ParameterAlreadyExists:
            self._take_over(by_force=by_force)

    def renew(self) -> None:
        """Extend it by :data:`LIFE`."""
        self._put(self._mine())

    def release(self) -> None:
        """Release it."""
        with suppress(self._ssm.exceptions.ParameterNotFound):
            self._ssm.delete_parameter(Name=self._name)
        self._ssm.close()

    def _take_over(self, *, by_force: bool) -> None:
        found = self._ssm.get_parameter(Name=self._name)["Parameter"]
        holder = msgspec.json.decode(found["Value"], type=Holder)
        now = self._clock()
        if not by_force and not holder.ended(now):
            minutes = max(1, round((holder.until - now) / 60))
            raise LockedError(
                f"{holder.user} on {holder.host} deploys stage {self._stage} (process {holder.process}). Wait until "
                f"it has finished. If it was interrupted: the lock expires in {minutes} min, or use ARGS=--break-lock"
            )
        # Parameter versions are numbered, so only one of several concurrent processes gets the next number.
        following = found["Version"] + 1
        if self._put(self._mine()) != following:
            winner = self._ssm.get_parameter(Name=f"{self._name}:{following}")["Parameter"]["Value"]
            self._put(winner)
            raise LockedError(f"another deployment of stage {self._stage} has just begun: wait until it has finished")

    def _put(self, value: str, *, overwrite: bool = True) -> int:
        version: int = self._ssm.put_parameter(Name=self._name, Value=value, Type="String", Overwrite=overwrite)[
            "Version"
        ]
        return version

    def _mine(self) -> str:
        return msgspec.json.encode(Holder.me(self._clock())).decode()


def _user() -> str:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return "somebody"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
