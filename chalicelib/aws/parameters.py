"""Secrets of the server itself: SecureStrings of SSM Parameter Store, below the name of the stage.

An account has 40 reads a second, so processes read rarely: what a process uses is read in one call, at times that
processes do not share, and what was read holds on for a while when the store does not answer (``docs/security.md``,
"When the parameter store or a table does not answer").
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar
from weakref import WeakSet

from chalicelib import clock, settings
from chalicelib.aws import client
from chalicelib.cache import Cache
from chalicelib.errors import Unavailable

T = TypeVar("T")
_LOOK_AGAIN: Final = 5.0
_SOON: Final = 0.5
"""From this part of its life on, a copy is read anew together with another."""
_SHORTEST: Final = 0.8
"""The life of a copy is at least this part of ``settings.key_cache``, and at most the whole."""
_AT_ONCE: Final = 10
"""AWS: names in one GetParameters."""
_known: WeakSet[Parameter[Any]] = WeakSet()
"""The parameters of this process; those that hold a copy are in use."""


class Parameter(Generic[T]):
    """A SecureString, and this process's copy of what it says."""

    def __init__(self, name: str, parse: Callable[[str], T], *, before: tuple[Parameter[Any], ...] = ()) -> None:
        """A parameter by the last part of its name.

        Args:
            name: what follows the name of the stage.
            parse: makes of the stored text what it stands for.
            before: others that whoever uses this one will use next: the first reading is of all of them.
        """
        self._last_name = name
        self._parse = parse
        self._copy: Cache[str, T | None] = Cache(1, stale=lambda: settings.current().key_stale)
        self._before = before
        self._share = 1.0
        _known.add(self)

    def get(self, *, again: bool = False, stale: bool = True) -> T:
        """What the parameter says, as of at most ``settings.key_cache`` seconds ago.

        While the parameter store does not answer, it is up to ``settings.key_stale`` seconds older.

        Args:
            again: for who misses something in there, like a key that another process has just added: as of 5 s ago, so
                that whoever asks for what is not there does not make this process read at each call.
            stale: whether an older one will do; False for who must not use what was taken back. Never with ``again``.

        Raises:
            Unavailable: there is no such parameter, so the server was not set up; or the store does not answer, and
                what is known is too old.
        """
        life = _LOOK_AGAIN if again else settings.current().key_cache * self._share
        found = self._copy.get(self.name, self._read, life=life, stale=stale and not again)
        if found is None:
            self.forget()
            raise Unavailable(f"the server has no {self._last_name}; run: manage signing-key rotate")
        return found

    def find(self) -> T | None:
        """What :meth:`get` answers; None if there is no such parameter, which is remembered as long.

        Raises:
            Unavailable: the store does not answer, and what is known is too old.
        """
        return self._copy.get(self.name, self._read, life=settings.current().key_cache * self._share)

    def forget(self) -> None:
        """Drop this process's copy; the next use reads the parameter."""
        self._copy.clear()

    def read(self) -> T | None:
        """What the parameter says now; None if there is none."""
        stored = self._stored()
        return self._parse(stored["Value"]) if stored is not None else None

    def age(self) -> float:
        """Seconds since the parameter was last written; infinitely many if it never was."""
        stored = self._stored()
        return clock.now().timestamp() - float(stored["LastModifiedDate"]) if stored is not None else math.inf

    def write(self, text: str, *, overwrite: bool) -> None:
        """Write the parameter, and drop this process's copy. Others notice within ``settings.key_cache`` seconds.

        Raises:
            AwsError: without ``overwrite``, there is one already that says something else.
        """
        # The tier: standard parameters end at 4 KB, and one that was advanced once can't be made standard again.
        parameter = {"Name": self.name, "Value": text, "Type": "SecureString", "Tier": "Intelligent-Tiering"}
        try:
            client.call("ssm", "AmazonSSM.PutParameter", {**parameter, "Overwrite": overwrite})
        except client.AwsError as error:
            # It may be our own, if the answer to a first try was lost.
            if error.code != "ParameterAlreadyExists" or (self._stored() or {}).get("Value") != text:
                raise
        self.forget()

    def remove(self) -> bool:
        """Remove the parameter, and drop this process's copy; whether there was one."""
        answer = client.call("ssm", "AmazonSSM.DeleteParameters", {"Names": [self.name]})
        self.forget()
        return bool(answer.get("DeletedParameters"))

    def written_at(self) -> datetime | None:
        """When the parameter was last written; None if it never was."""
        stored = self._stored()
        return datetime.fromtimestamp(float(stored["LastModifiedDate"]), UTC) if stored is not None else None

    @property
    def name(self) -> str:
        """The parameter's whole name."""
        return f"/lamplighter/{settings.current().stage}/{self._last_name}"

    def _read(self) -> T | None:
        """What the parameter says now; None if there is none.

        Others that this process uses and would have to read soon are read with it.
        """
        others = {*self._before, *(other for other in _known if other.is_due_soon())} - {self}
        together = {other.name: other for other in others if other.is_due_soon() or not other.is_known()}
        names = [self.name, *list(together)[: _AT_ONCE - 1]]
        answer = client.call("ssm", "AmazonSSM.GetParameters", {"Names": names, "WithDecryption": True})
        texts = {each["Name"]: each["Value"] for each in answer["Parameters"]}
        for name, other in together.items():
            if name in texts:
                other.take(texts[name])
        return self._parsed(texts[self.name]) if self.name in texts else None

    def is_known(self) -> bool:
        """Whether this process has a copy."""
        return self._copy.age(self.name) < math.inf

    def is_due_soon(self) -> bool:
        """Whether this process has a copy that it will have to read anew before long."""
        age = self._copy.age(self.name)
        return _SOON * settings.current().key_cache <= age < math.inf

    def take(self, text: str) -> None:
        """Take in what was just read for another."""
        self._copy.put(self.name, self._parsed(text))

    def _parsed(self, text: str) -> T:
        # Processes that began together must not read together ever after.
        self._share = random.uniform(_SHORTEST, 1)  # noqa: S311  # not for security
        return self._parse(text)

    def _stored(self) -> dict[str, Any] | None:
        try:
            answer = client.call("ssm", "AmazonSSM.GetParameter", {"Name": self.name, "WithDecryption": True})
        except client.AwsError as error:
            if error.code == "ParameterNotFound":
                return None
            raise
        stored: dict[str, Any] = answer["Parameter"]
        return stored
