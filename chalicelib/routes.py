"""The one list of blueprints: every URI of the server is in one of these modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalice.app import Blueprint

BLUEPRINTS: tuple[Blueprint, ...] = ()
