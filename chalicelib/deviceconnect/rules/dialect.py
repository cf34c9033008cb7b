"""The text dialect: envelopes through websockets that carry text only (API Gateway; docs/remote-access.md).

| who | frame |
|---|---|
| client to server | ``<number>:<base64 of an envelope>``; an empty number: order does not matter |
| server to client | ``<source>:<number>:<base64 of an envelope>``; source and number empty: made by the server itself |
| client to server | ``.``: nothing, sent to keep an idle connection open |

Functions may handle the messages of one connection at the same time, so they can overtake each other. ``number``
counts what a connection sends in one session (``hdr.sid``), from 1; the server passes it on with the ``source``, a
short name of the sending connection, and the receiving end puts each source's messages in order again. A source that
begins with ``+`` began before the receiving connection did, so its first message need not be number 1.
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
    """What a frame carries. ``number`` 0: in no order; ``source`` is empty on the way to the server."""

    data: bytes
    number: int = 0
    source: str = ""


def to_server(frame: Frame) -> str:
    """The text that a client sends."""
    return f"{frame.number or ''}:{base64.b64encode(frame.data).decode()}"


def from_client(text: str) -> Frame:
    """What a client sent; base64 without a number in front is taken too.

    Raises:
        MalformedError: it is no frame.
    """
    number, colon, coded = text.rpartition(":")
    return Frame(_data(coded), _number(number) if colon else 0)


def to_client(frame: Frame) -> str:
    """The text that the server sends."""
    return f"{frame.source}:{frame.number or ''}:{base64.b64encode(frame.data).decode()}"


def from_server(text: str) -> Frame:
    """What the server sent.

    Raises:
        MalformedError: it is no frame.
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
    """A message is missing, and too many wait for it: the session can't go on."""


BEGAN_BEFORE = "+"


class InOrder(msgspec.Struct, Generic[T]):
    """Puts the numbered messages of one source in order again.

    Whoever listens from the beginning begins at 1. Of a source that began before, the first message that is seen may
    have overtaken others, so it is held for a moment (``begin`` ends that).
    """

    next: int = 1
    """The number that is due; 0 until it is known."""
    waiting: dict[int, T] = {}

    @property
    def has_begun(self) -> bool:
        """Whether it is known where the order begins."""
        return self.next > 0

    def add(self, number: int, item: T) -> list[T]:
        """What may be handed on now, in order: nothing while one before ``item`` is missing.

        A number that was there before is a message that came twice, and is dropped.

        Raises:
            GapError: more than ``limits.CONNECT_WAITING`` messages wait for one that did not come.
        """
        if number < self.next:
            return []
        self.waiting.setdefault(number, item)
        if len(self.waiting) > limits.CONNECT_WAITING:
            raise GapError(f"message {self.next} did not come")
        return self._due() if self.has_begun else []

    def begin(self) -> list[T]:
        """Take the lowest number that came as the first; what may be handed on now."""
        self.next = self.next or min(self.waiting, default=1)
        return self._due()

    def _due(self) -> list[T]:
        due = []
        while self.next in self.waiting:
            due.append(self.waiting.pop(self.next))
            self.next += 1
        return due
