"""Everything that the server keeps of one tenant, found by reading all tables and the bucket: slow, and sure.

The app finds a tenant's things by its own indexes; this is what checks it, and what a data request is answered from.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import boto3
import msgspec
from boto3.dynamodb.types import Binary, TypeDeserializer

KEPT = frozenset({"auditlogs", "auditchains"})
"""Tables whose items outlive their tenant until they expire: nothing may delete an audit entry."""

_SECRET = re.compile(r"password|secret|token|credential|sealed|totp|recovery|private", re.IGNORECASE)
"""Names of attributes and members that an export leaves out."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item that belongs to a tenant or names it; ``table`` without the stage's prefix."""

    table: str
    item: dict[str, Any]

    @property
    def key(self) -> str:
        """The item's key, for people."""
        return f"{self.item['pk']['S']} {self.item['sk']['S']}"


def items(tenant: str) -> Iterator[Found]:
    """Every item of every table in which the tenant's id stands anywhere."""
    from chalicelib import settings

    prefix = settings.current().table_prefix
    dynamodb = boto3.client("dynamodb")
    tables = [
        name
        for page in dynamodb.get_paginator("list_tables").paginate()
        for name in page["TableNames"]
        if name.startswith(prefix)
    ]
    for table in sorted(tables):
        for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from (Found(table.removeprefix(prefix), item) for item in page["Items"] if _names(item, tenant))


def objects(tenant: str) -> Iterator[dict[str, Any]]:
    """Every version of every object of the tenant."""
    from chalicelib import settings
    from chalicelib.aws import s3
    from chalicelib.storage.keys import TenantId

    pages = boto3.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=settings.current().bucket, Prefix=s3.key(TenantId(tenant), "")):
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def left(tenant: str) -> Counter[str]:
    """How many items and objects there are of a tenant, by table.

    Not counted are audit entries, and what only names the tenant until it expires, in a day or two: a login at an
    identity provider that was begun, a mailed secret that a later one replaced. Nothing leads there from the tenant.
    """
    found = Counter(
        each.table
        for each in items(tenant)
        if each.table not in KEPT and (own(tenant, each) or "expires_at" not in each.item)
    )
    found["bucket"] = sum(1 for _ in objects(tenant))
    return +found


def _names(value: Any, tenant: str) -> bool:
    if isinstance(value, dict):
        return any(tenant in str(name) or _names(member, tenant) for name, member in value.items())
    if isinstance(value, list | set | tuple):
        return any(_names(member, tenant) for member in value)
    if isinstance(value, bytes):
        return tenant.encode() in _unpacked(value)
    return tenant in str(value)


def _unpacked(value: bytes) -> bytes:
    if value[:1] == b"x":
        try:
            return zlib.decompress(value)
        except zlib.error:
            return value
    return value


def own(tenant: str, found: Found) -> bool:
    """Whether an item is the tenant's own, and does not only name it."""
    from chalicelib.storage.keys import TenantId, partition

    pk = partition(TenantId(tenant))
    return bool(found.item["pk"]["S"] == pk or found.item["pk"]["S"].startswith(pk + "#"))


def exported(found: Found) -> dict[str, Any]:
    """An item as plain JSON, without what would let somebody in."""
    read = TypeDeserializer().deserialize
    attributes = {name: plain(read(value)) for name, value in found.item.items()}
    return {"table": found.table, **_without_secrets(attributes)}


def plain(value: Any) -> Any:
    """An attribute's value as plain JSON."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Binary():
            return _document(bytes(value))
        case dict():
            return {name: plain(member) for name, member in value.items()}
        case list() | set():
            return [plain(member) for member in (sorted(value) if isinstance(value, set) else value)]
    return value


def _document(value: bytes) -> Any:
    try:
        return msgspec.json.decode(_unpacked(value))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return base64.b64encode(value).decode()


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(member) for name, member in value.items() if not _SECRET.search(name)}
    if isinstance(value, list):
        return [_without_secrets(member) for member in value]
    return value
