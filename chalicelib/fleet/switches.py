"""Parts of the server that an admin can switch off for all tenants, for example during an investigation.

They are items of the table ``fleet``, not parameters: a whole fleet of processes reads them every few seconds, and
Parameter Store answers 40 reads a second. Only calls that a switch concerns read them, so polls never do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.cache import Cache
from chalicelib.errors import SwitchedOff
from chalicelib.fleet.tables import SwitchItem
from chalicelib.storage import keys


class Switch(StrEnum):
    """The switches. The values are stored, and are the names for ``manage switch``."""

    DEPLOYMENTS = "deployments"
    """Creating deployments. Unfinished ones continue; abort them one by one."""
    REMOTE_ACCESS = "remote-access"
    """New connections of devices and users, commands to devices, and open sessions."""
    UPLOADS = "uploads"
    """New artifacts. Uploads that have begun through a link are still verified."""
    WEBHOOKS = "webhooks"
    """Deliveries. Events wait up to a day until it is switched on again."""


_PARTITION = keys.shared("SWITCHES")
_cache: Cache[str, Mapping[str, str]] = Cache(1)


def off(*, fresh: bool = False) -> Mapping[str, str]:
    """The switches that are off, with the reason given to callers; at most ``settings.control_cache`` seconds old."""
    return _cache.get(_PARTITION, _read, life=0 if fresh else None)


def is_off(switch: Switch) -> bool:
    """Whether this switch is off."""
    return switch in off()


def require(switch: Switch) -> None:
    """Raise an error if this switch is off.

    Raises:
        SwitchedOff: with the admin's reason.
    """
    reason = off().get(switch)
    if reason is not None:
        raise SwitchedOff(f"the admin of this server has switched off {switch.replace('-', ' ')}: {reason}")


def turn_off(switch: Switch, reason: str) -> None:
    """Switch a part off. Running processes notice within ``settings.control_cache`` seconds."""
    SwitchItem(_PARTITION, str(switch), reason=reason).save()
    _cache.clear()


def turn_on(switch: Switch) -> None:
    """Switch a part on again. Running processes notice within ``settings.control_cache`` seconds."""
    SwitchItem(_PARTITION, str(switch)).delete()
    _cache.clear()


def _read() -> Mapping[str, str]:
    return {item.sk: item.reason for item in SwitchItem.query(_PARTITION, consistent_read=True)}
