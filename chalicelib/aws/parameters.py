"""Secrets of the server itself: SecureStrings of SSM Parameter Store, below the name of the stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from chalicelib import clock, settings
from chalicelib.aws import client
from chalicelib.cache import Cache
from chalicelib.errors import Unavailable

T = TypeVar("T")
_LOOK_AGAIN: Final = 5.0


class Parameter(Generic[T]):
    """A SecureString, and this process's copy of what it says."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        """``parse`` makes of the stored text what it stands for."""
        self._last_name = name
        self._parse = parse
        self._copy: Cache[str, T] = Cache(1)

    def get(self, *, again: bool = False) -> T:
        """What the parameter says, as of at most ``settings.key_cache`` seconds ago.

        ``again``: for who misses something in there, like a key that another process has just added: as of 5 s ago, so
        that whoever asks for what is not there does not make this process read at each call.

        Raises:
            Unavailable: there is no such parameter; the server was not set up.
        """
        return self._copy.get(self._name, self._found, life=_LOOK_AGAIN if again else settings.current().key_cache)

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
            AwsError: without ``overwrite``, there is one already.
        """
        # The tier: standard parameters end at 4 KB, and one that was advanced once can't be made standard again.
        parameter = {"Name": self._name, "Value": text, "Type": "SecureString", "Tier": "Intelligent-Tiering"}
        client.call("ssm", "AmazonSSM.PutParameter", {**parameter, "Overwrite": overwrite})
        self.forget()

    @property
    def _name(self) -> str:
        return f"/lamplighter/{settings.current().stage}/{self._last_name}"

    def _found(self) -> T:
        found = self.read()
        if found is None:
            raise Unavailable(f"the server has no {self._last_name}; run: manage signing-key rotate")
        return found

    def _stored(self) -> dict[str, Any] | None:
        try:
            answer = client.call("ssm", "AmazonSSM.GetParameter", {"Name": self._name, "WithDecryption": True})
        except client.AwsError as error:
            if error.code == "ParameterNotFound":
                return None
            raise
        stored: dict[str, Any] = answer["Parameter"]
        return stored
