"""Mender's own command-line client, unmodified, with the artifacts of a tenant."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.artifacts.catalog import ARTIFACTS, Catalog, large_artifact
from tests.simulator.artifacts import PayloadSpec, build_artifact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.local.testing import LocalServer

    Run = Callable[..., subprocess.CompletedProcess[str]]

CLI = shutil.which("mender-cli")

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(CLI is None, reason="mender-cli is not installed"),
]


@pytest.fixture
def run(server: LocalServer, catalog: Catalog, tmp_path: Path) -> Run:
    """Runs the client with the token of the tenant's administrator."""
    token = catalog.api.headers["Authorization"].removeprefix("Bearer ")

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(CLI), "--server", server.url, "--token-value", token, *arguments],
            env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


def test_it_uploads_lists_and_deletes(run: Run, catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "app.mender"
    file.write_bytes(
        build_artifact(
            "cli-app",
            ["pi", "bbb"],
            {"one": b"1", "two": b"2"},
            metadata={"any": {"thing": [1, "x", None]}},
            depends={"slot": ["a", "b"], "region": "eu"},
            provides={"rootfs-image.app.version": "1"},
            clears=["rootfs-image.app.*"],
            more=[PayloadSpec(type=None)],
            signed=True,
        )
    )

    uploaded = run("artifacts", "upload", "--no-progress", "--description", "from the client", str(file))
    assert uploaded.returncode == 0, uploaded.stderr
    (shown,) = catalog.get(ARTIFACTS)
    assert (shown["name"], shown["description"]) == ("cli-app", "from the client")

    for detail in "0123":
        listed = run("artifacts", "list", "--detail", detail)
        assert listed.returncode == 0, listed.stderr
        assert "cli-app" in listed.stdout

    again = run("artifacts", "upload", "--no-progress", str(file))
    assert again.returncode != 0
    assert "409" in again.stderr + again.stdout

    deleted = run("artifacts", "delete", shown["id"])
    assert deleted.returncode == 0, deleted.stderr
    assert catalog.get(ARTIFACTS) == []


def test_it_lists_unusual_names(run: Run, catalog: Catalog) -> None:
    catalog.put("bootstrap", type=None, payload={})
    catalog.put("old", version=2)
    catalog.put("image", type="rootfs-image", mtime=2**33)

    for detail in "0123":
        listed = run("artifacts", "list", "--detail", detail)
        assert listed.returncode == 0, listed.stderr
        assert all(name in listed.stdout for name in ("bootstrap", "old", "image"))


def test_it_uploads_files_larger_than_a_request_may_be(run: Run, catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "large.mender"
    with file.open("wb") as target:
        target.writelines(large_artifact("large", 25))

    uploaded = run("artifacts", "upload", "--no-progress", str(file))

    assert uploaded.returncode == 0, uploaded.stderr
    assert catalog.get(ARTIFACTS)[0]["size"] == file.stat().st_size


def test_it_reports_invalid_artifacts(run: Run, catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "damaged.mender"
    good = build_artifact("damaged", ["pi"], b"x" * 5000, compression="none")
    file.write_bytes(good.replace(b"x" * 5000, b"x" * 4999 + b"y"))

    uploaded = run("artifacts", "upload", "--no-progress", str(file))

    assert uploaded.returncode != 0
    assert catalog.is_empty()
