"""Entries of the audit log as the API returns them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from chalicelib.auditlogs.shapes import Actor, AuditLog, ObjectType
from chalicelib.clock import rfc3339

if TYPE_CHECKING:
    from chalicelib.auditlogs.rules.entries import Entry


def entry(found: Entry) -> AuditLog:
    """An entry, with its object's details under the name of its type."""
    about: dict[str, Any] = {"id": found.object_id, "type": found.object_type}
    if found.object_type == ObjectType.DEVICE:
        about[found.object_type] = {"id": found.object_id, **found.about}
    elif found.about:
        about[found.object_type] = found.about
    return AuditLog(
        actor=Actor(found.actor_id, found.actor_type, found.actor_email),
        time=rfc3339(datetime.fromtimestamp(found.time / 1000, UTC)),
        action=found.action,
        object=about,
        change=found.change,
        meta=found.meta,
    )
