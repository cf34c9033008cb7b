"""Artifacts and releases for other features and the routes: everything that they may import."""

from __future__ import annotations

from chalicelib.artifacts.rules import MEDIA_TYPE, Candidate
from chalicelib.artifacts.service.catalog import (
    Test,
    delete,
    describe,
    download_link,
    find_by_pattern,
    listed,
    matching,
    of_release,
    release_of,
    show,
    storage,
    totals,
)
from chalicelib.artifacts.service.direct import (
    complete,
    give_up,
    list_parts,
    request_link,
    request_parts,
    verdict,
)
from chalicelib.artifacts.service.erasure import erase
from chalicelib.artifacts.service.offering import candidates, device_link, hold, let_go, made, provides, shown
from chalicelib.artifacts.service.releases import (
    SORTS,
    ReleaseFilter,
    all_tags,
    all_types,
    is_tagged,
    set_notes,
    set_tags,
)
from chalicelib.artifacts.service.releases import delete as delete_releases
from chalicelib.artifacts.service.releases import listed as listed_releases
from chalicelib.artifacts.service.releases import show as show_release
from chalicelib.artifacts.service.software import SoftwareFilter
from chalicelib.artifacts.service.software import listed as listed_software
from chalicelib.artifacts.service.uploads import tick, upload, verify
from chalicelib.artifacts.tables.releases import tagged_names

__all__ = [
    "MEDIA_TYPE",
    "SORTS",
    "Candidate",
    "ReleaseFilter",
    "SoftwareFilter",
    "Test",
    "all_tags",
    "all_types",
    "candidates",
    "complete",
    "delete",
    "delete_releases",
    "describe",
    "device_link",
    "download_link",
    "erase",
    "find_by_pattern",
    "give_up",
    "hold",
    "is_tagged",
    "let_go",
    "list_parts",
    "listed",
    "listed_releases",
    "listed_software",
    "made",
    "matching",
    "of_release",
    "provides",
    "release_of",
    "request_link",
    "request_parts",
    "set_notes",
    "set_tags",
    "show",
    "show_release",
    "shown",
    "storage",
    "tagged_names",
    "tick",
    "totals",
    "upload",
    "verdict",
    "verify",
]
