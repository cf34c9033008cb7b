"""Device tiers, and numbers by tier."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec


class Tier(StrEnum):
    """The tier of a device: ``standard`` runs Linux, ``micro`` is a microcontroller, ``system`` is several devices."""

    STANDARD = "standard"
    MICRO = "micro"
    SYSTEM = "system"


Place: TypeAlias = "tuple[str, Tier]"
"""The status and tier by which a device is counted."""


class PerTier(msgspec.Struct, frozen=True):
    """One number for each tier."""

    standard: int = 0
    micro: int = 0
    system: int = 0

    def of(self, tier: Tier) -> int:
        """The number of one tier."""
        return {Tier.STANDARD: self.standard, Tier.MICRO: self.micro, Tier.SYSTEM: self.system}[tier]


NOTHING: Final = PerTier()
UNLIMITED: Final = PerTier(-1, -1, -1)
"""Limits that mean no limit, for each tier."""

LIMITS: Final = {"max_devices": Tier.STANDARD, "max_micro_devices": Tier.MICRO, "max_system_devices": Tier.SYSTEM}
"""The API's names of the limits of accepted devices."""
