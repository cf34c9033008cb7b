"""What callers without an account may cause: so much from one network in an hour, and so much in all.

A caller without an account can make rows appear: a new device, a login that begins, a mail to order. How many of them
one network makes in an hour is counted in one item a network and hour, which expires. A call that is refused counts no
further and writes nothing. Windows are whole hours, so two of them may meet: twice the number within minutes.
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
"""Bits of an address that name its network: what one subscriber or office is given."""


class Kind(StrEnum):
    """What is counted. Stored in keys."""

    DEVICES = "devices"
    """New devices of a tenant."""
    LOGIN_FAILURES = "logins"
    """Failed logins, of whatever addresses."""
    MAILS = "mails"
    """Account mails that are asked for, to whatever addresses."""
    SIGNUPS = "signups"
    SSO_LOGINS = "sso"
    """Logins that begin at an identity provider of a tenant."""


def network(address: str) -> str:
    """The network that an address is in: an IPv4 /24 or an IPv6 /48; what is no address is its own network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped:  # the version of the protocol
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _PREFIX[parsed.version]), strict=False))


def admit(kind: Kind, most: int, *, tenant: str = "", in_all: int = 0) -> None:
    """Count what the caller's network causes, and let it through while that is not too much.

    Args:
        kind: what is counted.
        most: how many one network may cause in an hour; 0: any number.
        tenant: whose rows they are; tenants are counted apart.
        in_all: how many all networks together may cause in an hour; 0: any number.

    Raises:
        TooManyRequests: it is too much in this hour.
    """
    # In this order, a network that is refused does not use up what the others may cause.
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
