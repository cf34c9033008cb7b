"""Builds keys. No other code concatenates the text of keys, so no key can refer to another tenant.

A partition key is ``T#<tenant>#<kind>#<part>...``. Parts are escaped, so a ``#`` in an id cannot forge another key, and
shortened, because DynamoDB limits a partition key to 2,048 bytes and a sort key to 1,024. These forms are stored data:
changing one needs a migration.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, NewType

from chalicelib import settings

if TYPE_CHECKING:
    from datetime import datetime

TenantId = NewType("TenantId", str)
"""A verified tenant: from a token's claims or a tenant token, never from other parts of a request."""

_PART_MAX = 600


# A call builds several keys of the same tenant.
@lru_cache(maxsize=4096)
def _part(text: str) -> str:
    escaped = text.replace("%", "%25").replace("#", "%23")
    if len(escaped.encode()) <= _PART_MAX:
        return escaped
    # A long name keeps its beginning for the order, and has its hash for identity.
    head = escaped.encode()[:200].decode(errors="ignore")
    return f"{head}%~{hashlib.sha256(text.encode()).hexdigest()}"


def table(name: str) -> str:
    """The full name of a table in this stage."""
    return settings.current().table_prefix + name


def partition(tenant: TenantId, *parts: str) -> str:
    """A partition key of ``tenant``."""
    return "#".join(("T", _part(tenant), *map(_part, parts)))


def tenant_of(partition_key: str) -> TenantId:
    """The tenant of a stored partition key, for the schedule, which finds items of all tenants."""
    kind, tenant, *_ = partition_key.split("#")
    if kind != "T":
        raise ValueError("not the key of something of a tenant")
    return TenantId(tenant.replace("%23", "#").replace("%25", "%"))


def shared(kind: str, *parts: str) -> str:
    """A partition key for lookups without a known tenant: by an e-mail address or a tenant token."""
    if kind == "T":
        raise ValueError("T# begins the keys of tenants")
    return "#".join((kind, *map(_part, parts)))


def sort(*parts: str) -> str:
    """A sort key. Its parts are sorted as text: pad numbers with :func:`number`."""
    return "#".join(map(_part, parts))


def last_part(key: str) -> str:
    """The last part of a key; only for ids, which are never shortened."""
    return key.rsplit("#", 1)[-1].replace("%23", "#").replace("%25", "%")


def time(value: datetime) -> str:
    """A time (from 1970) as text that sorts by time, to the millisecond."""
    return number(max(0, int(value.timestamp() * 1000)))


def number(value: int) -> str:
    """``value`` (0 to 10^14) as text that sorts by number."""
    return f"{value:015d}"
