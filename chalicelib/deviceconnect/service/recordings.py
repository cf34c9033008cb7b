"""What a terminal showed, kept for thirty days: moment by moment while it runs, then compressed in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock, limits, settings
from chalicelib.aws import s3
from chalicelib.deviceconnect import shapes, tables
from chalicelib.deviceconnect.rules import recording as rules
from chalicelib.deviceconnect.rules.envelope import Proto
from chalicelib.errors import NotFound
from chalicelib.features import Feature
from chalicelib.fleet import control, heads

if TYPE_CHECKING:
    from chalicelib.deviceconnect.rules.envelope import Message
    from chalicelib.storage.keys import TenantId

_MOMENT = 64
"""Bytes that a moment of a recording takes besides its output: those without any, and tiny ones, are bounded too."""


def output(tenant: TenantId, session_id: str, message: Message, number: int) -> bool:
    """Record what a terminal showed; False once the session has more of it than a recording may hold."""
    if message.proto != Proto.SHELL or message.typ != "shell" or not message.body or not _records(tenant):
        return True
    tables.add_part(tenant, session_id, rules.Part(_now(), message.body), number)
    return tables.count_recorded(tenant, session_id, _MOMENT + len(message.body)) <= limits.RECORDING


def size(tenant: TenantId, session_id: str, message: Message, number: int) -> None:
    """Record the size of a user's terminal, while there is room."""
    if message.proto != Proto.SHELL or message.typ not in {"new", "resize"} or not _records(tenant):
        return
    part = rules.resized(_now(), message)
    if part is not None and tables.count_recorded(tenant, session_id, _MOMENT) <= limits.RECORDING:
        tables.add_part(tenant, session_id, part, number)


def _records(tenant: TenantId) -> bool:
    return control.get(tenant).includes(Feature.PLAYBACK)


def _now() -> int:
    return int(clock.now().timestamp() * 1000)


def store(tenant: TenantId, session_id: str) -> bool:
    """Move a recording into the bucket; False if there is none. May be done again."""
    parts = list(tables.parts(tenant, session_id))
    if not parts:
        return False
    s3.put(_key(tenant, session_id), rules.pack(map(tables.part_of, parts)), "application/gzip", kept="30-days")
    tables.set_stored(tenant, session_id)
    tables.delete_parts(parts)
    return True


def recording(tenant: TenantId, session_id: str, *, groups: frozenset[str] | None) -> shapes.Recording:
    """A link to the recording of a session with a device of ``groups``; None: with any.

    Raises:
        NotFound: there is no such session, or nothing of it was recorded.
    """
    found = tables.find_session(tenant, session_id)
    reached = found is not None and heads.is_within(tenant, found.device, groups)
    if found is None or not reached or not (found.stored or store(tenant, session_id)):
        raise NotFound("session not found")
    link = s3.download_link(_key(tenant, session_id), None, life=settings.current().download_link_life)
    return shapes.Recording(link.uri, clock.rfc3339(link.expire))


def _key(tenant: TenantId, session_id: str) -> str:
    return s3.key(tenant, "recordings", session_id)
