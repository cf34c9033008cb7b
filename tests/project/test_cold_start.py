"""The modules that a cold start loads, for ``app`` and until the first answer to a device.

Loading modules determines the time of a cold start. The benchmark (``make bench``) measures it, with a budget
for it; the loaded modules are the same on any machine.
"""

from __future__ import annotations

import re
import subprocess
import sys

import httpx2
import pytest

from infra.local.testing import LocalServer
from infra.paths import ROOT
from tests.deployments.world import World
from tests.support.cold_start import first_call, imported, usual_calls

LIBRARIES = {"chalice", "msgspec", "typing_extensions"}
"""All that importing the app may load beside the standard library."""
FOR_TOKENS = {"_cffi_backend", "_openssl", "bcrypt", "cryptography"}
"""And a call that brings a token. They take 15 ms."""
FOR_TABLES = {
    "backports",  # of zstd; urllib3's, where it is installed
    "botocore",
    "certifi",  # the same; it does not ship
    "dateutil",  # botocore's
    "jmespath",  # botocore's
    "pynamodb",
    "six",  # dateutil's
    "urllib3",  # botocore's
}
"""And a call that does more than a poll for which nothing waits. They take 90 ms."""
FOR_NEW_TOKENS = {"jwt"}
"""And a call that gets a token."""
NEVER = {
    "asyncio",  # the relay and the local gateway
    "chalice.cli",
    "chalice.deploy",
    "chalice.local",
    "http.cookies",  # browsers only
    "smtplib",
    "tarfile",  # artifact parsing
}
"""What the standard library and Chalice have that no call of a device needs."""
FEATURES = {path.parent.name for path in (ROOT / "chalicelib").glob("*/service*")} | {"outbound"}


def features(modules: frozenset[str]) -> set[str]:
    """The features that the modules are of."""
    return FEATURES & {name.split(".")[1] for name in modules if name.startswith("chalicelib.")}


def libraries(modules: frozenset[str]) -> set[str]:
    """The libraries that the modules are of, beside the standard one."""
    return {name.partition(".")[0] for name in modules} - {*sys.stdlib_module_names, "app", "chalicelib"}


def test_importing_the_app_loads_no_feature_and_no_library_that_it_does_not_need() -> None:
    loaded = imported()

    assert libraries(loaded) <= LIBRARIES
    assert loaded & NEVER == set()
    assert features(loaded) == set()


@pytest.mark.parametrize(
    ("name", "status", "needed", "more"),
    [
        ("poll", 204, {"deployments"}, set()),
        ("inventory", 200, {"auditlogs", "integrations", "inventory"}, FOR_TABLES),
        (
            "auth request",
            200,
            {"auditlogs", "devauth", "integrations", "inventory", "tenantadm"},
            FOR_TABLES | FOR_NEW_TOKENS,
        ),
    ],
)
def test_a_first_call_loads_only_what_it_needs(
    server: LocalServer,
    api: httpx2.Client,
    http: httpx2.Client,
    tenant,
    name: str,
    status: int,
    needed: set[str],
    more: set[str],
) -> None:
    device = World(api, http, tenant.tenant_token).device()

    first = first_call(usual_calls(device, str(device.token))[name])

    assert first.status == status
    assert libraries(first.modules) <= LIBRARIES | FOR_TOKENS | more
    assert first.modules & NEVER == set()
    assert features(first.modules) <= needed
    assert [each for each in first.modules if re.search(r"^chalicelib\.\w+\.management_v", each)] == []


@pytest.mark.parametrize("module", ["chalicelib.events.websocket", "chalicelib.routes"])
def test_entry_modules_of_lambda_set_how_callers_are_authenticated(module: str) -> None:
    """Functions of websockets load their own module and not ``app.py``."""
    code = f"import {module}; from chalicelib.http import access; print(access.current().__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "chalicelib.access", done.stderr
