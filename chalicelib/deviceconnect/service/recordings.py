"""Recordings of terminals, kept for thirty days: in parts while the session lasts, then compressed in the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import clock, limits, settings
from chalicelib.aws import links, s3
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
"""Assumed bytes of a part in addition to its output, so that tiny and empty ones are limited too."""


def output(tenant: TenantId, session_id: str, message: Message, number: int) -> bool:
    """Record a terminal's output; False once the session has more of it than a recording may contain."""
    if message.proto != Proto.SHELL or message.typ != "shell" or not message.body or not _records(tenant):
        return True
    tables.add_part(tenant, session_id, rules.Part(_now(), message.body), number)
    return tables.count_recorded(tenant, session_id, _MOMENT + len(message.body)) <= limits.RECORDING


def size(tenant: TenantId, session_id: str, message: Message, number: int) -> None:
    """Record the size of a user's terminal, within the limit."""
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
    """Move the recording of an ended session into the bucket; False if there is none. Can be repeated."""
    parts = list(tables.parts(tenant, session_id))
    found = tables.find_session(tenant, session_id)
    if found is not None and found.stored:
        return True  # by another call, which may have deleted some of the parts before they were listed here
    if not parts:
        return False
    _put(_key(tenant, session_id), parts)
    tables.set_stored(tenant, session_id)
    tables.delete_parts(parts)
    return True


def _copy(tenant: TenantId, session_id: str) -> bool:
    """Copy the present recording of a running session into the bucket; False if there is none.

    The parts stay, because a user who views a running session must not shorten its recording.
    """
    parts = list(tables.parts(tenant, session_id))
    if parts:
        _put(_key(tenant, session_id, running=True), parts)
    return bool(parts)


def _put(key: str, parts: list[tables.PartItem]) -> None:
    s3.put(key, rules.pack(map(tables.part_of, parts)), "application/gzip", kept="30-days")


def recording(tenant: TenantId, session_id: str, *, groups: frozenset[str] | None) -> shapes.Recording:
    """A link to the recording of a session, also a running one, with a device of ``groups`` (None: any device).

    Raises:
        NotFound: there is no such session, or it has no recording.
    """
    found = tables.find_session(tenant, session_id)
    reached = found is not None and heads.is_within(tenant, found.device, groups)
    if found is None or not reached:
        raise NotFound("session not found")
    put = _copy if found.is_running else store
    if not (found.stored or put(tenant, session_id)):
        raise NotFound("session not found")
    key = _key(tenant, session_id, running=found.is_running)
    link = links.download(key, None, life=settings.current().download_link_life)
    return shapes.Recording(link.uri, clock.rfc3339(link.expire))


def _key(tenant: TenantId, session_id: str, *, running: bool = False) -> str:
    return s3.key(tenant, "recordings", session_id, *(["running"] if running else []))
