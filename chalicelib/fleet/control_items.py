"""Changes of tenant control items, with pynamodb. Calls read them by ``fleet.control``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

from chalicelib import limits
from chalicelib.errors import Unprocessable
from chalicelib.fleet import control, open_deployments, schema
from chalicelib.fleet.open_deployments import PREFIX, RECENT, Entry, Opened
from chalicelib.fleet.tables import ControlItem, OpenPageItem, SequenceItem
from chalicelib.storage import erasing, keys

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.fleet.control import TenantSettings, TrustPolicy
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction
    from chalicelib.tiers import PerTier

_PAGES_KNOWN: Final = 4
"""The version of the stored data from which all code that may run knows pages of open deployments."""


def ref(tenant: TenantId) -> ControlItem:
    """A control item as the key of an update."""
    return ControlItem(*control.key(tenant))


def create(tx: Transaction, tenant: TenantId, item: ControlItem, *, gathers_changes: bool) -> None:
    """Add the control item of a new tenant to its transaction.

    ``gathers_changes``: whether all code that may run knows ``Control.changes_from``.
    """
    item.pk, item.sk = control.key(tenant)
    if gathers_changes:
        item.changes_from = control.ALWAYS
    tx.put(item, ControlItem.pk.does_not_exist(), label="control")


def change(tx: Transaction, tenant: TenantId, item: ControlItem) -> None:
    """Change the attributes that ``tenantadm`` owns, in the transaction that changes the tenant."""
    owned = (
        ControlItem.status,
        ControlItem.plan,
        ControlItem.addons,
        ControlItem.trial,
        ControlItem.max_devices,
        ControlItem.max_micro_devices,
        ControlItem.max_system_devices,
        ControlItem.storage_limit,
    )
    actions = [attribute.set(getattr(item, attribute.attr_name)) for attribute in owned]
    tx.update(ref(tenant), [*actions, ControlItem.terms.add(1)], ControlItem.pk.exists(), label="control")


def save_settings(tx: Transaction, tenant: TenantId, before: TenantSettings, after: TenantSettings) -> None:
    """Replace the settings of a tenant; fails with label ``settings`` if they are no longer ``before``."""
    same = ControlItem.settings == before
    if before == control.TenantSettings():
        same = same | ControlItem.settings.does_not_exist() | (ControlItem.settings == {})
    condition = ControlItem.pk.exists() & same
    tx.update(ref(tenant), [ControlItem.settings.set(after)], condition, label="settings")


def save_trust(tx: Transaction, tenant: TenantId, before: TrustPolicy, after: TrustPolicy) -> None:
    """Replace what a tenant requires of artifacts; fails with label ``trust`` if it is no longer ``before``."""
    same = ControlItem.trust == before
    if before == control.ANYTHING:
        same = same | ControlItem.trust.does_not_exist()
    tx.update(ref(tenant), [ControlItem.trust.set(after)], ControlItem.pk.exists() & same, label="trust")


def note_approvals(tx: Transaction, tenant: TenantId) -> None:
    """Store that a deployment of the tenant waits for approval, or has waited."""
    tx.update(ref(tenant), [ControlItem.approvals.set(True)], ControlItem.pk.exists(), label="control")


def require_limits(tx: Transaction, tenant: TenantId, limits: PerTier) -> None:
    """Make a transaction fail with label ``terms`` if the limits are different from these."""
    same = (
        (ControlItem.max_devices == limits.standard)
        & (ControlItem.max_micro_devices == limits.micro)
        & (ControlItem.max_system_devices == limits.system)
    )
    tx.check(ref(tenant), same, label="terms")


def divide(tenant: TenantId, parts: int, since: datetime) -> bool:
    """Divide a tenant into parts, in which processes store from ``since`` on; False if it is divided already."""
    actions = [ControlItem.parts.set(parts), ControlItem.parts_from.set(since)]
    try:
        return ref(tenant).update_if(actions, ControlItem.pk.exists() & ControlItem.parts.does_not_exist())
    finally:
        control.forget(tenant)


def gather_changes(tenant: TenantId, since: datetime) -> None:
    """Let processes store the rows of changed devices in one partition from ``since`` on, unless that has begun."""
    try:
        unset = ControlItem.pk.exists() & ControlItem.changes_from.does_not_exist()
        ref(tenant).update_if([ControlItem.changes_from.set(since)], unset)
    finally:
        control.forget(tenant)


def require_terms(tx: Transaction, tenant: TenantId, terms: int) -> None:
    """Make a transaction fail with label ``terms`` if status, plan or limits have changed since ``terms``."""
    same = ControlItem.terms == terms
    tx.check(ref(tenant), same if terms else same | ControlItem.terms.does_not_exist(), label="terms")


def change_subscribers(
    tx: Transaction, tenant: TenantId, change: Callable[[dict[str, list[str]]], dict[str, list[str]]]
) -> None:
    """Change which integrations receive which events; fails with label ``subscribers`` if that has changed meanwhile.

    Processes with a cached control item use the old ones for up to ``settings.control_cache`` seconds.
    """
    item = ControlItem.get(*control.key(tenant), consistent_read=True)
    revision = cast("float | None", item.subscribers_revision)
    known = ControlItem.subscribers_revision
    tx.update(
        ref(tenant),
        [ControlItem.subscribers.set(change(item.subscribers or {})), known.set(int(revision or 0) + 1)],
        ControlItem.pk.exists() & (known.does_not_exist() if revision is None else known == revision),
        label="subscribers",
    )


def change_acceptance(tx: Transaction, tenant: TenantId, kinds: list[str], revision: int) -> None:
    """Store which kinds of acceptance rules are enabled, in the transaction that changes the rules to ``revision``."""
    actions = [ControlItem.acceptance.set(kinds), ControlItem.acceptance_revision.set(revision)]
    tx.update(ref(tenant), actions, ControlItem.pk.exists(), label="control")


def next_sequence(tenant: TenantId) -> int:
    """A number greater than all earlier ones. Gaps are allowed, so no transaction is needed."""
    item = SequenceItem(keys.partition(tenant), "SEQUENCE")
    item.update([SequenceItem.value.add(1)])
    return item.value


def open_deployment(tx: Transaction, tenant: TenantId, deployment: str, sequence: int) -> None:
    """Add an unfinished deployment to those that polls consider.

    Fails with label ``control`` or ``page`` if others were added or removed meanwhile; the sequence number must be a
    new one then.

    Raises:
        Unprocessable: too many deployments are unfinished.
    """
    _add(tx, ref(tenant), require_room(tenant), deployment, sequence)


def require_room(tenant: TenantId) -> Mapping[str, Entry]:
    """Check that another deployment may be open; returns those in the control item.

    Raises:
        Unprocessable: too many deployments are unfinished.
    """
    item = control.find(tenant)
    recent, paged = (item.open, item.paged or 0) if item is not None else ({}, 0)
    if len(recent) + paged >= limits.OPEN_DEPLOYMENTS:
        raise Unprocessable(
            f"too many unfinished deployments (max: {limits.OPEN_DEPLOYMENTS}); abort some or let them finish"
        )
    return recent


def close_deployment(tx: Transaction, tenant: TenantId, deployment: str) -> None:
    """Remove a deployment from those that polls consider, if it is there."""
    attempts = count()

    def remove(late: Transaction) -> None:
        # What this process has read at some time is mostly still right. If not, a condition fails, and this runs again.
        opened = open_deployments.last_read(tenant)
        if next(attempts):
            item = control.find(tenant)
            opened = open_deployments.read(tenant, item) if item is not None else None
            if opened is None or deployment not in opened.all:
                late.check(ref(tenant), ControlItem.pk.exists(), label="control")
                return
        _remove(late, ref(tenant), opened, deployment)

    tx.late(remove)


def set_state(tx: Transaction, tenant: TenantId, deployment: str, state: str) -> None:
    """Change the state of a rollout that polls see, if the deployment is open and does not wait in heads.

    Processes with a cached control item use the old one for up to ``settings.control_cache`` seconds.

    Args:
        tx: the transaction of the change.
        tenant: the tenant of the deployment.
        deployment: its id.
        state: the state in the form of ``deployments``; empty for that of a new deployment.
    """

    def change(late: Transaction) -> None:
        item = control.find(tenant)
        opened = open_deployments.read(tenant, item) if item is not None else None
        if opened is None or deployment not in opened.all:
            late.check(ref(tenant), ControlItem.pk.exists(), label="control")
        else:
            _change(late, ref(tenant), opened, deployment, state)

    tx.late(change)


def erase(tenant: TenantId) -> int:
    """Erase the control item of a removed tenant, which refuses its calls; returns the number of items."""
    try:
        return erasing.partition(ControlItem, keys.partition(tenant))
    finally:
        control.forget(tenant)


def _add(tx: Transaction, ref: ControlItem, recent: Mapping[str, Entry], deployment: str, sequence: int) -> None:
    """Add a deployment to the control item; if that is full, move the oldest ones to a new page.

    Fails with label ``control`` if the moved ones have changed, or one with a higher sequence number was added.
    """
    actions = [ControlItem.open[deployment].set(sequence), ControlItem.newest.set(sequence)]
    # Who has seen a number has seen all lower ones too.
    condition = ControlItem.pk.exists() & (ControlItem.newest.does_not_exist() | (ControlItem.newest < sequence))
    if len(recent) >= RECENT and schema.is_at_least(_PAGES_KNOWN):
        oldest = sorted(recent.items(), key=lambda each: each[1])[:RECENT]
        moved = {each: _stored(entry) for each, entry in oldest}
        page = OpenPageItem(ref.pk, keys.sort(PREFIX, keys.number(oldest[0][1][0])), open=moved, n=len(moved))
        tx.put(page, OpenPageItem.pk.does_not_exist(), label="page")
        actions += [ControlItem.pages_revision.add(1), ControlItem.paged.add(len(moved))]
        for each, stored in moved.items():
            actions.append(ControlItem.open[each].remove())
            condition &= ControlItem.open[each] == stored
    tx.update(ref, actions, condition, label="control")


def _stored(entry: Entry) -> int | list[Any]:
    """An entry in the form of the attribute ``open``."""
    sequence, state = entry
    return [sequence, state] if state else sequence


def _change(tx: Transaction, ref: ControlItem, opened: Opened, deployment: str, state: str) -> None:
    """Change the state of a rollout where ``opened`` says that the deployment is; a condition fails if it is not."""
    stored = _stored((opened.all[deployment], state))
    place = next((sk for sk, page in opened.pages.items() if deployment in page), None)
    if place is None:
        tx.update(
            ref, [ControlItem.open[deployment].set(stored)], ControlItem.open[deployment].exists(), label="control"
        )
        return
    page = OpenPageItem(ref.pk, place)
    tx.update(page, [OpenPageItem.open[deployment].set(stored)], OpenPageItem.open[deployment].exists(), label="page")
    tx.update(ref, [ControlItem.pages_revision.add(1)], ControlItem.pk.exists(), label="control")


def _remove(tx: Transaction, ref: ControlItem, opened: Opened | None, deployment: str) -> None:
    """Remove a deployment from the control item or from its page.

    A condition fails if it is not where ``opened`` says (by default in the control item).
    """
    place = next((sk for sk, page in opened.pages.items() if deployment in page), None) if opened is not None else None
    if opened is None or place is None:
        is_there = ControlItem.open[deployment].exists()
        has_no_pages = ControlItem.paged.does_not_exist() | (ControlItem.paged == 0)
        actions = [ControlItem.open[deployment].remove()]
        tx.update(ref, actions, ControlItem.pk.exists() & (is_there | has_no_pages), label="control")
        return
    page, is_there = OpenPageItem(ref.pk, place), OpenPageItem.open[deployment].exists()
    if len(opened.pages[place]) == 1:
        tx.delete(page, is_there & (OpenPageItem.n == 1), label="page")
    else:
        actions = [OpenPageItem.open[deployment].remove(), OpenPageItem.n.add(-1)]
        tx.update(page, actions, is_there & (OpenPageItem.n > 1), label="page")
    tx.update(
        ref, [ControlItem.pages_revision.add(1), ControlItem.paged.add(-1)], ControlItem.pk.exists(), label="control"
    )
