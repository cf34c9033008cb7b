"""Only public URLs and addresses are called; others are detected in any notation."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.outbound.targets import Refused, Target, check, parse

PRIVATE = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "192.167.255.255", "100.128.0.1", "223.255.255.255"]

private_v4 = st.sampled_from(PRIVATE).map(IPv4Network).flatmap(lambda network: st.ip_addresses(network=network))


def shorter_forms(address: IPv4Address) -> list[str]:
    """The notations of IPv4 addresses that C's resolver accepts."""
    a, b, c, d = address.packed
    whole = int(address)
    forms = [f"{a}.{b}.{c * 256 + d}", f"{a}.{whole & 0xFFFFFF}", f"{whole}", hex(whole), f"0{whole:o}"]
    forms += [f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a}.{b}.{c}.0x{d:x}"]
    forms += [f"{a:03}.{b:03}.{c:03}.{d:03}"] if max(address.packed) < 100 else []
    return forms + [f"{form}." for form in forms]


def ipv6_forms(address: IPv4Address) -> list[IPv4Address | IPv6Address]:
    """IPv6 addresses that contain an IPv4 address."""
    tail = int(address)
    return [
        IPv6Address((0xFFFF << 32) | tail),  # mapped
        IPv6Address(tail),  # compatible
        IPv6Address(int(IPv6Address("64:ff9b::")) | tail),  # NAT64
        IPv6Address(int(IPv6Address("64:ff9b:1::")) | tail),  # NAT64, local
        IPv6Address(int(IPv6Address("2002::")) | tail << 80),  # 6to4
        IPv6Address(int(IPv6Address("2001::")) | tail ^ 0xFFFFFFFF),  # Teredo
    ]


@given(private_v4)
def test_non_public_addresses_are_refused_in_every_notation(address: IPv4Address) -> None:
    for each in [address, *ipv6_forms(address)]:
        with pytest.raises(Refused):
            check(each)
    for host in (str(address), *shorter_forms(address), *(f"[{each}]" for each in ipv6_forms(address))):
        with pytest.raises(Refused):
            parse(f"http://{host}/")


@given(st.ip_addresses(v=4))
def test_public_addresses_are_accepted_in_one_notation(address: IPv4Address) -> None:
    for host in shorter_forms(address):
        with pytest.raises(Refused):
            parse(f"http://{host}/")
    for each in ipv6_forms(address):
        with pytest.raises(Refused):
            check(each)


@given(st.ip_addresses())
def test_addresses_that_python_classifies_as_special_are_refused(address: IPv4Address | IPv6Address) -> None:
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    try:
        check(address)
    except Refused:
        return
    assert not special


@pytest.mark.parametrize(
    "text",
    ["::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "100::1"],
)
def test_non_public_ipv6_addresses_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        check(ip_address(text))
    with pytest.raises(Refused):
        parse(f"https://[{text.replace('%', '%25')}]/")


@pytest.mark.parametrize("text", [*PUBLIC, "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_called(text: str) -> None:
    check(ip_address(text))
    host = f"[{text}]" if ":" in text else text
    assert parse(f"https://{host}/").host == text


def test_a_configured_private_network_is_called() -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00::/8")]
    check(ip_address("10.1.2.3"), networks)
    check(ip_address("fd00::1"), networks)
    for other in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3"):
        with pytest.raises(Refused):
            check(ip_address(other), networks)
    assert parse("http://10.1.2.3/", networks=networks).host == "10.1.2.3"
    assert isinstance(networks[1], IPv6Network)


@pytest.mark.parametrize(
    ("url", "target", "host_header"),
    [
        ("https://example.com", Target("https", "example.com", 443, "/"), "example.com"),
        ("http://Example.COM/a?b=c#d", Target("http", "example.com", 80, "/a?b=c"), "example.com"),
        ("https://example.com:443/a", Target("https", "example.com", 443, "/a"), "example.com"),
        ("https://a-b.x1.example:80/", Target("https", "a-b.x1.example", 80, "/"), "a-b.x1.example:80"),
        ("https://example.com./", Target("https", "example.com.", 443, "/"), "example.com."),
        ("http://[2606:4700::1]/", Target("http", "2606:4700::1", 80, "/"), "[2606:4700::1]"),
    ],
)
def test_parsing_urls(url: str, target: Target, host_header: str) -> None:
    assert parse(url) == target
    assert parse(url).host_header == host_header


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com:22/",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:x/",
        "https://exa mple.com/",
        "https://example.com/\r\nX: y",
        "https://example.com\\@evil.example/",
        "https://münchen.example/",
        "https://exam%70le.com/",
        "https://-.example/",
        "https://a..b/",
        "https://[::1/",
        "https://[127.0.0.1]/",
        "https://[v1.x]/",
        "https://1.2.3.4.5/",
        "https://" + "a" * 64 + ".example/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        parse(url)


@given(st.text(max_size=80), st.sampled_from(["", "http://", "https://"]))
def test_any_text_is_a_url_or_is_refused(text: str, scheme: str) -> None:
    try:
        target = parse(scheme + text)
    except Refused:
        return
    assert target.scheme in {"http", "https"}
    assert target.port in {80, 443}
    assert target.path.startswith("/")
