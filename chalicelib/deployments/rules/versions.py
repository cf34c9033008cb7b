"""Versions: which of two is older, and whether an artifact is older than the software of a device (``docs/trust.md``).

Not every text is a version, and not every two versions can be compared. What cannot be compared is no downgrade.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from chalicelib import limits

_STARTS: Final = r"(?:^|(?<=[-_ /@:]))[vV]?(\d+(?:\.\d+)*)"
"""A number, or several with dots, at the beginning of a text or after a separator."""
_REST: Final = r"(?:[-~_.]([0-9A-Za-z][0-9A-Za-z.~_-]*))?(?:\+.*)?"
"""What may follow the numbers: a suffix, and after ``+`` the build, which does not count."""
_PARTS: Final = r"\d+|[A-Za-z]+"
_SOFTWARE: Final = "version"
"""The end of the names of provides that are versions of software, such as ``rootfs-image.version``."""
_BEFORE, _RELEASE, _AFTER = range(3)
_SHOWN: Final = limits.SUBSTATE - 20
"""Characters of a downgrade as text, which with a word before it has to fit into a substate."""

_Part = tuple[int, int, str]


class Version(msgspec.Struct, frozen=True, order=True):
    """A version. Versions have a total order: by numbers, then pre-releases, the release, its revisions.

    ``1.2-rc9`` < ``1.2-rc10`` < ``1.2`` = ``1.2.0`` < ``1.2-1`` < ``1.2-2`` < ``1.10``.
    """

    numbers: tuple[int, ...]
    """Without zeros at the end."""
    stage: int
    """Whether the suffix is that of a pre-release, which begins with a letter, or a revision, which begins with a
    digit; or whether there is none."""
    suffix: tuple[_Part, ...]
    """Its numbers and words, in lower case; numbers come before words."""


def parse(text: str) -> tuple[str, Version] | None:
    """The name and the version of which a text consists, such as ``gateway-os-`` and ``2.0``; None if it has none.

    The version begins at the first number with dots, or else at the first number, and goes to the end.
    """
    if len(text) > limits.VERSION:
        return None
    starts = list(re.finditer(_STARTS, text, re.ASCII))
    start = next((each for each in starts if "." in each[1]), starts[0] if starts else None)
    rest = re.fullmatch(_REST, text[start.end() :], re.ASCII | re.DOTALL) if start is not None else None
    if start is None or rest is None:
        return None
    suffix = tuple(_part(each) for each in re.findall(_PARTS, rest[1] or "", re.ASCII))
    stage = _RELEASE if not suffix else _AFTER if suffix[0][0] == 0 else _BEFORE
    numbers = [int(each) for each in start[1].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return text[: start.start()], Version(tuple(numbers), stage, suffix)


def _part(text: str) -> _Part:
    return (0, int(text), "") if text.isdigit() else (1, 0, text.lower())


def is_older(text: str, other: str) -> bool | None:
    """Whether one version is older than another one; None if they cannot be compared.

    They can if both are versions with the same name before them, or none.
    """
    first, second = parse(text), parse(other)
    if first is None or second is None or first[0] != second[0]:
        return None
    return first[1] < second[1]


class Downgrade(msgspec.Struct, frozen=True):
    """What would become older on a device: the name of a provide, and its values."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        """``rootfs-image.version 2.0 -> 1.9``; the end of a long text is cut off."""
        text = f"{self.name} {self.before} -> {self.after}"
        return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def downgrade(artifact: Mapping[str, str], device: Mapping[str, str]) -> Downgrade | None:
    """What an artifact would make older on a device; None if nothing.

    Versions of software that both provide are compared. If none of them can be, the names of the artifacts are.

    Args:
        artifact: what the artifact provides, ``artifact_name`` included.
        device: what the device provides.
    """
    software = [name for name in artifact if name.rpartition(".")[2] == _SOFTWARE]
    is_known = False
    for names in (sorted(software), ["artifact_name"]):
        for name in names:
            after, before = artifact.get(name), device.get(name)
            is_down = is_older(after, before) if after is not None and before is not None else None
            if is_down:
                return Downgrade(name, str(before), str(after))
            is_known = is_known or is_down is not None
        if is_known:
            return None
    return None
