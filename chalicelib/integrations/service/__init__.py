"""Use cases of integrations. What other features call, :func:`emit`, is here; a device call loads nothing else.

What users do is in ``managing``, what the worker and the schedule do in ``delivering``.
"""

from __future__ import annotations

from chalicelib.integrations.rules.events import Event, Kind
from chalicelib.integrations.service.emitting import emit

__all__ = ["Event", "Kind", "emit"]
