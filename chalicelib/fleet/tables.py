"""The table ``fleet``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``HEAD`` | device head, below 4 KB: the one item that a poll reads |
| ``T#t`` | ``CONTROL`` | tenant control item: cached by warm processes |
| ``T#t`` | ``OPEN#<sequence>`` | a page of open deployments that the control item has no space for |
| ``T#t`` | ``SEQUENCE`` | the last deployment sequence number given out |
| ``T#t#R#<shard>`` | ``<device>`` | roster: the accepted devices, in 16 parts by the id's hash |
| ``T#t#G#<group>`` | ``<device>`` | a device of a static group, with its status |
| ``SWITCHES`` | ``<switch>`` | a part of the server that an admin has switched off for all tenants |
| ``T#t#GROUPS`` | ``<group>`` | number of devices in a group; deleted with the last one |
| ``STRANGERS#<kind>#<tenant>#<network>`` | ``<hour>`` | what callers without an account caused in an hour; expires |
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute

from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute


class FleetItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("fleet")


class DeviceHead(FleetItem):
    """The item that every call of a device reads, as it is written; ``fleet.head.Head`` describes the attributes."""

    auth_status = UnicodeAttribute(default="noauth")
    auth_set = UnicodeAttribute(null=True)
    auth_generation = IntegerAttribute(default=0)
    identity_hash = UnicodeAttribute()
    decommissioning = BooleanAttribute(null=True)
    seen = TimeAttribute(null=True)
    group = UnicodeAttribute(null=True)
    inventory_hash = UnicodeAttribute(null=True)
    facts = IntegerAttribute(default=0)
    decided = IntegerAttribute(default=0)
    current = BlobAttribute(null=True)
    queue = BlobAttribute(null=True)
    revision = IntegerAttribute(default=0)
    verdicts = BlobAttribute(null=True)
    zone = BlobAttribute(null=True)


class ControlItem(FleetItem):
    """The data of a tenant that every call needs.

    ``fleet.open_deployments`` owns ``open``, ``newest``, ``paged`` and ``pages_revision``, ``artifacts`` owns
    ``trust``, ``tenantadm`` all others.
    """

    status = UnicodeAttribute(default="active")
    plan = UnicodeAttribute(default="enterprise")
    addons = BlobAttribute(default=list)
    """``[{"name": ..., "enabled": ...}]``, as in tokens."""
    trial = BooleanAttribute(default=False)
    max_devices = IntegerAttribute(default=-1)
    """Maximum number of accepted devices of the standard tier; -1: no limit, 0: none."""
    max_micro_devices = IntegerAttribute(default=-1)
    max_system_devices = IntegerAttribute(default=-1)
    storage_limit = IntegerAttribute(default=0)
    """Maximum bytes of artifacts; 0: no limit."""
    settings = BlobAttribute(default=dict)
    """The settings that the tenant has set (``fleet.control.TenantSettings``)."""
    open: MapAttribute[str, Any] = MapAttribute(default=dict)  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    """The newest unfinished deployments that do not wait in heads: id to sequence number, or to a list of it and the
    state of the rollout."""
    newest = IntegerAttribute(null=True)
    """The highest sequence number that was added to ``open``."""
    paged = IntegerAttribute(null=True)
    """The number of further unfinished deployments, which are in pages; absent: 0."""
    pages_revision = IntegerAttribute(null=True)
    """Counts changes of pages; absent: 0."""
    parts = IntegerAttribute(null=True)
    """The number of parts into which lists, counts and large deployments of the tenant are divided; absent: 1."""
    parts_from = TimeAttribute(null=True)
    """When storing in parts begins, so that until then every process learns to read them."""
    changes_from = TimeAttribute(null=True)
    """When storing the rows of changed devices in one partition begins; absent: never."""
    terms = IntegerAttribute(null=True)
    """Counts changes by ``tenantadm``; absent: 0."""
    trust = BlobAttribute(null=True)
    """What the tenant requires of artifacts (``fleet.control.TrustPolicy``); absent: nothing."""
    approvals = BooleanAttribute(null=True)
    """Whether a deployment has ever waited for approval. ``deployments`` owns it."""
    subscribers = BlobAttribute(null=True)
    """Integrations that receive events: id to scopes of events. ``integrations`` owns it."""
    subscribers_revision = IntegerAttribute(null=True)
    """Counts changes of ``subscribers``; each change has the number as its condition."""
    acceptance = BlobAttribute(null=True)
    """The kinds of acceptance rules that are enabled. ``devauth`` owns it."""
    acceptance_revision = IntegerAttribute(null=True)
    """Counts changes of the acceptance rules; absent: there never was one."""


class OpenPageItem(FleetItem):
    """Unfinished deployments that the control item has no space for; it is deleted with the last one."""

    open: MapAttribute[str, Any] = MapAttribute(default=dict)  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    """As in the control item."""
    n = IntegerAttribute()
    """The number of deployments in ``open``."""


class SwitchItem(FleetItem):
    """A part of the server that is switched off for all tenants. The item is deleted when it is switched on."""

    reason = UnicodeAttribute()
    """The reason for callers."""


class SequenceItem(FleetItem):
    """Gives out deployment sequence numbers."""

    value = IntegerAttribute(default=0)


class StrangersItem(FleetItem):
    """The number of things that callers without an account caused; ``fleet.strangers`` owns it."""

    n = IntegerAttribute(default=0)
    expires_at = IntegerAttribute()


class RosterItem(FleetItem):
    """An accepted device."""


class GroupMemberItem(FleetItem):
    """A device of a static group."""

    status = UnicodeAttribute()


class GroupItem(FleetItem):
    """A static group: exists while ``members`` is above 0."""

    members = IntegerAttribute(default=0)


class SchemaItem(Item):
    """The version of the stored data, which ``manage migrate`` changes; in the table of tenants."""

    class Meta:
        """The table."""

        table_name = TableName("tenantadm")

    version = IntegerAttribute()


class CountItem(Item):
    """Counts devices by status, in the table of device authentication (``devauth/tables`` has its keys)."""

    class Meta:
        """The table."""

        table_name = TableName("devauth")

    n = IntegerAttribute(null=True)
    given = IntegerAttribute(null=True)
    """The places of parts in ``n`` (``fleet.places``)."""
    noauth = IntegerAttribute(null=True)
    pending = IntegerAttribute(null=True)
    pending_micro = IntegerAttribute(null=True)
    """The devices in ``pending`` with tier micro."""
    pending_system = IntegerAttribute(null=True)
    preauthorized = IntegerAttribute(null=True)
    rejected = IntegerAttribute(null=True)
    accepted = IntegerAttribute(null=True)
    """Accepted devices of the tier standard in a part of a large tenant; the attributes below are only there too."""
    accepted_micro = IntegerAttribute(null=True)
    accepted_system = IntegerAttribute(null=True)
    free = IntegerAttribute(null=True)
    """Places for more accepted devices."""
    free_micro = IntegerAttribute(null=True)
    free_system = IntegerAttribute(null=True)
    terms = IntegerAttribute(null=True)
    """The tenant's terms (``control.Control.terms``) when the part last got places."""
    terms_micro = IntegerAttribute(null=True)
    terms_system = IntegerAttribute(null=True)
