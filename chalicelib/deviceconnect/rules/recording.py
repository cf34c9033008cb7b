"""Recordings of terminal sessions, and their playback (``docs/behaviour.md#recordings``)."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from chalicelib.deviceconnect.rules.envelope import Message, Proto, ShellStatus

_PAUSE: Final = 1500
"""Milliseconds from which on silence is played back."""


class Part(msgspec.Struct, array_like=True, frozen=True):
    """A part of a session: ``at`` in milliseconds since 1970, and the device's output or the terminal's new size."""

    at: int
    output: bytes = b""
    width: int = 0
    height: int = 0


def resized(at: int, message: Message) -> Part | None:
    """The part for a new terminal size; None if the message does not give one."""
    width, height = (message.props.get(name) for name in ("terminal_width", "terminal_height"))
    if not isinstance(width, int) or not isinstance(height, int) or not (0 < width < 65536 and 0 < height < 65536):
        return None
    return Part(at, width=width, height=height)


def pack(parts: Iterable[Part]) -> bytes:
    """The stored form of a whole session, compressed."""
    return gzip.compress(msgspec.msgpack.encode(list(parts)), 6, mtime=0)


def unpack(data: bytes) -> list[Part]:
    """Reverses :func:`pack`."""
    return msgspec.msgpack.decode(gzip.decompress(data), type=list[Part])


def messages(parts: Iterable[Part], sid: str) -> Iterator[Message]:
    """The messages for a player: output as recorded, resizes, and ``delay`` (``delay_value``, ms) for long silences."""
    before = None
    for part in parts:
        if before is not None and part.at - before > _PAUSE:
            yield Message(Proto.SHELL, "delay", sid, {"delay_value": part.at - before})
        before = part.at
        if part.width:
            yield Message(Proto.SHELL, "resize", sid, {"terminal_width": part.width, "terminal_height": part.height})
        else:
            yield Message(Proto.SHELL, "shell", sid, {"status": int(ShellStatus.NORMAL)}, part.output)
