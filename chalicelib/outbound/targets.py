"""Decides which URLs and addresses may be called. Does not use the network."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_URL_MAX: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
_URL_TEXT: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
"""The characters of a URL by RFC 3986: no space, no control character, no backslash, on which parsers disagree."""
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?")
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")
"""A last label of a host that some resolvers read as an IPv4 address: ``2130706433``, ``127.1``, ``0x7f.1``."""

_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""Everything allocated as global unicast. Outside are loopback, link-local, private, multicast, and the forms that
contain an IPv4 address: mapped, compatible, NAT64."""
_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: the cloud's metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: contains an IPv4 address
        "3fff::/20",  # documentation
    )
)
"""From IANA's registries of special addresses. Listed here, because ``is_global`` differs by version of Python."""


class OutboundError(Exception):
    """There is no answer. The text is for the user who named the URL."""


class Refused(OutboundError):
    """The target is not allowed."""


class Failed(OutboundError):
    """The target was not reached, or gave no acceptable answer."""


class Target(msgspec.Struct, frozen=True):
    """An allowed URL, if its host's addresses are allowed too. ``path`` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """The value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, *, ports: Collection[int] = (80, 443), networks: Collection[Network] = ()) -> Target:
    """Parse ``url``.

    Args:
        url: absolute, ``http`` or ``https``.
        ports: the allowed ports.
        networks: as for :func:`check`, for a host that is an address.

    Raises:
        Refused: it is not such a URL, or not allowed.
    """
    if len(url) > _URL_MAX or not _URL_TEXT.fullmatch(url):
        raise Refused("the URL is too long or contains characters that must be escaped")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Refused("the URL is malformed") from error
    if parts.scheme not in _PORTS:
        raise Refused("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise Refused("the URL must not contain a user name or password")
    _check_host(host, networks, is_bracketed=parts.netloc.startswith("["))
    target = Target(
        parts.scheme,
        host,
        port if port is not None else _PORTS[parts.scheme],
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if target.port not in ports:
        raise Refused(f"port {target.port} is not allowed")
    return target


def _check_host(host: str, networks: Collection[Network], *, is_bracketed: bool) -> None:
    is_number = _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2])
    if is_bracketed or is_number:
        try:
            address = IPv6Address(host) if is_bracketed else IPv4Address(host)
        except ValueError as error:
            raise Refused("the host is not a valid IP address") from error
        check(address, networks)
    elif not _NAME.fullmatch(host):
        raise Refused("the host name in the URL is not valid")


def check(address: Address, networks: Collection[Network] = ()) -> None:
    """Allow public unicast addresses, and those in ``networks``.

    Raises:
        Refused: it is neither.
    """
    if any(address.version == network.version and address in network for network in networks):
        return
    scoped = isinstance(address, IPv6Address) and (address.scope_id is not None or address not in _GLOBAL_V6)
    if scoped or any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        raise Refused("the host has an address that is not public, which this server does not call")
