"""A search among many devices in a new process, and the creation of these devices."""

from __future__ import annotations

import json
import random
import re
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from chalicelib.aws import s3
from chalicelib.inventory import service
from chalicelib.inventory.rules import building, finding, snapshot
from chalicelib.inventory.rules.device import Device
from chalicelib.inventory.rules.matching import Predicate, Query, SortKey
from chalicelib.inventory.tables import devices, snapshots
from chalicelib.inventory.tables.snapshots import Pointer
from chalicelib.storage import keys
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction

PAGE = 20
QUERY = Query(
    (Predicate("inventory", "device_type", "$eq", "pi4"), Predicate("inventory", "mem_total_kB", "$gt", 400_000)),
    (SortKey("system", "updated_ts", descending=True),),
)
"""Two conditions, and a sort by an attribute that is different for every device."""

_STEP = 10_000
_START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(tenant: TenantId, number: int, changed: int) -> dict[str, float]:
    """Write a snapshot and devices that changed after it, bypassing the API; returns the cost of building.

    Only devices that the search shows or that changed exist as items.
    """
    chance = random.Random(number)
    known: snapshot.Snapshot | None = None
    size, data, last = 0, b"", 0.0
    for start in range(0, number, _STEP):
        fresh = {each.id: each for each in (_device(chance, at) for at in range(start, min(start + _STEP, number)))}
        begun = time.process_time()
        size, data = building.build(known, fresh)
        last = time.process_time() - begun
        known = snapshot.opened(size, lambda first, stop, data=data: data[first:stop])  # type: ignore[misc]  # bound now
    key = s3.key(tenant, "snapshots", str(uuid.uuid4()))
    now = datetime.now(UTC)
    assert snapshots.lease(tenant, Pointer(), key, now, now)
    ref = s3.put(key, data)
    assert snapshots.publish(tenant, Pointer(), Pointer((key, ref.version), size, number), key, beside=False)
    for at in range(changed):
        tx = Transaction()
        devices.create(tx, tenant, _device(chance, number + at))
        tx.commit()
    shown, _ = finding.find(known, {}, QUERY, 0, PAGE)
    for device_id in shown:
        each, item = _device(chance, 1), devices._ref(tenant, device_id)
        item.attributes, item.status, item.created, item.updated = each.attributes, each.status, _START, _START
        item.list_pk, item.list_sk = keys.partition(tenant), keys.sort(device_id)
        item.save()
    return {"build": last, "bytes": len(data)}


def _device(chance: random.Random, number: int) -> Device:
    values: dict[str, Any] = {f"setting-{at}": f"v{chance.randrange(20)}" for at in range(12)}
    values |= {
        "device_type": "pi4" if number % 3 else "bbb",
        "kernel": f"5.{chance.randrange(40)}",
        "mem_total_kB": chance.randrange(200) * 4096,
        "mac": f"{chance.getrandbits(48):012x}",
        "ipv4": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "hostname": f"host-{number}",
        "uptime": chance.randrange(10**6),
        "load": chance.random() * 4,
    }
    return Device(
        str(uuid.UUID(int=chance.getrandbits(128))),
        {
            "inventory": {name: [value] for name, value in values.items()},
            "identity": {"mac": [values["mac"]], "sn": [f"SN{number:08}"]},
            "tags": {"site": [f"s{number % 500}"]},
        },
        "accepted",
        _START + timedelta(seconds=number),
        _START + timedelta(milliseconds=chance.randrange(10**9)),
    )


def measure(tenant: TenantId) -> dict[str, float]:
    """CPU seconds of this process's first search and of a second one; its memory in MB before and after."""
    before = _memory()
    taken: list[float] = []
    total = 0
    for _ in range(6):
        begun = time.process_time()
        shown, total = service.search(tenant, QUERY, 0, PAGE, None)
        taken.append(time.process_time() - begun)
        assert len(shown) == PAGE, len(shown)
    return {"cold": taken[0], "warm": sorted(taken[1:])[2], "found": total, "before": before, "after": _memory()}


def _memory() -> float:
    # Not getrusage, whose maximum includes the parent process.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


if __name__ == "__main__":
    # Not to be measured: the first connection, pynamodb's first item.
    devices.find(TenantId(sys.argv[1]), "nobody")
    print(json.dumps(measure(TenantId(sys.argv[1]))))
