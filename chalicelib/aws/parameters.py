"""Secrets of the server itself: SecureStrings of SSM Parameter Store, below the name of the stage.

An account has 40 reads a second, so processes read rarely: each reads everything that it uses in one call, at times of
its own, and uses copies longer if the store does not answer
(``docs/security.md#when-the-parameter-store-or-a-table-does-not-answer``).
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
"""After this part of its life, a copy is renewed together with another one."""
_SHORTEST: Final = 0.8
"""The minimum life of a copy, as a part of ``settings.key_cache``, which is the maximum."""
_AT_ONCE: Final = 10
"""AWS: names in one ``GetParameters``."""
_known: WeakSet[Parameter[Any]] = WeakSet()
"""The parameters of this process. Those with a copy are in use."""


class Parameter(Generic[T]):
    """A SecureString, and this process's copy of its value."""

    def __init__(self, name: str, parse: Callable[[str], T], *, before: tuple[Parameter[Any], ...] = ()) -> None:
        """A parameter by the last part of its name.

        Args:
            name: the part after the name of the stage.
            parse: converts the stored text to the value.
            before: parameters that users of this one need next; the first read gets all of them.
        """
        self._last_name = name
        self._parse = parse
        self._copy: Cache[str, T | None] = Cache(1, stale=lambda: settings.current().key_stale)
        self._before = before
        self._share = 1.0
        _known.add(self)

    def get(self, *, again: bool = False, stale: bool = True) -> T:
        """The value of the parameter, at most ``settings.key_cache`` seconds old.

        While the parameter store does not answer, it may be up to ``settings.key_stale`` seconds older.

        Args:
            again: for callers that miss something in the value, such as a key that another process has just added: at
                most 5 s old. So clients that ask for an unknown key do not cause a read at each call.
            stale: whether an older value may be used; False if it may have been withdrawn. Not with ``again``.

        Raises:
            Unavailable: there is no such parameter, so the server was not set up; or the store does not answer, and
                the copy is too old.
        """
        life = _LOOK_AGAIN if again else settings.current().key_cache * self._share
        found = self._copy.get(self.name, self._read, life=life, stale=stale and not again)
        if found is None:
            self.forget()
            raise Unavailable(f"the server has no {self._last_name}; run: manage signing-key rotate")
        return found

    def find(self) -> T | None:
        """Like :meth:`get`, but None if there is no such parameter, which is also remembered.

        Raises:
            Unavailable: the store does not answer, and the copy is too old.
        """
        return self._copy.get(self.name, self._read, life=settings.current().key_cache * self._share)

    def forget(self) -> None:
        """Drop this process's copy; the next use reads the parameter."""
        self._copy.clear()

    def read(self) -> T | None:
        """Read the value now; None if there is no such parameter."""
        stored = self._stored()
        return self._parse(stored["Value"]) if stored is not None else None

    def age(self) -> float:
        """Seconds since the parameter was last written; infinite if it never was."""
        stored = self._stored()
        return clock.now().timestamp() - float(stored["LastModifiedDate"]) if stored is not None else math.inf

    def write(self, text: str, *, overwrite: bool) -> None:
        """Write the parameter, and drop this process's copy. Others notice within ``settings.key_cache`` seconds.

        Raises:
            AwsError: without ``overwrite``, if it exists with another value.
        """
        # The tier: standard parameters have at most 4 KB, and an advanced one cannot become standard again.
        parameter = {"Name": self.name, "Value": text, "Type": "SecureString", "Tier": "Intelligent-Tiering"}
        try:
            client.call("ssm", "AmazonSSM.PutParameter", {**parameter, "Overwrite": overwrite})
        except client.AwsError as error:
            # It may be ours, if the answer to a first attempt was lost.
            if error.code != "ParameterAlreadyExists" or (self._stored() or {}).get("Value") != text:
                raise
        self.forget()

    def remove(self) -> bool:
        """Remove the parameter, and drop this process's copy. Returns whether there was one."""
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
        """Read the value now; None if there is no such parameter.

        Parameters that this process uses and would have to read soon are read in the same call.
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
        """Whether this process has a copy that has to be renewed soon."""
        age = self._copy.age(self.name)
        return _SOON * settings.current().key_cache <= age < math.inf

    def take(self, text: str) -> None:
        """Store a value that was just read together with another parameter."""
        self._copy.put(self.name, self._parsed(text))

    def _parsed(self, text: str) -> T:
        # Random, so that processes that began together do not always read together.
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
