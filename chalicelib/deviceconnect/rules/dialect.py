"""The text dialect: envelopes over websockets that carry text only (API Gateway; ``docs/remote-access.md``).

| who | frame |
|---|---|
| client to server | ``<number>:<base64 of an envelope>``; an empty number: order does not matter |
| server to client | ``<source>:<number>:<base64 of an envelope>``; source and number empty: made by the server itself |
| client to server | ``.``: has no meaning, keeps an idle connection open |

Functions may handle the messages of one connection at the same time, so messages can overtake each other. ``number``
counts the messages of a connection in one session (``hdr.sid``), from 1. The server forwards it with ``source``, a
short name of the sending connection, and the receiving end restores the order of each source. A source that begins with
``+`` began before the receiving connection, so its first message need not have number 1.
"""

from __future__ import annotations

import base64
import binascii
from typing import Generic, TypeVar

import msgspec

from chalicelib import limits
from chalicelib.deviceconnect.rules.envelope import MalformedError

T = TypeVar("T")

KEEP_ALIVE = "."
_DIGITS = 15


class Frame(msgspec.Struct, frozen=True):
    """The content of a frame. ``number`` 0 means unordered; ``source`` is empty on the way to the server."""

    data: bytes
    number: int = 0
    source: str = ""


def to_server(frame: Frame) -> str:
    """The text for the server."""
    return f"{frame.number or ''}:{base64.b64encode(frame.data).decode()}"


def from_client(text: str) -> Frame:
    """Parse a client's text; base64 without a number before it is accepted too.

    Raises:
        MalformedError: it is not a frame.
    """
    number, colon, coded = text.rpartition(":")
    return Frame(_data(coded), _number(number) if colon else 0)


def to_client(frame: Frame) -> str:
    """The text for a client."""
    return f"{frame.source}:{frame.number or ''}:{base64.b64encode(frame.data).decode()}"


def from_server(text: str) -> Frame:
    """Parse the server's text.

    Raises:
        MalformedError: it is not a frame.
    """
    try:
        source, number, coded = text.split(":")
    except ValueError:
        raise MalformedError("not a frame of the text dialect") from None
    return Frame(_data(coded), _number(number), source)


def _data(coded: str) -> bytes:
    try:
        return base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not base64") from error


def _number(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise MalformedError("not a number")
    return int(text)


class GapError(Exception):
    """A message is missing, and too many others wait for it. The session cannot continue."""


BEGAN_BEFORE = "+"


class InOrder(msgspec.Struct, Generic[T]):
    """Restores the order of the numbered messages of one source.

    A receiver that existed before the source starts at 1. The first message from a source that began earlier may
    have overtaken others, so it is held for a moment (``begin`` ends that).
    """

    next: int = 1
    """The next number; 0 until it is known."""
    waiting: dict[int, T] = {}

    @property
    def has_begun(self) -> bool:
        """Whether the first number is known."""
        return self.next > 0

    def add(self, number: int, item: T) -> list[T]:
        """The messages that can be forwarded now, in order: none while one before ``item`` is missing.

        A known number means that the message was delivered twice; it is dropped.

        Raises:
            GapError: more than ``limits.CONNECT_WAITING`` messages wait for a missing one.
        """
        if number < self.next:
            return []
        self.waiting.setdefault(number, item)
        if len(self.waiting) > limits.CONNECT_WAITING:
            raise GapError(f"message {self.next} did not come")
        return self._due() if self.has_begun else []

    def begin(self) -> list[T]:
        """Start with the lowest number received; returns the messages that can be forwarded now."""
        self.next = self.next or min(self.waiting, default=1)
        return self._due()

    def _due(self) -> list[T]:
        due = []
        while self.next in self.waiting:
            due.append(self.waiting.pop(self.next))
            self.next += 1
        return due
