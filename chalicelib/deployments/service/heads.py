"""The attributes of the device head that deployments own: ``current``, ``decided``, ``queue``, ``revision``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.deployments.rules.polling import Current
from chalicelib.deployments.service.changes import HeadWrite, Lost
from chalicelib.fleet.tables import DeviceHead
from chalicelib.storage.transactions import Action, ConditionFailed, Transaction

if TYPE_CHECKING:
    from chalicelib.storage.transactions import Action


def current_of(head: DeviceHead) -> Current | None:
    """The device's active row."""
    return None if head.current is None else msgspec.convert(head.current, Current)


def queue_of(head: DeviceHead) -> list[tuple[int, str]]:
    """Deployments that wait on this head, as ``(sequence, id)``."""
    return [(int(sequence), deployment) for sequence, deployment in head.queue or ()]


def write(
    head: DeviceHead,
    *,
    current: Current | None,
    decided: int | None = None,
    done: str | None = None,
    queue: list[tuple[int, str]] | None = None,
    forget: bool = False,
) -> HeadWrite:
    """A change of the head, conditional on its deployment attributes being unchanged since it was read.

    Args:
        head: as it was read.
        current: the new active row; None for none.
        decided: sequence of a finished deployment; the device gets no older one from now on.
        done: a deployment that it finished without beginning, and that no longer waits here.
        queue: the new queue; None keeps it, without what ``current``, ``done`` and ``decided`` remove.
        forget: the device's history was deleted, so it may get any open deployment again.
    """
    newest = 0 if forget else max(head.decided, decided or 0)
    before = queue_of(head)
    left = [each for each in (before if queue is None else queue) if each[0] > newest]
    if queue is None:
        begun = {done, current.d if current is not None and current.h else None}
        left = [each for each in left if each[1] not in begun]
    actions: list[Action] = [
        DeviceHead.revision.set(head.revision + 1),
        DeviceHead.current.remove() if current is None else DeviceHead.current.set(current),
    ]
    if newest != head.decided:
        actions.append(DeviceHead.decided.set(newest))
    if left != before:
        actions.append(DeviceHead.queue.set(left) if left else DeviceHead.queue.remove())
    condition = DeviceHead.pk.exists() & (DeviceHead.revision == head.revision)
    return HeadWrite(DeviceHead(head.pk, head.sk), actions, condition)


def commit(change: HeadWrite) -> None:
    """Write a change of a head alone.

    Raises:
        Lost: the head has changed since it was read.
    """
    tx = Transaction()
    tx.update(change.head, change.actions, change.condition, label="head")
    try:
        tx.commit()
    except ConditionFailed as failure:
        raise Lost from failure
