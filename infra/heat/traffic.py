"""Which keys each kind of call reads and writes: recorded from the real server, in one file for each data layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from infra.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "infra" / "heat" / "recordings"
CURRENT, FIRST = "current", "first"
"""The layout of the present code, and that of version 0.1.0 for comparison."""
SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""Sizes of a tenant, in devices, for which a recording has the numbers of parts."""


class Access(msgspec.Struct, frozen=True, order=True):
    """The effect of one kind of call on one item or one key of an index, on average for each call.

    Names in braces stand for what differs from call to call: ``{tenant}``, ``{device}``, ``{deployment}``, ``{call}``
    (a value of its own for each call), and the parts into which something is divided, such as ``{counter}``.
    """

    table: str
    """The table's name without the stage's prefix."""
    key: str
    """The partition key."""
    item: str = ""
    """The sort key; empty for an index, where nothing is locked."""
    index: str = ""
    reads: float = 0.0
    """Read units."""
    writes: float = 0.0
    """Write units; those of transactions count twice."""
    locks: float = 0.0
    """The number of transactions that write or check the item."""


class Recording(msgspec.Struct, frozen=True):
    """The traffic of one data layout."""

    parts: dict[str, list[int]]
    """The number of parts of each kind (such as counters), for each of ``SIZES``."""
    calls: dict[str, list[Access]]
    """Accesses by kind of call."""


def path(layout: str) -> Path:
    """The file of a layout's recording."""
    return FOLDER / f"{layout}.json"


def load(layout: str) -> Recording:
    """The recording of a layout."""
    return msgspec.json.decode(path(layout).read_bytes(), type=Recording)


def save(file: Path, recording: Recording) -> None:
    """Write a recording to a file."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n")
