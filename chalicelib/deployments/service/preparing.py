"""Asks the worker to list the targets of a large deployment (``service.workers.preparing``)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chalicelib.aws import queues

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

AGAIN: Final = timedelta(minutes=15)
"""The time after which the schedule asks again, in case the message was lost: the worker's timeout."""


def send(tenant: TenantId, deployment: str) -> None:
    """Send the message to the worker."""
    queues.send(queues.Queue.PREPARATIONS, queues.Preparation(tenant, deployment))
