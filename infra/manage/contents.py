"""Finds all data of a tenant by reading all tables and the bucket: slow, but complete.

The app finds a tenant's data by its own indexes; this checks that, and answers data requests.
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
"""Tables whose items stay until they expire, because audit entries must not be deleted."""

_SECRET = re.compile(r"password|secret|token|credential|sealed|totp|recovery|private", re.IGNORECASE)
"""Names of attributes and members that an export omits."""


@dataclass(frozen=True, slots=True)
class Found:
    """An item that belongs to a tenant or contains its id; ``table`` is without the stage's prefix."""

    table: str
    item: dict[str, Any]

    @property
    def key(self) -> str:
        """The item's key, for people."""
        return f"{self.item['pk']['S']} {self.item['sk']['S']}"


def items(tenant: str) -> Iterator[Found]:
    """All items of all tables that contain the tenant's id."""
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
    """All versions of all objects of the tenant."""
    from chalicelib import settings
    from chalicelib.aws import s3
    from chalicelib.storage.keys import TenantId

    pages = boto3.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=settings.current().bucket, Prefix=s3.key(TenantId(tenant), "")):
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def left(tenant: str) -> Counter[str]:
    """The number of a tenant's items and objects, by table.

    Audit entries are not counted, and neither are items that only contain the tenant's id until they expire in a day or
    two: a started login at an identity provider, a replaced mailed secret. Nothing of the tenant leads to them.
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
    """Whether an item belongs to the tenant, and does not only contain its id."""
    from chalicelib.storage.keys import TenantId, partition

    pk = partition(TenantId(tenant))
    return bool(found.item["pk"]["S"] == pk or found.item["pk"]["S"].startswith(pk + "#"))


def exported(found: Found) -> dict[str, Any]:
    """An item as plain JSON, without credentials."""
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
