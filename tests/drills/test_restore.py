"""Restoring tables: to copies next to the server's own, serving from them, and copying back."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.local.provision import provision
from tests.deployments.world import DEVAUTH, serves
from tests.drills.conftest import Account, Site
from tests.manage.conftest import run

if TYPE_CHECKING:
    from tests.deployments.world import World
    from tests.simulator.device import Device


ARTIFACTS = "/api/management/v1/deployments/artifacts"


def through(world: World, device: Device, deployment: str) -> bytes:
    """Let a device install its update; returns the downloaded file."""
    artifact = serves(device.poll(), deployment)
    file = httpx2.get(artifact["source"]["uri"]).content
    for status in ("downloading", "installing", "success"):
        assert device.report(deployment, status).status_code == 204
    return file


def moved(devices: list[Device], http: httpx2.Client) -> None:
    """Let devices use the server's new address; they keep their tokens."""
    for device in devices:
        device.http = http


def test_a_fleet_continues_from_a_backup(site: Site, account: Account):
    restored, home = (f"lamplighter-{kind}{secrets.token_hex(3)}-" for kind in "rh")
    with site.serving() as http, account.world(http) as world:
        done, busy, late = devices = [world.device() for _ in range(3)]
        artifact = world.upload("v2")
        deployment = world.deploy("v2")
        file = through(world, done, deployment)
        serves(busy.poll(), deployment)
        assert busy.report(deployment, "downloading").status_code == 204
        numbers = world.numbers(deployment)
        log = site.manage("audit", "verify", account.tenant)

        tables = site.manage("backup", "restore", restored)["tables"]

        # Changes from now on are not in the backup.
        [gone] = [each for each, row in world.rows(deployment).items() if row["status"] == "success"]
        world.abort(deployment)
        assert world.api.delete(f"{DEVAUTH}/{gone}").status_code == 204
        assert world.api.delete(f"{ARTIFACTS}/{artifact}").status_code == 204
    assert len(tables) >= 14
    assert numbers == {"success": 1, "downloading": 1, "pending": 1}
    assert site.manage("audit", "verify", account.tenant, prefix=restored) == log
    assert site.manage("migrate", "--check", prefix=restored)["due"] == []

    with site.serving(restored) as http, account.world(http) as world:
        moved(devices, http)
        assert world.numbers(deployment) == numbers
        assert done.poll().status_code == 204
        assert through(world, busy, deployment) == file
        assert world.numbers(deployment) == {"success": 2, "pending": 1}

    with pytest.MonkeyPatch.context() as patch:
        for name, value in site.engine.env().items():
            patch.setenv(name, value)
        provision(home.removeprefix("lamplighter-").removesuffix("-"))
    copied = site.manage("backup", "copy", restored, prefix=home)
    assert copied["deployments"] > 0
    again = run(site.environment(home), "backup", "copy", restored)
    assert (again.returncode, "not empty" in again.stderr) == (2, True)
    assert site.manage("backup", "copy", restored, "--replace", "--yes", prefix=home) == copied

    with site.serving(home) as http, account.world(http) as world:
        moved(devices, http)
        assert world.numbers(deployment) == {"success": 2, "pending": 1}
        assert through(world, late, deployment) == file
        assert world.numbers(deployment) == {"success": 3}
        assert world.show(deployment)["status"] == "finished"


def test_only_tables_with_the_servers_names_are_restored(site: Site):
    for prefix in ("lamplighter-local-", "other-"):
        refused = run(site.environment(), "backup", "restore", prefix)
        assert (refused.returncode, "PREFIX must begin" in refused.stderr) == (2, True)
    nothing = run(site.environment(), "backup", "copy", "lamplighter-nothing-")
    assert (nothing.returncode, "there are no tables whose names begin" in nothing.stderr) == (2, True)
