"""The wire format of artifacts and releases (API reference).

``mender-cli`` decodes strictly: sizes and versions are integers, times are RFC 3339 or null, and the payloads' objects
are in ``metadata``. ``meta_data``, which it reads as a list, is left out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class FormatInfo(msgspec.Struct):
    """The container's format."""

    format: str
    version: int


class UpdateFile(msgspec.Struct):
    """A file of a payload: ``checksum`` is SHA-256 in hexadecimal, ``size`` in bytes, ``date`` RFC 3339."""

    name: str
    checksum: str
    size: int
    date: str | None


class TypeInfo(msgspec.Struct):
    """The update module that installs a payload; null for an empty one."""

    type: str | None


class Update(msgspec.Struct):
    """A payload; ``files`` null if it has none."""

    type_info: TypeInfo
    files: list[UpdateFile] | None
    metadata: dict[str, Any]


class Content(msgspec.Struct):
    """The content of the file, which never changes."""

    device_types_compatible: list[str]
    info: FormatInfo
    signed: bool
    updates: list[Update]
    artifact_provides: dict[str, str]
    artifact_depends: dict[str, str | list[str]]
    clears_artifact_provides: list[str]


class SignatureCheck(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a trusted key had signed an artifact when it was uploaded, and which; or what was wrong."""

    trusted: bool
    key_name: str = ""
    fingerprint: str = ""
    """SHA-256 of the key's DER form, in hexadecimal digits."""
    reason: str = ""
    """Why it is not trusted."""


class Artifact(Content, kw_only=True):
    """An artifact. ``size`` is the whole file's, in bytes."""

    id: str
    name: str
    description: str
    size: int
    modified: str
    signature: SignatureCheck | msgspec.UnsetType = msgspec.UNSET
    """Absent if the tenant did not check signatures at the time. Not part of Mender's API."""


class ArtifactUpdate(msgspec.Struct):
    """Body of a change of an artifact."""

    description: str = ""


class Release(msgspec.Struct):
    """Artifacts of one name, as v2 shows them."""

    name: str
    modified: str
    artifacts: list[Artifact]
    artifacts_count: int
    tags: list[str]
    notes: str


class ReleaseV1(
    Release,
    rename={
        "name_v1": "Name",
        "modified_v1": "Modified",
        "artifacts_v1": "Artifacts",
        "artifacts_count_v1": "ArtifactsCount",
    },
):
    """A release with the names of v1 too: clients of v1 read those, the API reference shows the others."""

    name_v1: str
    modified_v1: str
    artifacts_v1: list[Artifact]
    artifacts_count_v1: int


def in_v1(release: Release) -> ReleaseV1:
    """A release as v1 shows it."""
    both = msgspec.structs.asdict(release)
    return ReleaseV1(
        **both,
        name_v1=release.name,
        modified_v1=release.modified,
        artifacts_v1=release.artifacts,
        artifacts_count_v1=release.artifacts_count,
    )


class ReleaseUpdate(msgspec.Struct):
    """Body of a change of a release. Without notes nothing changes."""

    notes: str | None = None


class Link(msgspec.Struct):
    """A presigned link, valid until ``expire``. The request must have the headers in ``header``."""

    uri: str
    expire: str
    method: str
    header: dict[str, str]


class UploadLink(Link, kw_only=True):
    """A link for an upload. The artifact will have this ``id``."""

    id: str


class Announcement(msgspec.Struct):
    """Body of a request for an upload link: the fields of an upload form. All may be missing."""

    artifact_id: str = ""
    description: str = ""
    size: int | str = ""
    """Size of the whole file in bytes. Required for an upload in parts."""
    part_size: int = 0
    """Upload the file in parts of this many bytes, from 5 MiB to 5 GiB; the last part may be smaller. 0: with one
    link."""


class PartedUpload(msgspec.Struct):
    """An upload in ``count`` parts of ``part_size`` bytes; the artifact will have this ``id``."""

    id: str
    size: int
    part_size: int
    count: int
    valid_until: str
    """When the upload is deleted, unless it is complete by then."""


class Part(msgspec.Struct):
    """A part of an upload, and the link that writes it: ``PUT`` with exactly ``size`` bytes."""

    number: int
    """The number of the part, from 1."""
    size: int
    stored: bool
    """Whether the part has arrived; then it has no link."""
    uri: str | msgspec.UnsetType = msgspec.UNSET
    expire: str | msgspec.UnsetType = msgspec.UNSET
    """When the link expires. The same call then gives a new one."""


class Parts(PartedUpload, kw_only=True):
    """A page of the parts of an upload, by number."""

    parts: list[Part]


class Verdict(msgspec.Struct, omit_defaults=True):
    """The state of a direct upload."""

    id: str
    status: str
    """``pending``, ``verifying``, ``accepted`` (there is an artifact of this id) or ``refused``."""
    refusal: dict[str, Any] | None = None
    """The status and body of the answer that a refused upload through the API would get."""


class StorageLimit(msgspec.Struct):
    """The tenant's storage in bytes: its limit (0: none) and its usage."""

    limit: int
    usage: int


class Software(msgspec.Struct):
    """A release, by what it has in common with other kinds of software."""

    name: str
    kind: str
    modified: str
    compatible_types: list[str]
    tags: list[str]
    notes: str


class DeltaOptions(msgspec.Struct):
    """``PUT config/binary_delta``: the options for a generator of deltas."""

    xdelta_args: dict[str, bool | int] = {}
    timeout: int = 0


class DeltaConfiguration(msgspec.Struct):
    """Whether the server generates deltas between artifacts. This server does not."""

    enabled: bool


class Configuration(msgspec.Struct):
    """Answer of ``GET config``."""

    delta: DeltaConfiguration


class DeltaJob(msgspec.Struct):
    """The generation of a delta. There is none, so no answer has one."""

    id: str


class GenerateArguments(msgspec.Struct):
    """``args`` of ``POST artifacts/generate``: where on the device the file belongs, and how it counts as software."""

    filename: str
    dest_dir: str
    software_filesystem: str = ""
    software_name: str = ""
    software_version: str = ""


class NewTrustedKey(msgspec.Struct):
    """Body of a new trusted key: ``pem`` is a public key."""

    name: str
    pem: str


class TrustedKey(msgspec.Struct):
    """A public key whose signatures on artifacts the tenant trusts."""

    id: str
    name: str
    pem: str
    algorithm: str
    """``RSA-`` and the number of bits, ``ECDSA-P256`` or ``Ed25519``."""
    fingerprint: str
    """SHA-256 of the key's DER form, in hexadecimal digits."""
    created: str


class TrustPolicy(msgspec.Struct, frozen=True):
    """What happens to artifacts without a signature by a trusted key, and to downgrades of devices."""

    signatures: Literal["off", "warn", "demand"]
    """``off``: signatures are not checked; ``warn``: such artifacts are marked; ``demand``: such uploads are
    refused."""
    downgrades: Literal["allow", "flag", "refuse"]
    """``flag``: the device gets the older software, and its row says so; ``refuse``: it does not get it."""
