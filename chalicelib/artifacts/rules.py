"""Rules for artifacts and releases. Pure: no AWS, clock, randomness or environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from chalicelib import limits
from chalicelib.artifacts.shapes import GenerateArguments
from chalicelib.errors import BadRequest, Conflict, TooLarge, Unprocessable

MEDIA_TYPE: Final = "application/vnd.mender-artifact"
"""The media type of an artifact file."""
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TAG = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER = re.compile(r"[0-9]{1,19}")
_ALSO_PRINTED = frozenset("\n\r\t")


class Candidate(msgspec.Struct, frozen=True):
    """An artifact as its release stores it: what a deployment needs to choose one.

    ``depends`` are its dependencies other than ``device_types``, each with its accepted values. ``types`` are the
    payload types. ``size`` is that of the file, in bytes; ``key`` and ``version`` name the verified object.
    """

    id: str
    name: str
    device_types: tuple[str, ...]
    depends: dict[str, tuple[str, ...]]
    size: int
    key: str
    version: str | None
    types: tuple[str, ...] = ()


def check_id(text: str) -> str:
    """An artifact's id in lower case.

    Raises:
        BadRequest: it is not a UUID.
    """
    if not _ID.fullmatch(text):
        raise BadRequest("ID is not a valid UUID")
    return text.lower()


def check_description(text: str) -> str:
    """A description.

    Raises:
        BadRequest: it has more than 4,096 characters (Mender's limit).
    """
    if len(text) > limits.ARTIFACT_DESCRIPTION:
        raise BadRequest(f"description: the length must be no more than {limits.ARTIFACT_DESCRIPTION}")
    return text


UPLOAD_FIELDS = ("artifact_id", "description", "size")
"""Fields of an upload form; others are ignored."""


class UploadFields(msgspec.Struct, frozen=True):
    """The fields of an upload form before its file. ``size``: exactly this number of bytes is read."""

    description: str = ""
    size: int | None = None
    id: str | None = None


def read_fields(fields: Mapping[str, str]) -> UploadFields:
    """The fields of an upload form, by name.

    Raises:
        BadRequest: a value breaks its rule.
        TooLarge: ``size`` exceeds the limit.
    """
    text = fields.get("size", "").strip()
    if text and not _NUMBER.fullmatch(text):
        raise BadRequest("size: must be a whole number of bytes")
    size = int(text or 0) or None
    if size is not None and size > limits.ARTIFACT_UPLOAD:
        raise TooLarge("Artifact file too large")
    return UploadFields(
        description=check_description(fields.get("description", "")),
        size=size,
        id=check_id(fields["artifact_id"]) if fields.get("artifact_id") else None,
    )


class Division(msgspec.Struct, frozen=True):
    """A file of ``size`` bytes that arrives in parts of ``part_size`` bytes; the last one may be smaller."""

    size: int
    part_size: int

    @property
    def count(self) -> int:
        """The number of parts, which are numbered from 1."""
        return -(-self.size // self.part_size)

    def size_of(self, number: int) -> int:
        """The bytes of one part."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


def divide(size: int | None, part_size: int) -> Division:
    """How a file of ``size`` bytes is uploaded in parts.

    Raises:
        BadRequest: the size is missing or zero, or S3 takes no parts of this size or not as many.
            (``docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html``)
    """
    if not size:
        raise BadRequest("size: must be given for an upload in parts, in bytes")
    if not limits.UPLOAD_PART_MIN <= part_size <= limits.UPLOAD_LINK:
        raise BadRequest(f"part_size: must be from {limits.UPLOAD_PART_MIN} to {limits.UPLOAD_LINK} bytes")
    division = Division(size, part_size)
    if division.count > limits.UPLOAD_PARTS:
        raise BadRequest(f"part_size: too small, the file would have more than {limits.UPLOAD_PARTS} parts")
    return division


GENERATE_FIELDS = ("args", "description", "device_types_compatible", "name", "type")
"""Fields of the form for a generated artifact; others are ignored."""
_PAYLOAD_FILES = frozenset({"dest_dir", "filename", "permissions"})
"""The other files that the update module ``single-file`` reads."""


class SingleFile(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact to generate, which installs one file."""

    name: str
    description: str
    device_types: tuple[str, ...]
    filename: str
    dest_dir: str
    software_filesystem: str
    software_name: str
    software_version: str


_ARGS: Final = GenerateArguments(filename="file", dest_dir="/")
"""The destination of a file without ``args``, which are optional in the API reference, without a default."""


def read_generate(fields: Mapping[str, str]) -> SingleFile:
    """The artifact that a form describes, by its fields. The container package decides which file names are valid.

    Raises:
        BadRequest: a value is missing or breaks its rule.
    """
    name = fields.get("name", "")
    if not 0 < len(name) <= limits.ARTIFACT_NAME:
        raise BadRequest(f"name: the length must be between 1 and {limits.ARTIFACT_NAME}")
    types = tuple(filter(None, (each.strip() for each in fields.get("device_types_compatible", "").split(","))))
    if not types:
        raise BadRequest("device_types_compatible: cannot be blank")
    if any(len(each) > limits.ARTIFACT_NAME for each in types):
        raise BadRequest(f"device_types_compatible: a device type has at most {limits.ARTIFACT_NAME} characters")
    if len(types) > limits.ARTIFACT_VALUES:
        raise BadRequest(f"device_types_compatible: too many device types (max: {limits.ARTIFACT_VALUES})")
    if fields.get("type") != "single_file":
        raise BadRequest("type: must be single_file")
    try:
        given = fields.get("args", "").strip() or "{}"
        args = _ARGS if msgspec.json.decode(given) == {} else msgspec.json.decode(given, type=GenerateArguments)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"args: {error}") from error
    if args.filename in _PAYLOAD_FILES:
        raise BadRequest(f"args: filename must not be one of {', '.join(sorted(_PAYLOAD_FILES))}")
    if not args.dest_dir.startswith("/") or not args.dest_dir.isprintable():
        raise BadRequest("args: dest_dir must be an absolute path")
    return SingleFile(
        name=name,
        description=check_description(fields.get("description", "")),
        device_types=types,
        filename=args.filename,
        dest_dir=args.dest_dir,
        software_filesystem=args.software_filesystem or "rootfs-image",
        software_name=args.software_name or "single-file",
        software_version=args.software_version or name,
    )


def _requirements(candidate: Candidate) -> dict[str, tuple[str, ...]]:
    return {**candidate.depends, "device_type": candidate.device_types}


def conflict(existing: Iterable[Candidate], new: Candidate) -> dict[str, Any] | None:
    """The first combination of name and dependencies that ``new`` shares with one of ``existing``; None if none.

    An artifact stands for every combination of one value per dependency, and no two artifacts may stand for the same
    combination (``docs/behaviour.md#uniqueness-of-artifacts``). Two artifacts share a combination if and only if they
    depend on the same keys and share a value of each, so the combinations are never enumerated: the work grows with
    the total number of values, not with the product of the lists.
    """
    wanted = _requirements(new)
    for other in existing:
        taken = _requirements(other)
        if other.name == new.name and taken.keys() == wanted.keys() and (shared := _shared(wanted, taken)) is not None:
            return {"artifact_name": new.name, **shared}
    return None


def _shared(wanted: Mapping[str, Iterable[str]], taken: Mapping[str, Iterable[str]]) -> dict[str, str] | None:
    """The first common value of each key; None if a key has none. Both have the same keys."""
    shared = {}
    for key in sorted(wanted):
        values = frozenset(taken[key])
        first = next((value for value in wanted[key] if value in values), None)
        if first is None:
            return None
        shared[key] = first
    return shared


def check_release_takes(existing: Iterable[Candidate]) -> None:
    """Check that a release can take one more artifact.

    Raises:
        Unprocessable: the release has as many artifacts as fit into its item.
    """
    if len(list(existing)) >= limits.ARTIFACTS_PER_RELEASE:
        raise Unprocessable(
            f"the release has too many artifacts (max: {limits.ARTIFACTS_PER_RELEASE}); delete some or use another name"
        )


def remembered_types(known: set[str], types: Iterable[str]) -> set[str]:
    """The payload types to add to those that a tenant has used. Bounded, because they are never removed."""
    new = sorted({kind for kind in types if kind and len(kind.encode()) <= limits.UPDATE_TYPE} - known)
    return set(new[: max(0, limits.UPDATE_TYPES - len(known))])


def check_notes(text: str) -> str:
    """Release notes.

    Raises:
        BadRequest: it has more than 1,024 characters, or some that are not printable.
    """
    if len(text) > limits.RELEASE_NOTES:
        raise BadRequest(f"notes: must be at most {limits.RELEASE_NOTES} characters long")
    if not all(character.isprintable() or character in _ALSO_PRINTED for character in text):
        raise BadRequest("notes: must contain printable characters only")
    return text


def read_tags(tags: Iterable[str]) -> list[str]:
    """Tags as they are stored: in lower case, without duplicates, in the given order.

    Raises:
        BadRequest: there are too many, or one is too long or has invalid characters.
    """
    read = list(dict.fromkeys(tag.lower() for tag in tags))
    if len(read) > limits.RELEASE_TAGS:
        raise BadRequest(f"tags: at most {limits.RELEASE_TAGS} are allowed")
    for tag in read:
        if len(tag) > limits.RELEASE_TAG or not _TAG.fullmatch(tag):
            raise BadRequest(f"tags take letters, digits, '_', '.' and '-', up to {limits.RELEASE_TAG} of them")
    return read


def recount_tags(counts: Mapping[str, int], before: Iterable[str], after: Iterable[str]) -> dict[str, int]:
    """How many releases have each tag, after the tags of one release have changed."""
    changed = dict(counts)
    for tag in before:
        changed[tag] = changed.get(tag, 0) - 1
    for tag in after:
        changed[tag] = changed.get(tag, 0) + 1
    return {tag: count for tag, count in changed.items() if count > 0}


class Pattern(msgspec.Struct, frozen=True):
    """A filter of the v2 lists: ``text`` exactly, or as a prefix."""

    text: str
    prefix: bool

    def matches(self, value: str) -> bool:
        """Whether a value matches."""
        return value.startswith(self.text) if self.prefix else value == self.text


def read_pattern(text: str) -> Pattern:
    r"""``foo`` is exact, ``foo*`` a prefix; ``\*`` stands for the character itself."""
    prefix = text.endswith("*") and not text.endswith(r"\*")
    return Pattern((text[:-1] if prefix else text).replace(r"\*", "*"), prefix)


def read_names(names: Iterable[str]) -> tuple[Pattern, ...]:
    """The name filter of the v2 list: any number of exact names up to 100, or one prefix.

    Raises:
        BadRequest: there are more names, or a prefix together with other names.
    """
    patterns = tuple(read_pattern(name) for name in dict.fromkeys(names) if name)
    if len(patterns) > limits.ARTIFACT_NAMES_QUERY:
        raise BadRequest(f"invalid filter: at most {limits.ARTIFACT_NAMES_QUERY} names are allowed")
    if len(patterns) > 1 and any(pattern.prefix for pattern in patterns):
        raise BadRequest("invalid filter: a prefix can't be combined with other names")
    return patterns


class Sort(msgspec.Struct, frozen=True):
    """The order of a list."""

    field: str = "name"
    descending: bool = False


def read_sort(text: str | None, fields: tuple[str, ...] = ("name", "modified")) -> Sort:
    """``field:asc`` or ``field:desc``. Anything else means the default, by name, as in Mender."""
    field, _, direction = (text or "").partition(":")
    return Sort(field, direction == "desc") if field in fields else Sort()


def contains(wanted: str) -> Callable[[str], bool]:
    """A test whether a text contains ``wanted``, in any letter case."""
    folded = wanted.casefold()
    return lambda text: folded in text.casefold()


class TrustedKey(msgspec.Struct, frozen=True):
    """A public key whose signatures on artifacts the tenant trusts, as it is stored.

    ``fingerprint`` is SHA-256 of the DER form, in hexadecimal digits.
    """

    id: str
    name: str
    pem: str
    algorithm: str
    fingerprint: str
    created: datetime


def check_key_name(name: str) -> str:
    """The name of a trusted key, without spaces around it.

    Raises:
        BadRequest: it is missing, too long, or has characters that are not printable.
    """
    name = name.strip()
    if not 0 < len(name) <= limits.TRUSTED_KEY_NAME or not name.isprintable():
        raise BadRequest(f"name: must be 1 to {limits.TRUSTED_KEY_NAME} printable characters")
    return name


def add_key(keys: Sequence[TrustedKey], new: TrustedKey) -> list[TrustedKey]:
    """The trusted keys with one more.

    Raises:
        Conflict: it is one of them, or one of them has its name.
        Unprocessable: there are as many as allowed.
    """
    for key in keys:
        if key.fingerprint == new.fingerprint:
            raise Conflict(f"this key is trusted already, as {key.name!r}")
        if key.name == new.name:
            raise Conflict(f"a trusted key has the name {key.name!r} already; use another name")
    if len(keys) >= limits.TRUSTED_KEYS:
        raise Unprocessable(f"too many trusted keys (max: {limits.TRUSTED_KEYS}); delete those that are not used")
    return [*keys, new]
