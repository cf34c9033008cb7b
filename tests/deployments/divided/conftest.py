"""Divides each deployment into parts, as those to more than 20,000 devices of a large tenant are."""

from __future__ import annotations

import pytest

from chalicelib import limits
from chalicelib.deployments.service.operators import drafts


@pytest.fixture(autouse=True)
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every deployment is large. It has few parts, so that some have several devices and some have none."""
    for name in ("UNDIVIDED_DEVICES", "INLINE_TARGETS", "HEAD_DEPLOYMENT_TARGETS"):
        monkeypatch.setattr(limits, name, 0)
    monkeypatch.setattr(limits, "COUNTER_SHARD_DEVICES", 2)  # the smallest limits need no division
    monkeypatch.setattr(limits, "DEPLOYMENT_PARTS", 4)
    monkeypatch.setattr(drafts, "_is_large_tenant", lambda _tenant: True)
