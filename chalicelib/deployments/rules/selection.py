"""Which artifact a device gets (behaviour notes D4, with the enterprise rules for every tenant)."""

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


def choose(artifacts: Iterable[T], provides: Mapping[str, str]) -> T | None:
    """The smallest artifact that runs on the device and whose every dependency the device provides."""
    fitting = [artifact for artifact in artifacts if fits(artifact, provides)]
    return min(fitting, key=lambda artifact: (artifact.size, artifact.id), default=None)


def fits(artifact: Choice, provides: Mapping[str, str]) -> bool:
    """Whether a device that provides this may install the artifact."""
    return provides.get("device_type") in artifact.device_types and all(
        provides.get(key) in values for key, values in artifact.depends.items()
    )
