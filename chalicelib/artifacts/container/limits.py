"""The limits of the parser, and why they are as they are.

They alone determine how much memory is used, not what a file claims: payloads are hashed piece by piece, and what has
to be kept (manifests, JSON documents, one decompressor) is small.
"""

from __future__ import annotations

import msgspec

from chalicelib.limits import ARTIFACT_NAME, ARTIFACT_UPLOAD, ARTIFACT_VALUES, GIB, JSON_DEPTH, KIB, MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one artifact. Sizes are in bytes, others are counts unless they say otherwise."""

    # The file.
    size: int = ARTIFACT_UPLOAD
    """The whole file."""
    manifest: int = 512 * KIB
    """Each manifest; the maximum number of files with the longest names needs 340 KB."""
    signature: int = 16 * KIB
    """`manifest.sig`: an RSA signature of 16,384 bits has 2.7 KB in base64."""

    # The header tars. They hold JSON and state scripts; only the JSON is kept.
    header_packed: int = 16 * MIB
    """A header tar, compressed as it is in the file."""
    header_expanded: int = 32 * MIB
    """A decompressed header tar; scripts may be large programs."""
    header_members: int = 1024
    """Members of a header tar: three for each payload, and scripts."""
    document: int = 256 * KIB
    """One JSON document; the stored artifact must fit into 400 KB (DynamoDB)."""
    documents: int = 1 * MIB
    """All JSON documents of a header tar; as Python objects they take up to 25 times as much memory."""
    values: int = ARTIFACT_VALUES
    """Values of one list (device types, one dependency, cleared provides) and members of one object (provides,
    depends): they are compared with those of the other artifacts of a release and with what devices report."""
    depth: int = JSON_DEPTH
    """Levels of nesting in `meta-data`: later code may walk it recursively."""

    # The payloads.
    payloads: int = 64
    """Payloads: the format allows 10,000, Mender's tool writes one."""
    files: int = 1024
    """Files of all payloads together: all of them are stored in one item."""
    expanded: int = 32 * GIB
    """All payloads decompressed: limits the time for hashing (a minute or two)."""
    expanded_free: int = 4 * GIB
    """Up to this size the ratio is not checked, since an empty partition image is nearly all zeros."""
    expansion: int = 1000
    """Beyond that: decompressed bytes for each compressed one. Deflate cannot exceed 1,032."""

    # Decompression.
    decoder_memory: int = 80 * MIB
    """Memory of an xz decoder; Mender's tool compresses with preset 9, which needs 65 MiB."""
    zstd_window_log: int = 26
    """Binary logarithm of zstd's window: 64 MiB, twice what the strongest level of Mender's tool uses."""
    frames: int = 10_000
    """Concatenated streams in one tar; parallel compressors write some, a bomb could have millions of empty ones."""

    # Texts.
    name: int = 255
    """Characters of a member's name: the longest file name of common file systems."""
    text: int = ARTIFACT_NAME
    """Characters of the artifact's name, a device type, a payload type."""


DEFAULT_LIMITS = Limits()
