"""Which artifact a device gets (``docs/behaviour.md#artifact-selection``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

import msgspec


class Choice(Protocol):
    """The attributes of an artifact that the choice depends on."""

    @property
    def id(self) -> str:
        """The artifact's id."""

    @property
    def device_types(self) -> tuple[str, ...]:
        """The device types that it is for."""

    @property
    def depends(self) -> Mapping[str, tuple[str, ...]]:
        """What a device must provide: for every key, one of the values."""

    @property
    def size(self) -> int:
        """The size of the file in bytes."""


T = TypeVar("T", bound=Choice)


def choose(artifacts: Iterable[T], provides: Mapping[str, str], *, by_dependencies: bool = True) -> T | None:
    """The smallest artifact for the device's type whose dependencies the device provides.

    Without ``by_dependencies``, the smallest for the device's type, as in Mender's open source server.
    """
    test = fits if by_dependencies else runs
    fitting = [artifact for artifact in artifacts if test(artifact, provides)]
    return min(fitting, key=lambda artifact: (artifact.size, artifact.id), default=None)


def fits(artifact: Choice, provides: Mapping[str, str]) -> bool:
    """Whether a device that provides this can install the artifact."""
    return runs(artifact, provides) and all(provides.get(key) in values for key, values in artifact.depends.items())


def runs(artifact: Choice, provides: Mapping[str, str]) -> bool:
    """Whether the artifact is for the device's type."""
    return provides.get("device_type") in artifact.device_types


def none_runs(release: str, artifacts: Iterable[Choice], device_type: str) -> str:
    """Why a device gets no artifact of a release, none of which is for its type, in words."""
    types = sorted({name for artifact in artifacts for name in artifact.device_types})
    there = f"there are some for {', '.join(types)}" if types else "it has none"
    return f"no artifact of {release} is for device type {device_type}; {there}"


class Unmet(msgspec.Struct, frozen=True):
    """What artifacts depend on and a device does not provide."""

    dependency: str
    """In words."""
    is_known: bool
    """Whether the device is known to provide other values, so that none of the artifacts fits."""

    @property
    def reason(self) -> str:
        """Why the device may get none of the artifacts, in words."""
        why = "and the device provides another value" if self.is_known else "which the device's inventory does not show"
        return f"the artifact depends on {self.dependency}, {why}"


def unmet(artifacts: Iterable[Choice], provides: Mapping[str, str]) -> Unmet:
    """What the artifacts for its type depend on and a device does not provide, none of which fits it."""
    missing = [
        {name: values for name, values in each.depends.items() if provides.get(name) not in values}
        for each in artifacts
        if runs(each, provides)
    ]
    is_known = all(any(name in provides for name in each) for each in missing)
    return Unmet(" or ".join(sorted({_in_words(each) for each in missing})), is_known)


def _in_words(depends: Mapping[str, tuple[str, ...]]) -> str:
    return " and ".join(f"{name} = {' or '.join(values)}" for name, values in sorted(depends.items()))
