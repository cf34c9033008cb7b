"""Connecting a first device: the commands are pasted, and the device is found, accepted and updated."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console
    from tests.console.browser.fleet import Fleet

PATIENCE = 90_000
"""Timeout in milliseconds for a shell, long enough for a busy machine."""


def test_a_simulated_device_is_pasted_accepted_and_updated(console: Console, server: LocalServer, fleet: Fleet) -> None:
    page = console.page
    console.show("/start?kind=simulated", busy=True)
    commands = page.get_by_role("region", name="Commands").inner_text()
    assert fleet.tenant.tenant_token in commands
    with subprocess.Popen(["bash", "-c", commands], start_new_session=True, stdout=subprocess.DEVNULL) as shell:
        try:
            page.get_by_role("button", name=re.compile("Accept .*simulated-")).click(timeout=PATIENCE)
            console.button("Update it now").click(timeout=PATIENCE)
            expect(page.get_by_text("The device has installed its first update.")).to_be_visible(timeout=PATIENCE)
            console.audit()
            device = re.search(r"device=([0-9a-f-]+)", console.place())
            assert device is not None
            console.link("Show the device").click()
            expect(page.get_by_role("heading", level=1)).to_contain_text("simulated-")
            assert fleet.api.delete(f"/api/management/v2/devauth/devices/{device[1]}").status_code == 204
            server.drain()
        finally:
            os.killpg(shell.pid, signal.SIGTERM)


def test_commands_are_for_this_server_and_tenant(console: Console, fleet: Fleet) -> None:
    page = console.page
    console.show("/start", busy=True)
    page.get_by_label("Device type").fill("gateway v2")
    expect(page.get_by_role("region", name="Commands")).to_contain_text("device_type=gatewayv2'")
    page.get_by_text("Yocto", exact=True).click()
    expect(page.get_by_role("region", name="Commands")).to_contain_text("MENDER_TENANT_TOKEN")
    expect(page.get_by_role("button", name=re.compile("Accept .*new-")).first).to_be_visible()
    console.arrives("/start?kind=yocto")
    assert fleet.tenant.tenant_token in page.get_by_role("region", name="Commands").inner_text()
