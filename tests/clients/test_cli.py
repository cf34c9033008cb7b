"""An operator with ``mender-cli`` and ``mender-artifact``, over HTTPS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients import cli, programs
from tests.clients.operator import ARTIFACTS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.cli import MenderCli
    from tests.clients.operator import Operator
    from tests.support.running import RunningServer

pytestmark = pytest.mark.clients


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    programs.needs_generator()
    return cli.single_file(tmp_path, "catalog-1", "light", into=tmp_path, device_type="catalog")


def test_the_printed_login_is_valid(fresh_cli: MenderCli, server: RunningServer) -> None:
    ended = fresh_cli.login(server.facts["user"], server.facts["password"])

    assert ended.returncode == 0, ended.stderr
    listed = fresh_cli("devices", "list")
    assert listed.returncode == 0, listed.stderr


def test_a_wrong_password_is_refused(fresh_cli: MenderCli, server: RunningServer) -> None:
    ended = fresh_cli.login(server.facts["user"], "not the password")

    assert ended.returncode == 1
    assert "401" in ended.stderr + ended.stdout
    assert fresh_cli("artifacts", "list").returncode != 0


def test_only_the_own_ca_is_trusted(server: RunningServer, tmp_path: Path) -> None:
    programs.needs("mender-cli")
    stranger = cli.MenderCli(server.facts["url"], "/dev/null", tmp_path)

    ended = stranger.login(server.facts["user"], server.facts["password"])

    assert ended.returncode == 1
    assert "certificate" in ended.stderr + ended.stdout


def test_artifacts_are_uploaded_once_listed_and_deleted(
    mender_cli: MenderCli, operator: Operator, artifact: Path
) -> None:
    uploaded = mender_cli.upload(artifact)
    assert uploaded.returncode == 0, uploaded.stderr
    (shown,) = [each for each in operator.get(ARTIFACTS) if each["name"] == "catalog-1"]
    assert shown["device_types_compatible"] == ["catalog"]
    assert shown["size"] == artifact.stat().st_size

    again = mender_cli.upload(artifact)
    assert again.returncode == 1
    assert "409" in again.stderr + again.stdout

    for detail in "0123":
        listed = mender_cli("artifacts", "list", "--detail", detail)
        assert listed.returncode == 0, listed.stderr
        assert "catalog-1" in listed.stdout

    deleted = mender_cli("artifacts", "delete", shown["id"])
    assert deleted.returncode == 0, deleted.stderr
    assert "catalog-1" not in mender_cli("artifacts", "list").stdout


def test_an_artifact_that_is_not_trusted_is_listed(mender_cli: MenderCli, operator: Operator, artifact: Path) -> None:
    with operator.policy(signatures="warn"):
        uploaded = mender_cli.upload(artifact)
    assert uploaded.returncode == 0, uploaded.stderr
    (shown,) = [each for each in operator.get(ARTIFACTS) if each["name"] == "catalog-1"]
    assert shown["signature"]["trusted"] is False

    listed = mender_cli("artifacts", "list", "--detail", "3")
    assert listed.returncode == 0, listed.stderr
    assert "catalog-1" in listed.stdout
    with operator.policy(signatures="demand"):
        refused = mender_cli.upload(artifact)
    assert refused.returncode == 1
    assert "422" in refused.stderr + refused.stdout

    assert mender_cli("artifacts", "delete", shown["id"]).returncode == 0
