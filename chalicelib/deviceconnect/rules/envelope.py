"""The message format of remote access: MessagePack envelopes (``docs/behaviour.md#envelopes``).

Empty members are left out, as clients do. Integers in ``props`` are always written as int64 (0xd3):
``mender-connect`` refuses an ``offset`` of another width, and ``mender-cli`` ignores a ``status`` of another.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from chalicelib import limits


class Proto(IntEnum):
    """Protocols, as ``hdr.proto``."""

    SHELL = 1
    FILE_TRANSFER = 2
    PORT_FORWARD = 3
    MENDER_CLIENT = 4
    CONTROL = 0xFFFF


class ShellStatus(IntEnum):
    """``props.status`` of shell messages."""

    NORMAL = 1
    ERROR = 2
    CONTROL = 3


class MalformedError(Exception):
    """The bytes are not an envelope, or exceed a limit. The sender is disconnected."""


class Message(msgspec.Struct):
    """A message. ``proto`` is a number and not a :class:`Proto`, so that future protocols are forwarded."""

    proto: int
    typ: str = ""
    sid: str = ""
    props: dict[str, Any] = {}
    body: bytes = b""


class _Header(msgspec.Struct, omit_defaults=True):
    proto: int
    typ: str | None = ""
    sid: str | None = ""
    props: dict[str, Any] | None = None


class _Envelope(msgspec.Struct, omit_defaults=True):
    hdr: _Header
    body: Any = b""


_decoder = msgspec.msgpack.Decoder(_Envelope)
_encoder = msgspec.msgpack.Encoder()
_INT64 = b"\xd3"
_WIDER = 512
"""Bytes by which forwarding may lengthen a message, because all integers in properties become int64."""


def decode(data: bytes) -> Message:
    """The message in ``data``.

    Raises:
        MalformedError: it is not a message, too long, or has too many or too deeply nested properties.
    """
    if len(data) > limits.CONNECT_MESSAGE:
        raise MalformedError(f"message of {len(data)} bytes (max: {limits.CONNECT_MESSAGE})")
    try:
        found = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedError("not an envelope") from error
    header = found.hdr
    props = header.props or {}
    if len(props) > limits.CONNECT_PROPS or _depth(props) > limits.CONNECT_DEPTH:
        raise MalformedError("too many properties, or too deep")
    body = found.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        raise MalformedError("the body is neither bytes nor text")
    message = Message(header.proto, header.typ or "", header.sid or "", props, body)
    # Numbers get longer when they are written again: 9 bytes each, where the sender may have used 1 or 5.
    if len(data) > limits.CONNECT_MESSAGE // 2 and len(encode(message)) > limits.CONNECT_MESSAGE + _WIDER:
        raise MalformedError(f"message of more than {limits.CONNECT_MESSAGE} bytes once its numbers are int64")
    return message


def encode(message: Message) -> bytes:
    """The encoded message."""
    props = {name: _wide(value) for name, value in message.props.items()}
    header = _Header(int(message.proto), message.typ, message.sid, props or None)
    return _encoder.encode(_Envelope(header, message.body))


def _wide(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return msgspec.Raw(_INT64 + int(value).to_bytes(8, "big", signed=True))
    return value


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def pack(document: Any) -> bytes:
    """Encode a message's body as MessagePack."""
    return _encoder.encode(document)


def unpack(body: bytes) -> dict[str, Any]:
    """Decode such a body to a map; anything else gives an empty map."""
    try:
        found = msgspec.msgpack.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def path_of(body: bytes) -> str:
    """The path of a file in such a body, which must be unambiguous.

    Devices accept more than clients send: a list instead of a map, names as bytes, data after the first document. A
    body that a device could read as another path is refused.

    Raises:
        MalformedError: the body is not a map with a path, or something follows it.
    """
    try:
        path = msgspec.msgpack.decode(body, type=dict[str, Any]).get("path")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedError("the path of the file can't be read") from error
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    if not isinstance(path, str) or not path:
        raise MalformedError("the path of the file can't be read")
    return path


def split(message: Message, most: int) -> list[Message]:
    """Split ``message`` into pieces with bodies of at most ``most`` bytes each.

    Only streams can be split: terminal input and output, and forwarded bytes. Any other message is returned whole, for
    the receiver to refuse.
    """
    streams = (message.proto == Proto.SHELL and message.typ == "shell") or (
        message.proto == Proto.PORT_FORWARD and message.typ == "forward"
    )
    if len(message.body) <= most or not streams:
        return [message]
    return [
        Message(message.proto, message.typ, message.sid, message.props, message.body[start : start + most])
        for start in range(0, len(message.body), most)
    ]


def continues(message: Message, following: Message, most: int) -> bool:
    """Whether the next message continues a terminal's output or input, so that both can be sent as one.

    ``most``: maximum bytes of the joined body. Forwarded bytes are a stream too, but clients acknowledge each message.
    """
    return (
        message.proto == Proto.SHELL
        and message.typ == "shell"
        and (following.proto, following.typ, following.sid) == (message.proto, message.typ, message.sid)
        and following.props == message.props
        and len(message.body) + len(following.body) <= most
    )
