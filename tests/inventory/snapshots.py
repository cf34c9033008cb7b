"""Changes of devices, and snapshots of them, without HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.inventory import service
from chalicelib.inventory.rules.matching import Query, SortKey
from chalicelib.inventory.service import building
from chalicelib.inventory.shapes import AttributeInput
from tests.inventory.fleet import head_of

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId

EVERYONE = Query(sort=(SortKey("identity", "sn", descending=True),))


def report(tenant: TenantId, device_id: str, **values: Any) -> None:
    given = [AttributeInput(name, value) for name, value in values.items()]
    service.report(tenant, head_of(tenant, device_id), given, replace=False)


def build(tenant: TenantId) -> None:
    while building.rebuild(tenant):
        pass
