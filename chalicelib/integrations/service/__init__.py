"""Integrations for other features: :func:`emit`. A device's call loads nothing else.

``managing`` has the operations of users, ``delivering`` those of the worker and the schedule.
"""

from __future__ import annotations

from chalicelib.integrations.rules.events import Event, Kind
from chalicelib.integrations.service.emitting import emit

__all__ = ["Event", "Kind", "emit"]
