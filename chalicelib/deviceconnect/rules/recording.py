"""Recordings of terminal sessions, and their playback (``docs/behaviour.md#recordings``)."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from chalicelib.deviceconnect.rules.envelope import Message, Proto, ShellStatus

_PAUSE: Final = 1500
"""Milliseconds of silence from which on the silence is played back as well."""


class Part(msgspec.Struct, array_like=True, frozen=True):
    """A moment of a session: ``at`` in milliseconds since 1970, output of the device, or a new size of the terminal."""

    at: int
    output: bytes = b""
    width: int = 0
    height: int = 0


def resized(at: int, message: Message) -> Part | None:
    """The moment when the user's terminal got a size; None if the message does not say one."""
    width, height = (message.props.get(name) for name in ("terminal_width", "terminal_height"))
    if not isinstance(width, int) or not isinstance(height, int) or not (0 < width < 65536 and 0 < height < 65536):
        return None
    return Part(at, width=width, height=height)


def pack(parts: Iterable[Part]) -> bytes:
    """The stored form of a whole session, compressed."""
    return gzip.compress(msgspec.msgpack.encode(list(parts)), 6, mtime=0)


def unpack(data: bytes) -> list[Part]:
    """Back from the stored form."""
    return msgspec.msgpack.decode(gzip.decompress(data), type=list[Part])


def messages(parts: Iterable[Part], sid: str) -> Iterator[Message]:
    """What a player is sent: output as it came, resizes, and ``delay`` (``delay_value``, ms) for long silences."""
    before = None
    for part in parts:
        if before is not None and part.at - before > _PAUSE:
            yield Message(Proto.SHELL, "delay", sid, {"delay_value": part.at - before})
        before = part.at
        if part.width:
            yield Message(Proto.SHELL, "resize", sid, {"terminal_width": part.width, "terminal_height": part.height})
        else:
            yield Message(Proto.SHELL, "shell", sid, {"status": int(ShellStatus.NORMAL)}, part.output)
