"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib import clock


class Clock:
    """The server's clock, held at whole seconds. Everything that asks ``chalicelib.clock`` sees it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.time = datetime.now(UTC).replace(microsecond=0)
        patch.setattr(clock, "now", lambda: self.time)

    def move(self, **by: float) -> None:
        """Move it, by what ``timedelta`` takes."""
        self.time += timedelta(**by)

    def later(self, **by: float) -> str:
        """A later time, as the API writes it."""
        return clock.rfc3339(self.time + timedelta(**by))
