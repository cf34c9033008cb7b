"""The operator of a soak who looks after devices: searches, groups, preauthorizes and decommissions them."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from typing import Any

from tests.simulator.management import DEVICES
from tests.soak.devices import SITES
from tests.soak.operators import (
    FILTERS,
    GROUPS,
    INTEGRATIONS,
    INVENTORY,
    SETTINGS,
    Setup,
    SoakOperator,
)


class Keeping(SoakOperator):
    """Searches devices, moves them between groups, decommissions some, and preauthorizes others."""

    name = "keeping operator"

    def begin(self, setup: Setup, rng: random.Random) -> None:
        """Set up."""
        self.ledger, self._setup, self._rng = setup.ledger, setup, rng

    async def act(self) -> None:
        """Do one thing."""
        action = self._rng.choices((self._search, self._regroup, self._read, self._replace), (4, 3, 3, 0.7))[0]
        await action()

    async def search(self, filters: Collection[dict[str, Any]]) -> list[dict[str, Any]]:
        """The devices that match."""
        body = {"page": 1, "per_page": 500, "filters": list(filters)}
        answer = await self.call("POST", f"{FILTERS}/search", body, kind="search devices")
        found: list[dict[str, Any]] = json.loads(self.expect(answer, 200, "searching devices").body)
        return found

    async def make_filter(self, site: str) -> str:
        """Save the filter of a site; returns its id."""
        terms = [{"scope": "inventory", "attribute": "site", "type": "$eq", "value": site}]
        answer = await self.call("POST", FILTERS, {"name": site, "terms": terms}, kind="save filter")
        return self.expect(answer, 201, "saving a filter").headers["location"].rsplit("/", 1)[-1]

    async def set_timeout(self, seconds: int) -> None:
        """Let the updates of silent devices fail after some seconds."""
        answer = await self.call("PUT", SETTINGS, {"device_timeout": seconds}, kind="save settings")
        self.expect(answer, 204, "saving settings")

    async def register(self, url: str) -> None:
        """Register a webhook."""
        credentials = {"type": "http", "http": {"url": url}}
        body = {"provider": "webhook", "scopes": ["deviceauth", "deployments"], "credentials": credentials}
        answer = await self.call("POST", INTEGRATIONS, body, kind="register webhook")
        self.expect(answer, 201, "registering a webhook")

    async def group(self, device: str, group: str) -> None:
        """Put a device into a group."""
        known = self._setup.groups.setdefault(device, {""})
        known.add(group)
        path = f"{INVENTORY}/devices/{device}/group"
        answer = await self.call("PUT", path, {"group": group}, kind="move to a group")
        if answer.status == 404 and device in self.ledger.decommissioned:
            return
        self.expect(answer, 204, "putting a device into a group")
        self._setup.groups[device] = {group}

    async def _search(self) -> None:
        site = self._rng.choice(SITES)
        await self.search([{"scope": "inventory", "attribute": "site", "type": "$eq", "value": site}])

    async def _regroup(self) -> None:
        present = self._setup.present()
        if present:
            await self.group(self._rng.choice(present).id, self._rng.choice(GROUPS))

    async def _read(self) -> None:
        present = self._setup.present()
        await self.read(f"{DEVICES}?per_page=20", kind="list devices")
        await self.read(f"{INVENTORY}/devices?per_page=20&sort=counter:asc", kind="list devices")
        if present:
            device = self._rng.choice(present).id
            path = f"/api/management/v1/deployments/deployments/devices/{device}"
            await self.read(path, kind="read history of a device")

    async def _replace(self) -> None:
        """Decommission a device, whatever it is doing, and preauthorize a new one in its place."""
        present = self._setup.present()
        if len(present) > 5:
            device = self._rng.choice(present).id
            self.ledger.decommissioned.add(device)
            answer = await self.call("DELETE", f"{DEVICES}/{device}", kind="decommission device")
            if answer.status != 404:  # the first of repeated calls has done it
                self.expect(answer, 204, "decommissioning a device")
        new = self._setup.add()
        body = {"identity_data": new.identity, "pubkey": new.pubkey}
        answer = await self.call("POST", DEVICES, body, kind="preauthorize device")
        if answer.status != 409:
            self.expect(answer, 201, "preauthorizing a device")
        self._setup.live(new)
