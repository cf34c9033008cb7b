"""Limits for what callers without an account can cause, per network and in all.

A caller without an account can create items: a new device, a started login, a queued mail. Their number is counted in
one item per network and hour, which expires. A refused call is not counted and writes nothing. Windows are whole hours,
so twice the number may pass within minutes around the full hour.
"""

from __future__ import annotations

import hashlib
import ipaddress
from enum import StrEnum
from typing import Final

from chalicelib import actor, clock
from chalicelib.errors import TooManyRequests
from chalicelib.fleet.tables import StrangersItem
from chalicelib.observability import Metric, count
from chalicelib.storage import keys

_HOUR: Final = 3600
_EVERYBODY: Final = "*"
_PREFIX: Final = {4: 24, 6: 48}
"""Bits of an address that identify its network, as one subscriber or office gets it."""


class Kind(StrEnum):
    """What is counted. Stored in keys."""

    DEVICES = "devices"
    """New devices of a tenant."""
    LOGIN_FAILURES = "logins"
    """Failed logins, for any accounts."""
    MAILS = "mails"
    """Requested account mails, to any addresses."""
    SIGNUPS = "signups"
    SSO_LOGINS = "sso"
    """Logins started at an identity provider of a tenant."""


def network(address: str) -> str:
    """The network of an address: an IPv4 /24 or an IPv6 /48. Text that is not an address is a network of its own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped:  # the version of the protocol
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _PREFIX[parsed.version]), strict=False))


def admit(kind: Kind, most: int, *, tenant: str = "", in_all: int = 0) -> None:
    """Count a call for the caller's network, and refuse it if there were too many.

    Args:
        kind: what is counted.
        most: limit for one network in an hour; 0 means none.
        tenant: the tenant concerned; tenants are counted separately.
        in_all: limit for all networks together in an hour; 0 means none.

    Raises:
        TooManyRequests: a limit of this hour is reached.
    """
    # In this order, a refused network does not use up the shared limit.
    wanted = [(network(actor.current().source_ip), most), (_EVERYBODY, in_all)]
    seconds = int(clock.now().timestamp())
    for source, limit in wanted:
        if limit and not _count(kind, tenant, source, seconds // _HOUR, limit):
            count(Metric.STRANGERS_REFUSED)
            raise TooManyRequests(retry_after=_HOUR - seconds % _HOUR)


def _count(kind: Kind, tenant: str, source: str, hour: int, most: int) -> bool:
    hashed = hashlib.sha256(source.encode()).hexdigest()[:32]
    item = StrangersItem(keys.shared("STRANGERS", kind, tenant, hashed), keys.number(hour))
    ends = (hour + 1) * _HOUR
    return item.update_if(
        [StrangersItem.n.add(1), StrangersItem.expires_at.set(ends + 1)],
        StrangersItem.n.does_not_exist() | (StrangersItem.n < most),
    )
