"""Which artifact a device gets (``docs/behaviour.md#artifact-selection``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Choice(Protocol):
    """What a choice needs to know of an artifact."""

    @property
    def id(self) -> str:
        """The artifact's id."""

    @property
    def device_types(self) -> tuple[str, ...]:
        """Device types that it runs on."""

    @property
    def depends(self) -> Mapping[str, tuple[str, ...]]:
        """What a device must provide: any of the values, for every key."""

    @property
    def size(self) -> int:
        """Bytes of the file."""


T = TypeVar("T", bound=Choice)


def choose(artifacts: Iterable[T], provides: Mapping[str, str], *, by_dependencies: bool = True) -> T | None:
    """The smallest artifact that runs on the device and whose every dependency the device provides.

    Not ``by_dependencies``: the smallest that runs on the device's type, as the open source server does.
    """
    test = fits if by_dependencies else runs
    fitting = [artifact for artifact in artifacts if test(artifact, provides)]
    return min(fitting, key=lambda artifact: (artifact.size, artifact.id), default=None)


def fits(artifact: Choice, provides: Mapping[str, str]) -> bool:
    """Whether a device that provides this may install the artifact."""
    return runs(artifact, provides) and all(provides.get(key) in values for key, values in artifact.depends.items())


def runs(artifact: Choice, provides: Mapping[str, str]) -> bool:
    """Whether the artifact is for the device's type."""
    return provides.get("device_type") in artifact.device_types
