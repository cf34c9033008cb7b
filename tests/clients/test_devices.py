"""Real devices: unmodified clients are accepted, report their inventory and install updates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.device import DEVICE_TYPE, START

if TYPE_CHECKING:
    from tests.clients.conftest import NewClient, Publish
    from tests.clients.device import MenderClient
    from tests.clients.operator import Operator

    Fleet = tuple[MenderClient, MenderClient]

pytestmark = pytest.mark.clients


def finish_deployment(operator: Operator, client: MenderClient, deployment: str) -> dict[str, Any]:
    """Make a device poll until the deployment is finished; returns its device row."""
    client.poll_until(
        "finishes the deployment", lambda: operator.deployment(deployment)["status"] == "finished", timeout=45
    )
    return operator.row(deployment, client)


def finish_own_part(operator: Operator, client: MenderClient, deployment: str) -> str:
    """Make a device poll until its own part is finished; returns its status."""

    def status() -> str:
        row = operator.row(deployment, client)
        return row["status"] if "finished" in row else ""

    found: str = client.poll_until("finishes its part of the deployment", status)
    return found


def report_artifact(operator: Operator, client: MenderClient, artifact: str) -> None:
    """Make a device send its inventory until it has the artifact's name."""
    client.send_inventory_until(f"has {artifact}", lambda: operator.inventory(client).get("artifact_name") == artifact)


def test_a_client_gets_nothing_until_it_is_accepted(new_client: NewClient, operator: Operator) -> None:
    client = new_client("ec-lamp", "ec")

    found = client.wait("asks to be accepted", lambda: operator.pending(client))
    assert found["status"] == "pending"
    assert "BEGIN PUBLIC KEY" in found["auth_sets"][0]["pubkey"]
    client.wait("is refused more than once", lambda: client.log().count("dev auth: unauthorized") > 1)
    assert operator.pending(client)

    operator.accept(client)
    told = client.wait("sends its inventory", lambda: operator.inventory(client))
    assert (told["device_type"], told["artifact_name"]) == (DEVICE_TYPE, START)
    assert (told["wick"], told["oil"]) == ("cotton", ["rape", "olive"])
    assert told["mender_client_version"].startswith("3.")


def test_an_update_reaches_all_of_its_devices(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    publish("light-1", "let there be light")
    deployment = operator.deploy("light-1", *fleet)

    for client in fleet:
        assert finish_own_part(operator, client, deployment) == "success"

    assert operator.numbers(deployment) == {"success": 2}
    assert operator.deployment(deployment)["status"] == "finished"
    for client in fleet:
        assert (client.installed / "light-1.txt").read_text() == "let there be light"
        report_artifact(operator, client, "light-1")
        assert not operator.log(deployment, client)


def test_an_installed_artifact_is_not_installed_again(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    client, _ = fleet
    publish("twice-1", "once")
    assert finish_deployment(operator, client, operator.deploy("twice-1", client))["status"] == "success"
    (client.installed / "twice-1.txt").unlink()

    again = operator.deploy("twice-1", client)

    assert finish_deployment(operator, client, again)["status"] == "already-installed"
    assert operator.numbers(again) == {"already-installed": 1}
    assert not (client.installed / "twice-1.txt").exists()


def test_an_artifact_for_other_devices_is_not_installed(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    _, client = fleet
    publish("stove-1", "heat", device_type="stove")
    deployment = operator.deploy("stove-1", client)

    assert finish_deployment(operator, client, deployment)["status"] == "noartifact"

    assert operator.numbers(deployment) == {"noartifact": 1}
    assert not (client.installed / "stove-1.txt").exists()


def test_a_client_with_newer_software_is_refused(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    """The version is the one that Mender's own tools write into an artifact, and that its client then reports."""
    client, _ = fleet
    publish("wick-1.10", "long")
    publish("wick-1.9", "short")
    assert finish_deployment(operator, client, operator.deploy("wick-1.10", client))["status"] == "success"
    with operator.policy(downgrades="refuse"):
        row = finish_deployment(operator, client, operator.deploy("wick-1.9", client))

    assert row["status"] == "noartifact"
    assert row["downgrade"] == "rootfs-image.single-file.version wick-1.10 -> wick-1.9"
    assert finish_deployment(operator, client, operator.deploy("wick-1.9", client))["status"] == "success"
    assert (client.installed / "wick-1.9.txt").read_text() == "short"


def test_a_failure_is_counted_and_explained(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    client, _ = fleet
    publish("broken-1", module="failing")
    deployment = operator.deploy("broken-1", client)

    assert finish_deployment(operator, client, deployment)["status"] == "failure"

    assert operator.numbers(deployment) == {"failure": 1}
    log = client.wait("sends its log", lambda: operator.log(deployment, client))
    assert "the lamp is broken" in log
    assert operator.row(deployment, client)["log"] is True


def test_an_update_aborted_in_the_middle_is_rolled_back(fleet: Fleet, publish: Publish, operator: Operator) -> None:
    _, client = fleet
    publish("gated-1", module="gated")
    deployment = operator.deploy("gated-1", client)
    client.poll_until("begins to install", (client.installed / "half-installed").exists)
    client.wait("has said so", lambda: operator.row(deployment, client).get("status") == "installing")

    operator.abort(deployment)
    (client.installed / "go-on").touch()

    client.wait("rolls back", (client.installed / "rolled-back").exists)
    assert not (client.installed / "committed").exists()
    assert operator.numbers(deployment) == {"aborted": 1}
    assert operator.row(deployment, client)["status"] == "aborted"
    # The device installs further updates.
    publish("after-abort-1", "still alight")
    assert finish_deployment(operator, client, operator.deploy("after-abort-1", client))["status"] == "success"
    assert (client.installed / "after-abort-1.txt").read_text() == "still alight"


def test_a_configuration_reaches_its_device(fleet: Fleet, operator: Operator) -> None:
    client, other = fleet
    configuration = {"timezone": "Europe/Oslo", "motto": "let there be light, \u00fc"}

    assert finish_deployment(operator, client, operator.configure(client, configuration))["status"] == "success"

    assert json.loads((client.installed / "configuration.json").read_text()) == configuration
    assert not (other.installed / "configuration.json").exists()
    # The same configuration is installed again.
    (client.installed / "configuration.json").unlink()
    assert finish_deployment(operator, client, operator.configure(client, configuration))["status"] == "success"
    assert (client.installed / "configuration.json").exists()
