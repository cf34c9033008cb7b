"""Processes that Lambda restores from one snapshot share nothing that is old or must differ."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

import chalicelib
from chalicelib import snapstart
from chalicelib.aws import signing_keys
from chalicelib.cache import Cache, Store
from chalicelib.tenantadm import service as tenants
from chalicelib.tenantadm.service import Status, Tenant
from infra.local.testing import LocalServer
from infra.paths import ROOT
from tests.deployments.world import DEVAUTH, World
from tests.simulator.device import Device
from tests.support.cold_start import imported, usual_calls
from tests.support.restored import Run, credentials, snapshot


@pytest.fixture
def server(own_server: LocalServer) -> LocalServer:
    """A server of this module, because signing keys are withdrawn."""
    return own_server


@pytest.fixture
def device(api: httpx2.Client, http: httpx2.Client, tenant: Tenant) -> Device:
    return World(api, http, tenant.tenant_token).device()


def restored(
    device: Device, folder: Path, name: str = "poll", change: Callable[[], object] = lambda: None
) -> tuple[list[Run], Run, Run, Run]:
    """Two restored processes; and the call in the process that is the snapshot: cold, warm, and after the change."""
    call = usual_calls(device, str(device.token))[name]
    with credentials() as (endpoint, asked), snapshot(call, folder, endpoint) as made:
        change()
        before = len(asked)
        copies, still = made.restore()
        assert (before, len(asked)) == (1, 3), "each process asks for credentials of its own, once"
    return copies, made.cold, made.warm, still


@pytest.mark.parametrize(("name", "status"), [("poll", 204), ("inventory", 200), ("auth request", 200)])
def test_restored_processes_answer_and_share_nothing(device: Device, tmp_path: Path, name: str, status: int) -> None:
    (one, other), cold, warm, still = restored(device, tmp_path, name)

    assert [each.status for each in (cold, warm, one, other, still)] == [status] * 5
    assert cold.imported == [], "everything is in the snapshot"
    assert len({one.random, other.random, still.random}) == 3
    assert set(one.ports) & set(other.ports) == set()
    assert (set(one.ports) | set(other.ports)) & (set(warm.ports) | set(still.ports)) == set()


def test_restored_processes_read_again_what_the_snapshot_remembers(device: Device, tmp_path: Path) -> None:
    copies, cold, warm, still = restored(device, tmp_path)

    assert len(warm.requests) < len(cold.requests)
    assert still.requests == warm.requests
    assert [each.requests for each in copies] == [cold.requests] * 2


def test_a_device_that_was_rejected_since_the_snapshot_is_refused(
    api: httpx2.Client, device: Device, tmp_path: Path
) -> None:
    [known] = api.get(DEVAUTH).json()
    path = f"{DEVAUTH}/{known['id']}/auth/{known['auth_sets'][0]['id']}/status"

    copies, *_ = restored(device, tmp_path, change=lambda: api.put(path, json={"status": "rejected"}))

    assert [each.status for each in copies] == [401, 401]


def test_a_tenant_that_was_suspended_since_the_snapshot_is_refused(
    tenant: Tenant, device: Device, tmp_path: Path
) -> None:
    copies, _, _, still = restored(device, tmp_path, change=lambda: tenants.set_status(tenant.id, Status.SUSPENDED))

    assert still.status == 204, "a process that was not restored remembers the tenant"
    assert [each.status for each in copies] == [401, 401]


def test_a_key_that_was_withdrawn_since_the_snapshot_signs_nothing(device: Device, tmp_path: Path) -> None:
    copies, _, _, still = restored(device, tmp_path, change=lambda: signing_keys.rotate(withdraw_old=True))

    assert still.status == 204, "a process that was not restored remembers the key"
    assert [each.status for each in copies] == [401, 401]


def test_without_lambdas_module_everything_is_loaded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")

    assert {"chalicelib.useradm.management_v1.accounts", "chalicelib.http.gateway_events", "jwt"} <= imported()


# --- Nothing is forgotten


def modules() -> list[ModuleType]:
    """All modules of the app."""
    return [import_module(each.name) for each in pkgutil.walk_packages(chalicelib.__path__, "chalicelib.")]


TIMELESS = {
    "chalicelib.settings.current": "variables of a published version do not change",
    "chalicelib.settings.aws": "the same",
    "chalicelib.aws.client.pool": "its connections are closed",
    "chalicelib.aws.queues._url": "a queue keeps its URL",
    "chalicelib.observability._logger": "it holds no value of a call",
    "chalicelib.outbound.client._allowed": "made of the settings",
    "chalicelib.outbound.client._tls": "certificates are checked at each connection, with the time of then",
    "chalicelib.storage.connection.shared": "it holds no connection",
    "chalicelib.storage.dynamodb.shared": "its connections are closed, and its clock correction is dropped with them",
    "chalicelib.storage.keys._part": "made of its argument",
    "chalicelib.storage.pool.trust": "certificates are checked at each connection, with the time of then",
    "chalicelib.storage.wire._prepared": "by time and credentials",
    "chalicelib.storage.wire._key": "by day and credentials",
    "chalicelib.storage.writes._names": "made of its argument",
    "chalicelib.tokens._verified": "the key and the expiry are checked at each use",
    "chalicelib.useradm.service.passwords._hasher": "salts come from the operating system",
}
"""Functions whose cached results remain, and why they may."""
FILLED_LATER = {
    "chalicelib.aws.parameters._known": "the parameters, whose copies are dropped",
    "chalicelib.aws.push._here": "one machine only",
    "chalicelib.cache._stores": "the caches, which are cleared",
    "chalicelib.http.access._implementation": "set by an import",
    "chalicelib.http.body._streams": "one machine only, while a call runs",
    "chalicelib.inventory.tables.changes._noted": "a count that decides only when to ask for a snapshot of devices",
    "chalicelib.storage.dynamodb.observers": "tests only",
}
"""Names of modules that begin as empty containers, and why what they contain may remain."""


def test_cached_functions_are_cleared_or_timeless() -> None:
    found = {
        f"{cached.__module__}.{cached.__qualname__}": cached
        for module in modules()
        for holder in (module, *(each for each in vars(module).values() if isinstance(each, type)))
        for cached in vars(holder).values()
        if isinstance(cached, _lru_cache_wrapper) and cached.__module__.startswith("chalicelib.")
    }
    cleared = {name: cached for name, cached in found.items() if name not in TIMELESS}
    unknown = {name for name, cached in cleared.items() if signature(cached).parameters}
    assert unknown == set(), "either they are timeless (say why), or the hook clears them and this test fills them"
    for cached in cleared.values():
        cached()

    snapstart.after_restore()

    # Fixtures of the server replace the hasher.
    assert TIMELESS.keys() - found.keys() <= {"chalicelib.useradm.service.passwords._hasher"}
    assert {name for name, cached in cleared.items() if cached.cache_info().currsize} == set()


def test_stores_and_caches_are_cleared() -> None:
    found = {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, Store | Cache)
    }
    for each in found.values():
        store: Store[Any, Any] = each if isinstance(each, Store) else each._entries
        store._values["some"] = None, 0

    snapstart.after_restore()

    assert found
    assert {name for name, each in found.items() if len(each)} == set()


def test_no_module_fills_another_container_or_rebinds_a_name() -> None:
    assert {name for path in (ROOT / "chalicelib").rglob("*.py") for name in remembering(path)} == {*FILLED_LATER}


EMPTY = {
    *("Counter", "OrderedDict", "defaultdict", "deque", "dict", "list", "local", "set"),
    *("WeakKeyDictionary", "WeakSet", "WeakValueDictionary"),
}


def remembering(path: Path) -> Iterator[str]:
    """Names of a module that can hold something of a call: empty containers, and names that functions rebind."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and begins_empty(node.value):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            yield f"{module}.{ast.unparse(target)}"
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Global):
            yield from (f"{module}.{name}" for name in inner.names)


def begins_empty(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in EMPTY and not any(isinstance(each, ast.Dict | ast.List) for each in value.args)
    return False
