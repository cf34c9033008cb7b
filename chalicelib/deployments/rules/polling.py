"""Which deployments a poll considers, and in which order (``docs/behaviour.md#polling``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from chalicelib import limits
from chalicelib.errors import BadRequest


class Waiting(msgspec.Struct, frozen=True):
    """An open deployment that may target a device. ``on_head``: it waits on the device's own head."""

    sequence: int
    deployment: str
    on_head: bool


class Current(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device's active row as stored in its head. Field names are stored and short, because the head must be small."""

    d: str
    """Deployment id."""
    q: int
    """The deployment's sequence."""
    s: str
    """Status of the row."""
    a: str
    """Artifact id."""
    r: str | None = None
    """Hash of what the device provided when the artifact was assigned; None again before a retry."""
    n: int = 1
    """The attempt, from 1."""
    h: bool = False
    """The deployment waited on the head, so it is not in the control item."""
    c: bool = False
    """It is a configuration deployment."""
    p: int | None = None
    """The index of the phase in which the device began; only if the deployment counts the results of each phase."""

    @property
    def decides(self) -> int | None:
        """The sequence up to which its end makes deployments too old for the device; None: it does not."""
        return decides(self.q, configures=self.c)


def decides(sequence: int, *, configures: bool) -> int | None:
    """The value of the head's ``decided`` after the end of a deployment.

    A configuration does not change software, so older software may still follow it.
    """
    return None if configures else sequence


def waiting(decided: int, queue: Iterable[tuple[int, str]], opened: Iterable[tuple[int, str]]) -> list[Waiting]:
    """Open deployments that are newer than the last one that the device finished, oldest first.

    A device never gets a deployment that is older than one it has finished, even if it is still open.
    """
    found = [Waiting(sequence, deployment, on_head=True) for sequence, deployment in queue if sequence > decided]
    found += [Waiting(sequence, deployment, on_head=False) for sequence, deployment in opened if sequence > decided]
    return sorted(found, key=lambda each: each.sequence)


def request_hash(provides: Mapping[str, str]) -> str:
    """A short hash of a device's description of itself, on which all polls of one active row must agree."""
    canonical = msgspec.json.encode(dict(sorted(provides.items())))
    return hashlib.sha256(canonical).hexdigest()[:24]


def read_provides(said: Mapping[str, object]) -> dict[str, str]:
    """What a device provides, checked.

    Raises:
        BadRequest: device type or artifact name is missing, or a value is not a string or too long.
    """
    if len(said) > limits.PROVIDES:
        raise BadRequest(f"too many attributes provided (max: {limits.PROVIDES})")
    provides: dict[str, str] = {}
    for name, value in said.items():
        if value is None:  # absent, as in every body
            continue
        if not isinstance(value, str) or len(value) > limits.ARTIFACT_NAME or len(name) > limits.ARTIFACT_NAME:
            raise BadRequest(f"{name[:64]}: must be a string of at most {limits.ARTIFACT_NAME} characters")
        provides[name] = value
    for name in ("artifact_name", "device_type"):
        if not provides.get(name):
            raise BadRequest(f"{name}: cannot be blank")
    return provides
