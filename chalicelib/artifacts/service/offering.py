"""Artifacts for deployments: candidates of a release, holds, links, and artifacts that are made on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib import settings
from chalicelib.artifacts import views
from chalicelib.artifacts.rules import MEDIA_TYPE
from chalicelib.artifacts.tables import artifacts as artifact_table
from chalicelib.artifacts.tables import releases as release_table
from chalicelib.aws import links, s3
from chalicelib.cache import Cache, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.artifacts import shapes
    from chalicelib.artifacts.rules import Candidate
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_cache: Cache[tuple[TenantId, str], tuple[Candidate, ...]] = Cache()
_provides: Store[tuple[TenantId, str], dict[str, str]] = Store(100_000, weigh=lambda provides: 1 + len(provides))


def candidates(tenant: TenantId, release_name: str, *, fresh: bool = False) -> tuple[Candidate, ...]:
    """The artifacts of a release, oldest first; none if there is no such release.

    Cached for up to ``settings.control_cache`` seconds; ``fresh`` always reads.
    """

    def read() -> tuple[Candidate, ...]:
        item = release_table.find(tenant, release_name)
        return item.candidates if item else ()

    return _cache.get((tenant, release_name), read, life=0 if fresh else None)


def provides(tenant: TenantId, artifact_id: str) -> dict[str, str]:
    """What an artifact provides; nothing if there is none. It never changes, so a process reads it once."""
    known = _provides.get((tenant, artifact_id))
    if known is None:
        item = artifact_table.find(tenant, artifact_id)
        if item is None:
            return {}
        known = item.content["artifact_provides"]
        _provides.put((tenant, artifact_id), known)
    return known


def forget(tenant: TenantId, release_name: str) -> None:
    """Drop the cached copy. Code that changed a release's artifacts calls this after the commit."""
    _cache.forget((tenant, release_name))


def hold(tx: Transaction, tenant: TenantId, release_name: str) -> None:
    """Keep a release's artifacts while a deployment is unfinished: a part of the deployment's creation.

    The transaction fails with label ``release`` if there is no such release, and therefore no artifact.
    """
    release_table.hold(tx, tenant, release_name)


def let_go(tx: Transaction, tenant: TenantId, release_name: str) -> None:
    """Undo :func:`hold`: a part of finishing the deployment, exactly once."""
    release_table.let_go(tx, tenant, release_name)


def device_link(tenant: TenantId, candidate: Candidate) -> links.Link:
    """A link for a device to download the verified bytes, valid for ``device_link_life``."""
    if not candidate.key.startswith(s3.key(tenant, "artifacts", "")):
        raise RuntimeError(f"artifact {candidate.id} is not this tenant's")
    life = settings.current().device_link_life
    return links.download(candidate.key, candidate.version, life=life, content_type=MEDIA_TYPE, cached=True)


def made(
    *,
    name: str,
    device_type: str,
    update_type: str,
    provides: dict[str, str],
    clears_provides: list[str],
    metadata: dict[str, Any],
) -> bytes:
    """A module artifact without files, which is made on demand and never stored: the same bytes every time."""
    # Imported here because few calls need it.
    from chalicelib.artifacts.container.writer import ModuleArtifact

    artifact = ModuleArtifact(
        name=name,
        device_types=[device_type],
        type=update_type,
        provides=provides,
        clears_provides=clears_provides,
        metadata=metadata,
    )
    return b"".join(artifact.pieces())


def shown(tenant: TenantId, artifact_ids: Iterable[str]) -> dict[str, shapes.Artifact]:
    """The existing ones of these artifacts, by id, as the API shows them; 100 per round trip."""
    found = artifact_table.find_many(tenant, artifact_ids)
    return {artifact_id: views.artifact(item) for artifact_id, item in found.items()}
