"""A tenant's numbers, put together from what each feature counts as it writes.

It may be asked for every few seconds, so its cost does not follow the fleet or its history: five small reads, of which
only the count of users grows, by a read unit for a dozen users. What no feature counts is left out rather than looked
for: connected devices, deployments by how far they are, events that wait for a receiver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.service import managing as deployments
from chalicelib.devauth import service as devauth
from chalicelib.fleet import control
from chalicelib.integrations.service import managing as integrations
from chalicelib.metrics import rules
from chalicelib.metrics.shapes import Deployments, Numbers, Storage, Webhooks
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def numbers(tenant: TenantId, *, rollouts: bool, releases: bool, webhooks: bool) -> Numbers:
    """The tenant's numbers: of devices and users, and of deployments, releases and webhooks where wanted."""
    known = control.get(tenant)
    devices = devauth.counts(tenant)
    found = Numbers(
        devices=rules.by_status(devices),
        accepted_devices=rules.accepted(devices, known.devices),
        users=useradm.count_users(tenant),
    )
    if rollouts:
        total, unfinished = deployments.totals(tenant)
        found.deployments = Deployments(unfinished, total - unfinished)
    if releases:
        found.artifacts, found.releases, stored = artifacts.totals(tenant)
        found.storage = Storage(stored, known.storage_limit)
    if webhooks:
        found.webhooks = Webhooks(*integrations.totals(tenant))
    return found
