"""What calls of each kind do to which keys: recorded from the real server, and kept as a file for each data layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from infra.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "infra" / "heat" / "recordings"
CURRENT, FIRST = "current", "first"
"""The layout of the code, and the one of version 0.1.0, to compare with."""
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Devices of one tenant for which a recording says into how many parts things are divided."""


class Access(msgspec.Struct, frozen=True, order=True):
    """What one kind of call does to one item or to one key of an index, on average for each call.

    Names in braces stand for what differs from call to call: ``{tenant}``, ``{device}``, ``{deployment}``, ``{call}``
    (a value of its own for each call), and the parts into which something is divided, such as ``{counter}``.
    """

    table: str
    """Without the prefix of the stage."""
    key: str
    """The partition key."""
    item: str = ""
    """The sort key. Of an index, where nothing is locked: empty."""
    index: str = ""
    reads: float = 0.0
    """Read units."""
    writes: float = 0.0
    """Write units, those of transactions doubled."""
    locks: float = 0.0
    """How many transactions write or check the item."""


class Recording(msgspec.Struct, frozen=True):
    """The traffic of one data layout."""

    parts: dict[str, list[int]]
    """Into how many parts something is divided, for each of ``SIZES``."""
    calls: dict[str, list[Access]]
    """By kind of call."""


def path(layout: str) -> Path:
    """The file of a layout's recording."""
    return FOLDER / f"{layout}.json"


def load(layout: str) -> Recording:
    """The recording of a layout."""
    return msgspec.json.decode(path(layout).read_bytes(), type=Recording)


def save(file: Path, recording: Recording) -> None:
    """Write a recording to a file."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n")
