"""Reads the header tars: for which devices the artifact is, and what each payload is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.artifacts.container import shapes
from chalicelib.artifacts.container.errors import malformed, quoted
from chalicelib.artifacts.container.model import Depends
from chalicelib.artifacts.container.source import Read, read_exactly
from chalicelib.artifacts.container.tar import Member, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Sized

    from chalicelib.artifacts.container.limits import Limits

_SECTION = re.compile(r"headers/(\d{4})/(type-info|meta-data|files)", re.ASCII)
_SCRIPT = re.compile(r"scripts/[^/]+")


class Section(msgspec.Struct):
    """What a header says about one payload. ``files`` are the names in format 2, None in format 3."""

    type: str | None
    info: shapes.TypeInfo | None = None
    metadata: dict[str, Any] | None = None
    files: list[str] | None = None

    def augment(self, added: Section) -> None:
        """Override this section with ``added``, as Mender's own reader does.

        Texts and lists of the augmented header replace those here; objects are merged member by member.
        """
        self.type = self.type if added.type is None else added.type
        if added.metadata is not None:
            self.metadata = _merged(self.metadata or {}, added.metadata)
        if added.info and self.info:
            cleared = added.info.clears_artifact_provides
            self.info = shapes.TypeInfo(
                type=self.info.type,
                artifact_provides=(self.info.artifact_provides or {}) | (added.info.artifact_provides or {}),
                artifact_depends=(self.info.artifact_depends or {}) | (added.info.artifact_depends or {}),
                clears_artifact_provides=self.info.clears_artifact_provides if cleared is None else cleared,
            )


class Header(msgspec.Struct):
    """A header tar.

    ``provides`` and ``depends`` are those of the whole artifact. Of an augmented header only ``sections`` counts.
    """

    name: str = ""
    device_types: tuple[str, ...] = ()
    provides: dict[str, str] = {}
    depends: Depends = {}
    sections: list[Section] = []

    def augment(self, added: Header) -> None:
        """Override this header with an augmented one; ArtifactError if that has other payloads."""
        if len(added.sections) > len(self.sections):
            raise malformed("the augmented header has more payloads than the header")
        for section, addition in zip(self.sections, added.sections, strict=False):
            section.augment(addition)


def read_header(tar: Read, version: int, limits: Limits, *, augment: bool = False) -> Header:
    """The header in ``tar`` (decompressed), which is read to its end.

    The order of the format: header-info, state scripts (skipped), then a section for each payload.

    Raises:
        ArtifactError: something is missing, unexpected, out of order or malformed.
    """
    entries = members(tar, most=limits.header_members, name_max=limits.name, folders=True)
    first = next(entries, None)
    if first is None or first.name != "header-info":
        raise malformed("a header has to begin with 'header-info'")
    documents = _Documents(limits)
    header = _header_info(documents.read(first), version, limits, augment=augment)
    for entry in _after_scripts(entries, refuse=augment):
        match = _SECTION.fullmatch(entry.name)
        if not match or int(match[1]) >= len(header.sections):
            raise malformed(f"unexpected {quoted(entry.name)} in a header")
        _fill(header.sections[int(match[1])], match[2], documents.read(entry), version, entry.name, limits)
    if not augment:
        for index, section in enumerate(header.sections):
            if section.info is None:
                raise malformed(f"payload {index} has no type-info")
            if version == 2 and section.files is None:
                raise malformed(f"payload {index} has no list of files")
    return header


class _Documents:
    """Reads members that are kept in memory, and limits their total size."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.document
        self._left = limits.documents

    def read(self, member: Member) -> bytes:
        """All of ``member``; ArtifactError if it is too large, by itself or together with earlier ones."""
        self._left -= member.size
        if member.size > self._most or self._left < 0:
            raise malformed(f"{quoted(member.name)} is too large")
        return read_exactly(member, member.size)


def _after_scripts(entries: Iterator[Member], *, refuse: bool) -> Iterator[Member]:
    """``entries`` without the scripts at their beginning. Scripts in other places stay, and are refused later."""
    leading = not refuse
    for entry in entries:
        leading = leading and _SCRIPT.fullmatch(entry.name) is not None
        if not leading:
            yield entry


def _fill(section: Section, what: str, raw: bytes, version: int, name: str, limits: Limits) -> None:
    """Put one document into its ``section``."""
    if what == "meta-data":
        # Artifacts with root file systems have an empty one.
        section.metadata = shapes.decode_metadata(raw, name, limits.depth) if raw else None
    elif what == "files":
        if version != 2:
            raise malformed(f"unexpected {quoted(name)} in format {version}")
        section.files = shapes.decode(raw, shapes.Files, name).files
    elif version == 2:
        section.info = shapes.TypeInfo(type=shapes.decode(raw, shapes.TypeInfo2, name).type)
    else:
        section.info = shapes.decode(raw, shapes.TypeInfo, name)
        _check_counts(section.info, limits)


def _check_counts(info: shapes.TypeInfo, limits: Limits) -> None:
    depends = info.artifact_depends or {}
    _check_count("provides", info.artifact_provides or {}, limits)
    _check_count("depends", depends, limits)
    _check_count("cleared provides", info.clears_artifact_provides or [], limits)
    for values in depends.values():
        if not isinstance(values, str):
            _check_count("values of a dependency", values, limits)


def _check_count(what: str, values: Sized, limits: Limits) -> None:
    if len(values) > limits.values:
        raise malformed(f"{len(values)} {what}; at most {limits.values} are accepted")


def _header_info(raw: bytes, version: int, limits: Limits, *, augment: bool) -> Header:
    """The header that begins with the document ``raw``; its sections are still empty."""
    if augment:
        payloads = shapes.decode(raw, shapes.AugmentInfo, "header-info").payloads
        return Header(sections=_sections(payloads, limits))
    provides: dict[str, str] = {}
    depends: Depends = {}
    types: list[str]
    if version == 2:
        old = shapes.decode(raw, shapes.HeaderInfo2, "header-info")
        name, payloads, types = old.artifact_name, old.updates, old.device_types_compatible
    else:
        info = shapes.decode(raw, shapes.HeaderInfo, "header-info")
        name, payloads = info.artifact_provides.artifact_name, info.payloads
        types = info.artifact_depends.device_type
        provides["artifact_name"] = name
        if info.artifact_provides.artifact_group is not None:
            provides["artifact_group"] = info.artifact_provides.artifact_group
        if info.artifact_depends.artifact_name is not None:
            depends["artifact_name"] = tuple(info.artifact_depends.artifact_name)
        if info.artifact_depends.artifact_group is not None:
            depends["artifact_group"] = tuple(info.artifact_depends.artifact_group)
    if not types:
        raise malformed("no compatible device types")
    _check_count("device types", types, limits)
    for key, values in depends.items():
        _check_count(f"values of {key}", values, limits)
    for what, text in [("artifact name", name), *(("device type", text) for text in types)]:
        _check_text(what, text, limits)
    depends["device_type"] = tuple(types)
    return Header(name, tuple(types), provides, depends, _sections(payloads, limits))


def _sections(payloads: list[shapes.PayloadType], limits: Limits) -> list[Section]:
    """Empty sections for ``payloads``."""
    if not 1 <= len(payloads) <= limits.payloads:
        raise malformed(f"{len(payloads)} payloads; 1 to {limits.payloads} are accepted")
    for payload in payloads:
        if payload.type is not None:
            _check_text("payload type", payload.type, limits)
    return [Section(payload.type) for payload in payloads]


def _check_text(what: str, text: str, limits: Limits) -> None:
    if not 1 <= len(text) <= limits.text:
        raise malformed(f"{what} of {len(text)} characters; 1 to {limits.text} are accepted")


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``under`` with the members of ``over``; objects inside are merged in the same way."""
    merged = under | over
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            merged[key] = _merged(under[key], over[key])
    return merged
