"""The measured server: the usual one in its own process, with commands for measurements inside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from infra.local.testing import LocalServer
from tests.bench.numbers import ROOT
from tests.bench.pairs import idle, many_open, operators, reports
from tests.simulator.serve import serve
from tests.support import cold_start
from tests.support.usage import Memory, cpu

PASSWORD = "a-long-enough-one"
AT_ONCE = 4
"""Concurrent batches while a roster is filled; the engine uses one core."""

_counting = ExitStack()
_cost: list[Any] = []
_calls: Counter[str] = Counter()


def usage(server: LocalServer, _order: Mapping[str, Any]) -> Mapping[str, Any]:
    """CPU seconds of server and engine so far, and their present and maximum memory in MB."""
    own, engine = Memory.of(os.getpid()), Memory.of(server.engine.pid)
    return {
        "cpu": time.process_time(),
        "engine_cpu": cpu(server.engine.pid),
        "memory": own.now,
        "peak": own.highest,
        "engine_memory": engine.now,
        "engine_peak": engine.highest,
        "pid": os.getpid(),
        "round_trips": _calls.total(),
        "operations": dict(_calls),
    }


def tenant(server: LocalServer, _order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Create a tenant with an administrator for a measurement; returns its address."""
    from chalicelib.rights import EVERYTHING
    from chalicelib.tenantadm import service as tenantadm
    from chalicelib.useradm import service as useradm

    made = tenantadm.create_tenant("Bench")
    user = f"{uuid.uuid4().hex}@example.com"
    useradm.create_user(made.id, user, PASSWORD, by=EVERYTHING)
    return {
        "url": server.url,
        "ca": str(server.ca or ""),
        "user": user,
        "password": PASSWORD,
        "tenant_token": made.tenant_token,
        "tenant": made.id,
    }


def roster(_server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add accepted devices to a tenant's roster, bypassing the API: a deployment to all reads nothing else."""
    from chalicelib.fleet import membership
    from chalicelib.fleet.tables import RosterItem

    ids = [str(uuid.uuid4()) for _ in range(order["devices"])]
    items = [membership._roster_item(order["tenant"], id) for id in ids]

    def write(part: Iterable[RosterItem]) -> None:
        with RosterItem.batch_write() as batch:
            for item in part:
                batch.save(item)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(write, (items[at::AT_ONCE] for at in range(AT_ONCE))))
    return {}


def searching(_server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Search among devices that were written bypassing the API, in a new process."""
    from tests.bench import searching as part

    built = part.fill(order["tenant"], order["devices"], order["changed"])
    command = [sys.executable, "-m", part.__name__, order["tenant"]]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return {**built, **json.loads(done.stdout)}


def count(_server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Start to count the cost of calls in DynamoDB, or stop and return it."""
    from tests.support.probe import counted

    if order["on"]:
        _cost.append(_counting.enter_context(counted()))
        return {}
    cost = _cost.pop()
    _counting.close()
    return {
        "round_trips": cost.round_trips,
        "operations": dict(cost.by_operation),
        "read_units": cost.read_units,
        "write_units": cost.write_units,
    }


def first_call(_server: LocalServer, order: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the first call of a new process; returns the answer's status and the CPU seconds."""
    call = cold_start.Call(order["method"], order["path"], order["headers"], order["body"])
    first = cold_start.first_call(call, Path(order["place"]))
    return {"status": first.status, "seconds": first.seconds}


def _note(operation: str, _request: object, _answer: object) -> None:
    _calls[operation] += 1


if __name__ == "__main__":
    from chalicelib.storage import dynamodb

    dynamodb.observers.append(_note)
    serve(
        {
            each.__name__: each
            for each in (count, first_call, idle, many_open, operators, reports, roster, searching, tenant, usage)
        }
    )
