"""A tenant's numbers, from the counts that each feature keeps.

It may be read every few seconds, so its cost must not depend on the fleet or its history: five small reads, of which
only the count of users grows, by a read unit per dozen users. Numbers that no feature counts are left out: connected
devices, deployments by progress, events that wait for delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.artifacts import service as artifacts
from chalicelib.deployments.service import managing as deployments
from chalicelib.fleet import control, counts
from chalicelib.integrations.service import operators as integrations
from chalicelib.metrics import rules
from chalicelib.metrics.shapes import Deployments, Numbers, Storage, Webhooks
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


def numbers(tenant: TenantId, *, rollouts: bool, releases: bool, webhooks: bool) -> Numbers:
    """The tenant's numbers: devices and users, and optionally deployments, releases and webhooks."""
    known = control.get(tenant)
    devices = counts.of_tenant(tenant)
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
