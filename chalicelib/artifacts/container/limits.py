"""How much of everything the parser takes, and why.

Memory follows from these bounds alone, never from what a file claims: payloads are hashed piece by piece,
and what has to be held (manifests, JSON documents, one decompressor) is small.
"""

from __future__ import annotations

import msgspec

from chalicelib.limits import ARTIFACT_NAME, ARTIFACT_UPLOAD, ARTIFACT_VALUES, GIB, JSON_DEPTH, KIB, MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one artifact: sizes in bytes, the others are counts unless they say otherwise."""

    # The file.
    size: int = ARTIFACT_UPLOAD
    """The whole file."""
    manifest: int = 512 * KIB
    """Each manifest: all the files allowed, with the longest names allowed, need 340 KB."""
    signature: int = 16 * KIB
    """`manifest.sig`: an RSA-16384 signature in base64 has 2.7 KB."""

    # The header tars. They hold JSON and state scripts; only the JSON is kept.
    header_packed: int = 16 * MIB
    """A header tar as it lies in the file."""
    header_expanded: int = 32 * MIB
    """A header tar decompressed: scripts may be programs, so this is generous."""
    header_members: int = 1024
    """Members of a header tar: three for each payload, the rest are scripts."""
    document: int = 256 * KIB
    """One JSON document: a stored artifact has to fit into 400 KB (DynamoDB)."""
    documents: int = 1 * MIB
    """All JSON documents of a header tar: as Python objects they take up to 25 times as much."""
    values: int = ARTIFACT_VALUES
    """Values of one list (device types, one dependency, cleared provides) and members of one object (provides,
    depends): they are compared with those of the other artifacts of a release and with what devices report."""
    depth: int = JSON_DEPTH
    """Levels of nesting in `meta-data`: whoever walks it later may do so recursively."""

    # The payloads.
    payloads: int = 64
    """Payloads: the format has room for 10,000, its own tool writes one."""
    files: int = 1024
    """Files of all payloads together: each becomes a part of the stored artifact."""
    expanded: int = 32 * GIB
    """All payloads decompressed: bounds the time spent on hashing (a minute or two)."""
    expanded_free: int = 4 * GIB
    """Up to here payloads may expand from nothing: an empty partition image is nearly all zeros."""
    expansion: int = 1000
    """Beyond that: decompressed bytes for each compressed one. Deflate itself ends at 1,032."""

    # Decompression.
    decoder_memory: int = 80 * MIB
    """Of an xz decoder: Mender's tool compresses with preset 9, which needs 65 MiB."""
    zstd_window_log: int = 26
    """Binary logarithm of zstd's window: 64 MiB, twice what the strongest level of Mender's tool uses."""
    frames: int = 10_000
    """Concatenated streams in one tar: parallel compressors write some, a bomb of empty ones has millions."""

    # Texts.
    name: int = 255
    """Characters of a member's name: longest file name of the usual file systems."""
    text: int = ARTIFACT_NAME
    """Characters of the artifact's name, a device type, a payload type."""


DEFAULT_LIMITS = Limits()
