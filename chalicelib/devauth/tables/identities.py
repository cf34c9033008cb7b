"""What acceptance rules know of identities and keys: preregistered, decommissioned, certified."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import msgspec
from pynamodb.attributes import UnicodeAttribute

from chalicelib.devauth.tables import DECOMMISSIONED, EXPECTED, DevauthItem
from chalicelib.storage import erasing, keys
from chalicelib.storage.base import IntegerAttribute, TimeAttribute
from chalicelib.storage.indexes import ListIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

PARTS: Final = 4
"""Lists and counts are in parts by the beginning of the hash, so that one key does not slow down a large upload."""
_CERTIFIED: Final = "CERTIFIED"


class ExpectedItem(DevauthItem):
    """A preregistered identity."""

    identity = UnicodeAttribute()
    """Identity data in its normal form."""
    pubkey = UnicodeAttribute(null=True)
    created = TimeAttribute()
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    listed = ListIndex["ExpectedItem"]()


class ExpectedCountItem(DevauthItem):
    """Counts preregistered identities."""

    n = IntegerAttribute(default=0)


class DecommissionedItem(DevauthItem):
    """An identity whose device was decommissioned. It has no identity data."""

    created = TimeAttribute()
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    listed = ListIndex["DecommissionedItem"]()


class CertifiedItem(DevauthItem):
    """A key that was accepted by its certificate, and the one identity that it was accepted for."""

    identity_hash = UnicodeAttribute()
    list_pk = UnicodeAttribute()
    list_sk = UnicodeAttribute()
    listed = ListIndex["CertifiedItem"]()


class Expected(msgspec.Struct, frozen=True):
    """A preregistered identity."""

    hash: str
    identity: str
    """Identity data in its normal form."""
    pubkey: str
    """The only key with which it is accepted, as canonical PEM; empty: any."""
    created: datetime


def _expected(item: ExpectedItem) -> Expected:
    return Expected(item.list_sk, item.identity, item.pubkey or "", item.created)


def _ref(tenant: TenantId, identity_hash: str) -> ExpectedItem:
    return ExpectedItem(keys.partition(tenant, "I", identity_hash), EXPECTED)


def _part(hashed: str) -> int:
    return int(hashed[0], 16) * PARTS // 16


def _list(tenant: TenantId, kind: str, part: int) -> str:
    return keys.partition(tenant, kind, str(part))


def find_many(tenant: TenantId, identity_hashes: Iterable[str]) -> dict[str, Expected]:
    """The identities that are preregistered, by hash (strongly consistent); 100 per round trip."""
    refs = [_ref(tenant, each) for each in dict.fromkeys(identity_hashes)]
    found = ExpectedItem.batch_get([(ref.pk, ref.sk) for ref in refs], consistent_read=True)
    return {item.list_sk: _expected(item) for item in found}


def add(tx: Transaction, tenant: TenantId, new: Collection[Expected]) -> None:
    """Store identities and count them; fails if one is stored already. At most ``PARTS`` writes more."""
    for each in new:
        item = _ref(tenant, each.hash)
        item.identity, item.pubkey, item.created = each.identity, each.pubkey or None, each.created
        item.list_pk, item.list_sk = _list(tenant, EXPECTED, _part(each.hash)), each.hash
        tx.put(item, ExpectedItem.pk.does_not_exist(), label="identity")
    _count(tx, tenant, [each.hash for each in new], 1)


def delete(tx: Transaction, tenant: TenantId, identity_hashes: Collection[str]) -> None:
    """Delete identities and count them; fails with label ``identity`` if one is not there any more."""
    for each in identity_hashes:
        tx.delete(_ref(tenant, each), ExpectedItem.pk.exists(), label="identity")
    _count(tx, tenant, identity_hashes, -1)


def _count(tx: Transaction, tenant: TenantId, identity_hashes: Collection[str], by: int) -> None:
    for part, number in sorted(Counter(map(_part, identity_hashes)).items()):
        row = ExpectedCountItem(keys.partition(tenant, EXPECTED), str(part))
        tx.update(row, [ExpectedCountItem.n.add(by * number)], label="number")


def number(tenant: TenantId) -> int:
    """The number of preregistered identities (strongly consistent): one query."""
    return sum(row.n for row in ExpectedCountItem.query(keys.partition(tenant, EXPECTED), consistent_read=True))


def after(tenant: TenantId, identity_hash: str, most: int) -> list[Expected]:
    """Up to ``most`` identities by hash, from after one (empty: the first). One added a moment ago may be missing."""
    first = _part(identity_hash) if identity_hash else 0
    within = ExpectedItem.list_sk > identity_hash if identity_hash else None
    pages = (
        ExpectedItem.listed.query(_list(tenant, EXPECTED, part), within, limit=most) for part in range(first, PARTS)
    )
    return [_expected(item) for item in islice(chain.from_iterable(pages), most)]


def before(tenant: TenantId, identity_hash: str, most: int) -> list[Expected]:
    """Up to ``most`` identities by hash, those that come immediately before one."""
    within = ExpectedItem.list_sk < identity_hash
    pages = (
        ExpectedItem.listed.query(_list(tenant, EXPECTED, part), within, scan_index_forward=False, limit=most)
        for part in reversed(range(_part(identity_hash) + 1))
    )
    return [_expected(item) for item in islice(chain.from_iterable(pages), most)][::-1]


def mark_decommissioned(tx: Transaction, tenant: TenantId, identity_hash: str, now: datetime) -> None:
    """Remember that the device with an identity was decommissioned."""
    item = DecommissionedItem(keys.partition(tenant, "I", identity_hash), DECOMMISSIONED, created=now)
    item.list_pk, item.list_sk = _list(tenant, DECOMMISSIONED, _part(identity_hash)), identity_hash
    tx.put(item, label="decommissioned")


def decommissioned(tenant: TenantId, identity_hashes: Iterable[str]) -> set[str]:
    """Those of some identities whose devices were decommissioned (strongly consistent); 100 per round trip."""
    wanted = [(keys.partition(tenant, "I", each), DECOMMISSIONED) for each in dict.fromkeys(identity_hashes)]
    return {item.list_sk for item in DecommissionedItem.batch_get(wanted, consistent_read=True)}


def claim_key(tx: Transaction, tenant: TenantId, key_hash: str, identity_hash: str) -> None:
    """Reserve a certified key for one identity; fails with label ``key`` if it is reserved for another one."""
    item = CertifiedItem(keys.partition(tenant, "K", key_hash), _CERTIFIED, identity_hash=identity_hash)
    item.list_pk, item.list_sk = _list(tenant, _CERTIFIED, _part(key_hash)), key_hash
    tx.put(item, CertifiedItem.pk.does_not_exist() | (CertifiedItem.identity_hash == identity_hash), label="key")


def erase(tenant: TenantId) -> int:
    """Erase everything of a removed tenant that this module stores; returns the number of items."""
    count = erasing.partition(ExpectedCountItem, keys.partition(tenant, EXPECTED))
    for kind, listed in (
        (EXPECTED, ExpectedItem.listed),
        (DECOMMISSIONED, DecommissionedItem.listed),
        (_CERTIFIED, CertifiedItem.listed),
    ):
        for part in range(PARTS):
            count += erasing.rows(DevauthItem, erasing.listed(listed, _list(tenant, kind, part)))
    return count
