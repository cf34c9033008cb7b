"""The reasons of failed updates, equal for devices that failed alike (``docs/behaviour.md#outcomes``).

A reason is the substate in which a device failed, and the error of its log, without what differs from device to device.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.deployments.rules.row import Row
    from chalicelib.deployments.shapes.devices import LogMessage

UNKNOWN: Final = "no reason given"
"""The reason of a device that sent neither a substate nor a log with an error."""
EXAMPLES: Final = 3
"""Devices that are named for each reason."""
_ARTIFACTS: Final = 10
"""Artifacts that are named for each reason."""

_ERRORS = {"error", "fatal", "panic", "critical"}
_LEFT_OUT: Final = "…"
_COMPARED: Final = 100
"""Characters of the words of an error that make its id. Earlier versions have cut errors before anything was left out,
so the ends of those may differ."""
_LOOKED_AT: Final = 5 * limits.FAILURE_REASON
"""Characters of a long line from which the stored part is made."""
_CODE: Final = r"\b(?:status|code|errno|signal|exit|http(?:/\d(?:\.\d)?)?)[ :=(]{1,3}\d{1,3}\b(?![.:]\d)"
_URL: Final = r"\b[a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?"
_DISK: Final = (
    r"\b(?:mmcblk\d+(?:(?:p|boot|gp)\d+)?|nvme\d+(?:n\d+(?:p\d+)?)?|(?:[hsv]|xv)d[a-z]{1,2}\d{1,3}|mtd(?:block)?\d+|"
    r"ubi(?:block)?\d+(?:[_:]\d+)?)\b|/dev/disk/by-(?:part)?label/[\w.-]+"
)
"""Names that Linux gives to disks, flash memories and their partitions. Loop and mapped devices are not among them,
because their numbers depend on what was opened before."""
_PARTS: Final = (
    rf"(?P<kept>{_CODE}|{_DISK})",
    rf"(?P<url>{_URL})(?P<host>[^\s/?#\"'<>]*)[^\s\"'<>]*",
    # names of disks by their ids; temporary files
    r"/dev/disk/by-(?:id|path|(?:part)?uuid)/[^\s\"'<>:;,()]*",
    r"(?:/[\w.-]+)*/(?:tmp|temp|shm)(?:[./-][^\s\"'<>:;,()]*|\w*\b)",
    # times, whose parts may also be found below
    r"\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d[\d:.,]*)?(?:Z| ?[+-]\d\d:?\d\d)?(?!\w)",
    # hardware addresses, IPv6, times of the day
    r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?:%\w+)?(?!\w)",
    r"\b[0-9a-f]{2}(?:-[0-9a-f]{2}){5}\b",
    r"\b[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}\b",
    # UUIDs, addresses in memory, checksums
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    r"\b0x[0-9a-f]+\b",
    r"\b(?=[a-f]*\d)[0-9a-f]{7,}\b",
    # ids, in which letters and digits alternate; keys and signatures
    r"\b(?=[a-z]*\d+[a-z]+\d)[a-z0-9]{10,}\b",
    r"(?<![\w+/])(?!/dev/)(?=[\w+/-]{22})(?=[^\s\d]*\d)[\w+/-]{22,}={0,2}(?!\w)",
    # durations and sizes, other numbers
    r"\b(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|[kmgt]?i?b))+\b",
    r"[+-]?\d+(?:[.,:/]\d+)*(?:e[+-]?\d+)?%?",
)
"""Parts of texts that differ from device to device; and codes, disks and servers, which do not and are found before
them."""
_OWN: Final = re.compile("|".join(_PARTS), re.IGNORECASE)
_REPEATED: Final = re.compile(rf"{_LEFT_OUT}(?:[\s,;:/.x-]*{_LEFT_OUT})+")
_WORD: Final = re.compile(r"[^\W_]+")


class Reason(msgspec.Struct, frozen=True):
    """Why some devices failed."""

    id: str
    """Short, and the same for the same failure in any deployment."""
    text: str
    """What the devices' errors have in common, or their last substates."""
    state: str | None
    """The substate in which they failed."""
    count: int
    example: str | None
    """The error of one of them as it was sent."""
    devices: tuple[str, ...]
    """Some of them, the first by id."""
    artifacts: tuple[str, ...]
    """Ids of the artifacts that they got, the most frequent first."""


def first_error(messages: Iterable[LogMessage]) -> str | None:
    """The first line of the first error of a log, at most ``limits.FAILURE_REASON`` characters; None if it has none.

    A longer line is cut after leaving out what differs by device, so that the same error ends alike on all devices.
    """
    for each in messages:
        lines = each.message.split("\n") if each.level.lower() in _ERRORS else []
        for line in lines:
            if line.strip():
                return _fitting(line.strip())
    return None


def _fitting(line: str) -> str:
    # One of exactly the maximum length would look as if it were cut (see _words).
    most = limits.FAILURE_REASON
    return line if len(line) < most else _common(line[:_LOOKED_AT])[:most]


def reason(error: str | None, substate: str | None) -> str:
    """Why a device failed: the error of its log, or its last substate, without parts that differ by device."""
    return _common(error or substate or "") or UNKNOWN


def reason_id(error: str | None, substate: str | None) -> str:
    """The id of the reason: a hash of the words of the substate and of the error, in their order.

    Numbers and ids are not part of it, nor are signs, white space and the case of letters.
    """
    words = [_words(substate or ""), _words(error or "")]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]


def names(row: Row) -> tuple[str, str]:
    """The id and the text of a failed device's reason."""
    return reason_id(row.error, row.substate), reason(row.error, row.substate)


def grouped(failed: Iterable[Row]) -> list[Reason]:
    """The reasons of failed devices in any order; the most frequent first, then by text."""
    identify, shorten = cache(reason_id), cache(reason)
    by_id: dict[str, list[Row]] = {}
    for row in failed:
        by_id.setdefault(identify(row.error, row.substate), []).append(row)
    found = []
    for each, rows in by_id.items():
        first = min(rows, key=lambda row: row.device_id)
        artifacts = Counter(row.artifact for row in rows if row.artifact)
        found.append(
            Reason(
                id=each,
                text=min(shorten(row.error, row.substate) for row in rows),
                state=None if first.substate is None else _common(first.substate),
                count=len(rows),
                example=first.error,
                devices=tuple(sorted(row.device_id for row in rows)[:EXAMPLES]),
                artifacts=tuple(sorted(artifacts, key=lambda artifact: (-artifacts[artifact], artifact))[:_ARTIFACTS]),
            )
        )
    return sorted(found, key=lambda each: (-each.count, each.text, each.id))


def _common(said: str) -> str:
    """A text as one line without the parts that differ by device."""
    return _REPEATED.sub(_LEFT_OUT, _OWN.sub(_left, " ".join(said.split())))


def _left(found: re.Match[str]) -> str:
    """What stays of a part that was found: a code, a disk, the server of a URL, or nothing."""
    if found["kept"]:
        return found[0]
    if found["url"]:
        scheme, _, _ = found["url"].partition("://")
        return f"{scheme}://{_OWN.sub(_LEFT_OUT, found['host'])}/{_LEFT_OUT}"
    return _LEFT_OUT


def _words(said: str) -> str:
    whole = said if len(said) < limits.FAILURE_REASON else said.rpartition(" ")[0]
    return " ".join(_WORD.findall(_common(whole).lower()))[:_COMPARED]
