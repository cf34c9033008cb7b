"""The one list of blueprints: every URI of the server is in one of these modules."""

from __future__ import annotations

BLUEPRINTS = ()
