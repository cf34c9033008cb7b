"""The device head as it is read: the one item that every call of a device reads."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from chalicelib.storage import keys

ACCEPTED: Final = "accepted"
"""The status of devices that may call the API."""


class Head(msgspec.Struct, frozen=True):
    """A device head. Each field is the attribute of the same name in ``fleet.tables.DeviceHead``.

    The features that own them:
    devauth: ``auth_*``, ``identity_hash``, ``decommissioning``, ``seen``; inventory: ``group``,
    ``inventory_hash``, ``facts``; deployments: ``decided``, ``current``, ``queue``, ``revision``, ``verdicts``,
    ``zone``.
    """

    pk: str
    sk: str
    auth_status: str = "noauth"
    auth_set: str | None = None
    """Id of the accepted auth set, which is the ``jti`` of valid tokens."""
    auth_generation: int = 0
    """Tokens of an older generation are revoked."""
    identity_hash: str = ""
    decommissioning: bool = False
    seen: datetime | None = None
    """Time of the last check-in; written at most once in ``settings.check_in_interval``."""
    group: str | None = None
    inventory_hash: str | None = None
    """Hash of the last reported inventory. An equal report writes nothing."""
    facts: int = 0
    """Counts changes of everything that filters can match (``head_items.facts_changed``)."""
    decided: int = 0
    """Sequence number of the newest deployment that this device has finished; it gets no older ones."""
    current: Any = None
    """The active device row, in the form of ``deployments``; absent if there is none."""
    queue: Any = None
    """Deployments to few devices, which wait here instead of in the control item: ``[[sequence, id], ...]``."""
    revision: int = 0
    """Counts changes by ``deployments``; each change has the number as its condition."""
    verdicts: Any = None
    """Whether the device matches the filters of open dynamic deployments, and the ``facts`` for which that holds."""

    zone: Any = None
    """The device's own time zone, the attribute that names it, and the ``facts`` for which that holds."""

    @property
    def device_id(self) -> str:
        """The device's id."""
        return keys.last_part(self.pk)

    @property
    def is_accepted(self) -> bool:
        """Whether the device is accepted, and not being removed."""
        return self.auth_status == ACCEPTED and not self.decommissioning
