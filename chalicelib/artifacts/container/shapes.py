"""The JSON documents inside an artifact."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from chalicelib.artifacts.container.errors import malformed, quoted

T = TypeVar("T")
Depends = dict[str, str | list[str]]


class Version(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version`: the first member of the file."""

    format: str
    version: int


class PayloadType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One payload in a header-info; the type is null for an empty payload."""

    type: str | None


class HeaderProvides(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the artifact as a whole provides."""

    artifact_name: str
    artifact_group: str | None = None


class HeaderDepends(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the artifact as a whole depends on."""

    device_type: list[str]
    artifact_name: list[str] | None = None
    artifact_group: list[str] | None = None


class HeaderInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`header-info` of format 3."""

    payloads: list[PayloadType]
    artifact_provides: HeaderProvides
    artifact_depends: HeaderDepends


class HeaderInfo2(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`header-info` of format 2."""

    artifact_name: str
    updates: list[PayloadType]
    device_types_compatible: list[str]


class AugmentInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`header-info` of an augmented header. Some tools repeat provides and depends, which are ignored."""

    payloads: list[PayloadType]
    artifact_provides: Any = None
    artifact_depends: Any = None


class TypeInfo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`type-info` of a payload in format 3.

    Its type is ignored, because header-info has it too (mender-artifact 3.9 leaves it empty for root file systems).
    """

    type: str | None = None
    artifact_provides: dict[str, str] | None = None
    artifact_depends: Depends | None = None
    clears_artifact_provides: list[str] | None = None


class TypeInfo2(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`type-info` of a payload in format 2."""

    type: str | None = None


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`files` of a payload, in format 2 only."""

    files: list[str]


def decode(raw: bytes, shape: type[T], name: str) -> T:
    """The document ``raw`` as ``shape``; ``name`` is for the error.

    Raises:
        ArtifactError: it is not JSON, does not fit, or an object in it has a member twice (readers differ in
            which one they use).
    """
    try:
        document = msgspec.json.decode(raw, type=shape)
        json.loads(raw, object_pairs_hook=_distinct)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise malformed(f"invalid {quoted(name)}: {error}") from None
    return document


def decode_metadata(raw: bytes, name: str, depth_max: int) -> dict[str, Any]:
    """The object ``raw``, nested at most ``depth_max`` levels; ArtifactError as in :func:`decode`."""
    document = decode(raw, dict[str, Any], name)
    level: list[Any] = [document]
    for _ in range(depth_max):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return document
    raise malformed(f"{quoted(name)} is nested more than {depth_max} levels deep")


def _children(value: Any) -> list[Any]:
    """The lists and objects directly inside ``value``."""
    values = value.values() if isinstance(value, dict) else value
    return [child for child in values if isinstance(child, (dict, list))]


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object that has a member twice. The values are not needed any more."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"member {quoted(key)} occurs twice")
        seen.add(key)
