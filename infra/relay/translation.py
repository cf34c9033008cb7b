"""Translates between binary messages and the text dialect: numbering, order, sizes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.deviceconnect.rules import dialect, envelope
from chalicelib.deviceconnect.rules.dialect import BEGAN_BEFORE, Frame, GapError, InOrder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.deviceconnect.rules.envelope import Message

_SESSIONS = 256
"""Maximum sessions of one connection with a counter; beyond it the least recently used one is dropped."""

_OVERTAKEN = 0.5
"""Seconds to hold a source's first message if its number shows that earlier ones are missing."""
_LOST = 30.0
"""Seconds after which a missing message counts as lost."""


@dataclass(slots=True)
class Outgoing:
    """Numbers a client's messages: a device's per session; a user has one session, whatever its id."""

    one_session: bool = False
    _sent: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def frame(self, message: Message) -> str:
        """The frame for a client's message."""
        session = "" if self.one_session else message.sid
        number = self._sent.pop(session, 0) + 1
        self._sent[session] = number
        if len(self._sent) > _SESSIONS:
            self._sent.popitem(last=False)
        return dialect.to_server(Frame(envelope.encode(message), number))


@dataclass(slots=True)
class Incoming:
    """Restores the order of messages to a client, and splits them to the size that the client takes.

    ``most``: maximum bytes of a message's body; None: any.
    """

    most: int | None = None
    _orders: OrderedDict[tuple[str, str], InOrder[bytes]] = field(default_factory=OrderedDict)

    @property
    def patience(self) -> float | None:
        """Seconds until :meth:`lapse` is due if no frame arrives; None: never."""
        held = [order for order in self._orders.values() if order.waiting]
        if not held:
            return None
        return _LOST if all(order.has_begun for order in held) else _OVERTAKEN

    def messages(self, text: str) -> Iterator[bytes]:
        """The messages that can be sent to the client now that this frame has arrived.

        Raises:
            MalformedError: it is not a frame of the server.
            GapError: an earlier message was lost.
        """
        frame = dialect.from_server(text)
        for data in self._due(frame):
            yield from self._pieces(data)

    def lapse(self) -> Iterator[bytes]:
        """The messages that can be sent after ``patience`` seconds without a frame.

        Raises:
            GapError: a message was lost.
        """
        begun = [order.begin() for order in self._orders.values() if not order.has_begun and order.waiting]
        if not begun:
            raise GapError("a message was lost")
        for due in begun:
            for data in due:
                yield from self._pieces(data)

    def _due(self, frame: Frame) -> list[bytes]:
        if not frame.number:
            return [frame.data]
        key = frame.source, envelope.decode(frame.data).sid
        order = self._orders.pop(key, None) or InOrder(next=0 if frame.source.startswith(BEGAN_BEFORE) else 1)
        self._orders[key] = order
        if len(self._orders) > _SESSIONS:
            self._orders.popitem(last=False)
        return order.add(frame.number, frame.data)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self.most is None or len(data) <= self.most:
            yield data
            return
        message: Message = envelope.decode(data)
        for piece in envelope.split(message, self.most):
            yield envelope.encode(piece)
