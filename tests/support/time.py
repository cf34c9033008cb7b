"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import clock


class Clock:
    """The server's clock, at whole seconds, for everything that uses ``chalicelib.clock``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.time = datetime.now(UTC).replace(microsecond=0)
        patch.setattr(clock, "now", lambda: self.time)

    def move(self, **by: float) -> None:
        """Move it; the arguments are those of ``timedelta``."""
        self.time += timedelta(**by)

    def later(self, **by: float) -> str:
        """A later time, in the API's format."""
        return clock.rfc3339(self.time + timedelta(**by))
