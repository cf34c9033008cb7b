"""Indexes of DynamoDB follow their tables after a while: here they do not follow at all for as long as a test wants."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.storage import connection


@contextmanager
def lagging(*, empty: bool = False) -> Iterator[None]:
    """Let every index answer with what it said first, or, ``empty``, as if nothing had ever been written."""
    shared = connection.shared()
    real = shared.dispatch
    first: dict[str, dict[str, Any]] = {}

    def dispatch(operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if "IndexName" not in request:
            return real(operation, request)
        asked = json.dumps([operation, request], sort_keys=True, default=repr)
        if asked not in first:
            first[asked] = {"Items": [], "Count": 0, "ScannedCount": 0} if empty else real(operation, request)
        return copy.deepcopy(first[asked])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "dispatch", dispatch)
        yield
