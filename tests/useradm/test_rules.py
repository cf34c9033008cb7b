"""Rules of addresses and networks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import DomainError
from chalicelib.useradm import rules


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_networks(address: str, network: str):
    assert rules.network(address) == network


@pytest.mark.parametrize("address", ["a@b", "A.b+c@Example.COM", " padded@example.com ", "o'neil@sub.example.org"])
def test_valid_addresses(address: str):
    assert rules.email(address) == address.strip().lower()


@pytest.mark.parametrize(
    "address", ["", "@", "a@", "@b", "a b@c.d", "a@b..c", "a@-b.c", "a@b_c", "a\x00@b.c", "a#b@c@d"]
)
def test_invalid_addresses(address: str):
    with pytest.raises(DomainError):
        rules.email(address)


@given(st.text(max_size=300))
def test_normalizing_an_address_is_idempotent(text: str):
    try:
        address = rules.email(text)
    except DomainError:
        return
    assert rules.email(address) == address
    assert address.isascii()
    assert ":" not in address
