"""Every screen of the console, by the path at which the fleet shows it: for the tests of all, and for pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browser.fleet import Fleet

SCREENS: dict[str, Callable[[Fleet], str]] = {
    "overview": lambda _: "/",
    "audit-log": lambda _: "/auditlogs",
    "devices": lambda _: "/devices",
    "devices-none": lambda _: "/devices?q=nothing-of-this-name",
    "devices-pending": lambda _: "/devices?status=pending",
    "releases": lambda _: "/releases",
    "releases-empty": lambda _: "/releases?name=nothing-of-this-name",
    "release": lambda _: "/releases/gateway-os-2.0",
}
"""Paths by the names of their pictures."""
