"""The attributes of the device head that deployments own: ``current``, ``decided``, ``queue``, ``revision``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib.deployments.rules.polling import Current
from chalicelib.fleet import heads
from chalicelib.fleet.head import Head
from chalicelib.storage.writes import document, number

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Transaction
    from chalicelib.storage.writes import Update


class HeadChange(msgspec.Struct, frozen=True):
    """The new values of a head, which must not have changed since it was read."""

    head: Head
    """As it was read."""
    current: Current | None
    decided: int
    queue: list[tuple[int, str]]


def current_of(head: Head) -> Current | None:
    """The device's active row."""
    return None if head.current is None else msgspec.convert(head.current, Current)


def queue_of(head: Head) -> list[tuple[int, str]]:
    """Deployments that wait on this head, as ``(sequence, id)``."""
    return [(int(sequence), deployment) for sequence, deployment in head.queue or ()]


def changed(
    head: Head,
    *,
    current: Current | None,
    decided: int | None = None,
    done: str | None = None,
    queue: list[tuple[int, str]] | None = None,
    forget: bool = False,
) -> HeadChange:
    """A change of a head.

    Args:
        head: as it was read.
        current: the new active row; None for none.
        decided: sequence of a finished deployment; the device gets no older one from now on.
        done: a deployment that it finished without beginning, and that no longer waits here.
        queue: the new queue; None keeps it, without what ``current``, ``done`` and ``decided`` remove.
        forget: the device's history was deleted, so it may get any open deployment again.
    """
    newest = 0 if forget else max(head.decided, decided or 0)
    left = [each for each in (queue_of(head) if queue is None else queue) if each[0] > newest]
    if queue is None:
        begun = {done, current.d if current is not None and current.h else None}
        left = [each for each in left if each[1] not in begun]
    return HeadChange(head, current, newest, left)


def change(tx: Transaction, wanted: HeadChange) -> None:
    """Change a head; fails with label ``head`` if it has changed since it was read."""
    head = wanted.head
    update = heads.update(head).set("revision", number(head.revision + 1))
    _put(update, "current", wanted.current)
    if wanted.decided != head.decided:
        update.set("decided", number(wanted.decided))
    if wanted.queue != queue_of(head):
        _put(update, "queue", wanted.queue or None)
    unchanged = "attribute_exists(#pk) AND #revision = :known"
    tx.write(update.require(unchanged, known=number(head.revision)), label="head")


def _put(update: Update, name: str, value: Any) -> None:
    if value is None:
        update.remove(name)
    else:
        update.set(name, document(value))
