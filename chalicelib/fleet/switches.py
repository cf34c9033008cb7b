"""What the server's operator can switch off for every tenant at once, while something is being investigated.

Items of the table ``fleet`` and not a parameter of SSM: a whole fleet of processes reads it every few seconds, and
Parameter Store answers 40 reads a second. Only calls that a switch is about read it, so polls never do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.cache import Cache
from chalicelib.errors import SwitchedOff
from chalicelib.fleet.tables import SwitchItem
from chalicelib.storage import keys


class Switch(StrEnum):
    """What can be switched off. The values are stored, and are the names that ``manage switch`` takes."""

    DEPLOYMENTS = "deployments"
    """Creating deployments. Those that are open go on: abort them one by one."""
    REMOTE_ACCESS = "remote-access"
    """New connections of devices and users, commands to devices, and sessions that are open."""
    UPLOADS = "uploads"
    """New artifacts. An upload that has begun by a link is still verified."""
    WEBHOOKS = "webhooks"
    """Deliveries. Events wait, up to a day, until they are switched on again."""


_PARTITION = keys.shared("SWITCHES")
_cache: Cache[str, Mapping[str, str]] = Cache(1)


def off(*, fresh: bool = False) -> Mapping[str, str]:
    """Names of what is off, with the text that callers are told; at most ``settings.control_cache`` seconds old."""
    return _cache.get(_PARTITION, _read, life=0 if fresh else None)


def is_off(switch: Switch) -> bool:
    """Whether this is switched off."""
    return switch in off()


def require(switch: Switch) -> None:
    """Refuse what is switched off.

    Raises:
        SwitchedOff: with the operator's text.
    """
    reason = off().get(switch)
    if reason is not None:
        raise SwitchedOff(f"the operator of this server has switched off {switch.replace('-', ' ')}: {reason}")


def turn_off(switch: Switch, reason: str) -> None:
    """Switch something off. Running processes notice within ``settings.control_cache`` seconds."""
    SwitchItem(_PARTITION, str(switch), reason=reason).save()
    _cache.clear()


def turn_on(switch: Switch) -> None:
    """Switch something on again, or leave it on. Running processes notice as with :func:`turn_off`."""
    SwitchItem(_PARTITION, str(switch)).delete()
    _cache.clear()


def _read() -> Mapping[str, str]:
    return {item.sk: item.reason for item in SwitchItem.query(_PARTITION, consistent_read=True)}
