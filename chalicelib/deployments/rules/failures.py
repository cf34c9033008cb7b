"""The reasons of failed updates, equal for devices that failed alike (``docs/behaviour.md#outcomes``)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from chalicelib import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.deployments.shapes import LogMessage

UNKNOWN = "no reason given"
"""The reason of a device that sent neither a substate nor a log with an error."""

_ERRORS = {"error", "fatal", "panic", "critical"}
_OWN = re.compile(
    r"""
    \b(?: [0-9a-f]{2} (?: [:-] [0-9a-f]{2} ){5}     # a hardware address
        | [0-9a-f]{8} (?: - [0-9a-f]{4} ){3} - [0-9a-f]{12}
        | \d{1,3} (?: \. \d{1,3} ){3} (?: : \d+ )?  # an IPv4 address with a port
        | 0x [0-9a-f]+
        | (?= [a-f]* \d ) [0-9a-f]{8,}              # a checksum
        | \d{4,}                                    # a time, a size, a process
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Parts of texts that differ from device to device."""


def first_error(messages: Iterable[LogMessage]) -> str | None:
    """The first line of the first error of a log, cut at ``limits.FAILURE_REASON``; None if it has none."""
    for each in messages:
        lines = each.message.split("\n") if each.level.lower() in _ERRORS else []
        for line in lines:
            if line.strip():
                return line.strip()[: limits.FAILURE_REASON]
    return None


def reason(error: str | None, substate: str | None) -> str:
    """Why a device failed: the error of its log, or its last substate, without parts that differ by device."""
    said = " ".join((error or substate or "").split())
    return _OWN.sub("…", said) or UNKNOWN


def most_frequent(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """The distinct reasons with their numbers of devices; the most frequent first, then by name."""
    return sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0]))
