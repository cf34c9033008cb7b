"""Mails about deployments that their failures have stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployments.rollouts.test_gates import finish
from tests.deployments.world import World
from tests.support.mailbox import of_server

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn
    from tests.simulator.device import Device

OWN = "/api/management/v1/useradm/settings/me"
ME = "/api/management/v1/useradm/users/me"


@pytest.mark.parametrize(("action", "word"), [("pause", "paused"), ("abort", "aborted")])
def test_those_who_may_manage_it_are_told(
    world: World,
    fleet: list[Device],
    server: LocalServer,
    tenant: Tenant,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    word: str,
) -> None:
    manager, off = (sign_in(tenant, "RBAC_ROLE_DEPLOYMENTS_MANAGER") for _ in range(2))
    reader = sign_in(tenant, "RBAC_ROLE_OBSERVER")
    unwanted = {"notifications": {"deployment_stops": False}}
    assert off.post(OWN, json=unwanted).status_code == 201

    with of_server(server, monkeypatch) as box:
        stop = {"max_failures": 1, "action": action}
        deployment = world.deploy("two", name="winter\nrelease", rollout={"stop": stop})
        finish(fleet[0], deployment, "failure")
        server.drain()
        assert [len(box.to(client.get(ME).json()["email"])) for client in (manager, world.api)] == [1, 1]
        assert all(not box.to(client.get(ME).json()["email"]) for client in (off, reader))
        mail = box.mails[0]
        assert mail["Subject"] == f"Deployment {word} after failures: winter release"
        assert "  name:    winter release\r\n" in mail.get_content()
        assert "1 device has failed (max_failures: 1)" in mail.get_content()
