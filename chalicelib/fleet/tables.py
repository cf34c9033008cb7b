"""The table ``fleet``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#D#<device>`` | ``HEAD`` | device head, below 4 KB: the one item that a poll reads |
| ``T#t`` | ``CONTROL`` | tenant control item: cached by warm processes |
| ``T#t`` | ``SEQUENCE`` | the last deployment sequence number given out |
| ``T#t#R#<shard>`` | ``<device>`` | roster: the accepted devices, in 16 parts by the id's hash |
| ``T#t#G#<group>`` | ``<device>`` | a device of a static group, with its status |
| ``SWITCHES`` | ``<switch>`` | what the server's operator has switched off, for all tenants |
| ``T#t#GROUPS`` | ``<group>`` | how many devices a group has; gone with the last one |
| ``STRANGERS#<kind>#<tenant>#<network>`` | ``<hour>`` | what callers without an account caused in an hour; expires |
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import BooleanAttribute, MapAttribute, UnicodeAttribute

from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, Item, TableName, TimeAttribute

ACCEPTED = "accepted"
"""The status of devices that may call the API."""


class FleetItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("fleet")


class DeviceHead(FleetItem):
    """The item that every call of a device reads, and the most frequently changed data.

    The features that own its attributes:

    devauth: ``auth_*``, ``identity_hash``, ``decommissioning``, ``seen``; inventory: ``group``,
    ``inventory_hash``, ``facts``; deployments: ``decided``, ``current``, ``queue``, ``revision``, ``verdicts``.
    """

    auth_status = UnicodeAttribute(default="noauth")
    auth_set = UnicodeAttribute(null=True)
    """Id of the accepted auth set, which is the ``jti`` of valid tokens."""
    auth_generation = IntegerAttribute(default=0)
    """Tokens of an older generation are revoked."""
    identity_hash = UnicodeAttribute()
    decommissioning = BooleanAttribute(null=True)
    seen = TimeAttribute(null=True)
    """Last check-in, written at most once per ``settings.check_in_interval``."""
    group = UnicodeAttribute(null=True)
    inventory_hash = UnicodeAttribute(null=True)
    """Hash of the last reported inventory; if it is the same again, nothing needs to be written."""
    facts = IntegerAttribute(default=0)
    """Counts changes of everything that filters can match (``heads.facts_changed``)."""
    decided = IntegerAttribute(default=0)
    """Sequence of the newest deployment that this device finished: it gets no older one."""
    current = BlobAttribute(null=True)
    """The active row of this device, as ``deployments`` keeps it; absent when there is none."""
    queue = BlobAttribute(null=True)
    """Deployments for a handful of devices that wait here: ``[[sequence, id], ...]``."""
    revision = IntegerAttribute(default=0)
    """Counts changes by ``deployments``: the condition of each next one."""
    verdicts = BlobAttribute(null=True)
    """Which open dynamic deployments take this device and which don't, as of some ``facts``."""

    @property
    def device_id(self) -> str:
        """The device's id."""
        return keys.last_part(self.pk)

    @property
    def is_accepted(self) -> bool:
        """Whether the device is accepted, and not being removed."""
        return self.auth_status == ACCEPTED and not self.decommissioning


def keep_verdicts(head: DeviceHead, verdicts: Any) -> None:
    """Note the verdicts on a head, unless the device is gone. They say themselves for how long they hold."""
    DeviceHead(head.pk, head.sk).update_if([DeviceHead.verdicts.set(verdicts)], DeviceHead.pk.exists())


class ControlItem(FleetItem):
    """A tenant as every call needs it. ``tenantadm`` owns all but ``open``, which ``deployments`` owns."""

    status = UnicodeAttribute(default="active")
    plan = UnicodeAttribute(default="enterprise")
    addons = BlobAttribute(default=list)
    """``[{"name": ..., "enabled": ...}]``, as tokens carry them."""
    trial = BooleanAttribute(default=False)
    max_devices = IntegerAttribute(default=-1)
    """Most accepted devices of the standard tier; -1 no limit, 0 nobody."""
    max_micro_devices = IntegerAttribute(default=-1)
    max_system_devices = IntegerAttribute(default=-1)
    storage_limit = IntegerAttribute(default=0)
    """Bytes of artifacts; 0 no limit."""
    settings = BlobAttribute(default=dict)
    """What the tenant has set of ``fleet.control.TenantSettings``."""
    open: MapAttribute[str, Any] = MapAttribute(default=dict)  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    """Unfinished deployments that are not on heads: id to sequence."""
    subscribers = BlobAttribute(null=True)
    """Integrations that are told of events: id to scopes. ``integrations`` owns it."""
    subscribers_revision = IntegerAttribute(null=True)
    """Counts changes of ``subscribers``: the condition of each next one."""


class SwitchItem(FleetItem):
    """Something that is switched off for every tenant; switched on again, the item is gone."""

    reason = UnicodeAttribute()
    """What callers are told."""


class SequenceItem(FleetItem):
    """Gives out deployment sequence numbers."""

    value = IntegerAttribute(default=0)


class StrangersItem(FleetItem):
    """How much callers without an account caused; ``fleet.strangers`` owns it."""

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


class CountItem(Item):
    """Counts devices by status, in the table of device authentication (``devauth/tables.py`` has its keys)."""

    class Meta:
        """The table."""

        table_name = TableName("devauth")

    n = IntegerAttribute(null=True)
    noauth = IntegerAttribute(null=True)
    pending = IntegerAttribute(null=True)
    pending_micro = IntegerAttribute(null=True)
    """Those of ``pending`` with tier micro."""
    pending_system = IntegerAttribute(null=True)
    preauthorized = IntegerAttribute(null=True)
    rejected = IntegerAttribute(null=True)
