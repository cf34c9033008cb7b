"""The journal of the embedded engine on a disk that is full."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from infra.local.engine.journal import Journal, _records

if TYPE_CHECKING:
    from pathlib import Path


def test_a_call_that_does_not_fit_on_the_disk_costs_no_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.begin(1)
    write = os.write

    async def calls() -> None:
        await journal.store(b"first")
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, data: write(file, data[:9]))
            with pytest.raises(OSError, match="the disk is full"):
                await journal.store(b"second")
        await journal.store(b"third")

    asyncio.run(calls())

    assert [call for _, call in _records(tmp_path / "journal-1")] == [b"first", b"third"]
