"""Version 3: tenants with many devices are divided into parts, so that no key of DynamoDB takes all their writes.

Code of version 2 neither reads nor writes parts. A tenant gets them in its control item. Then its devices move, in two
lists, from the tenant's partition into those of the parts. Readers read both, so the server serves meanwhile.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.migrations.items import Tables

PARTS = 128
FROM = 10_000
"""The number of devices from which a tenant is divided."""
NOTICE = 60.0
"""Seconds after which no process has a copy of the control item without parts, and so all read the parts."""
_COUNTS = ("n", "noauth", "pending", "preauthorized", "rejected")
_DIGITS = frozenset("0123456789abcdef")


def run(tables: Tables, tenant: str) -> int:
    """Divide a tenant if it has many devices; returns how many items changed.

    It moves one device after the other, about 200 a second, so that the old partition has capacity left for the
    devices' calls.
    """
    key = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": "CONTROL"}}
    control = tables.get("fleet", key)
    if control is None or ("parts" not in control and _devices(tables, tenant) < FROM):
        return 0
    changed = 0
    if "parts" not in control:
        control = {"parts": {"N": str(PARTS)}, "parts_from": {"N": str(int((time.time() + NOTICE) * 1000))}}
        changed += tables.change("fleet", key, control, ("parts", None))
    # Also if the tenant was divided a moment ago by a migration that was interrupted.
    begin = int(control["parts_from"]["N"]) / 1000 if "parts_from" in control else 0.0
    time.sleep(max(0.0, begin - time.time()))
    old = f"T#{tenant}"
    for table in ("devauth", "inventory"):
        for item in tables.query(table, old, index="list", key="list_pk"):
            device = item["list_sk"]["S"].rsplit("#", 1)[-1]
            if _DIGITS.issuperset(device[:2]):
                part = int(device[:2], 16) * PARTS // 256
                place = {"list_pk": {"S": f"{old}#L#{part:02x}"}}
                changed += tables.change(table, item, place, ("list_pk", {"S": old}))
    return changed


def _devices(tables: Tables, tenant: str) -> int:
    rows = tables.query("devauth", f"T#{tenant}#COUNTS")
    return sum(int(row[name]["N"]) for row in rows for name in _COUNTS if name in row)
