"""Device heads: the one item per device that all its calls read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.errors import Unauthorized
from chalicelib.fleet.head import Head
from chalicelib.fleet.tables import DeviceHead
from chalicelib.storage import erasing, keys
from chalicelib.storage.records import Reader
from chalicelib.storage.writes import Update, document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from chalicelib.storage.base import Action
    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

_SORT = "HEAD"
_reader = Reader(Head)


def key(tenant: TenantId, device_id: str) -> tuple[str, str]:
    """The head's key."""
    return keys.partition(tenant, "D", device_id), _SORT


def ref(tenant: TenantId, device_id: str) -> DeviceHead:
    """A head as the key of an update, without other attributes."""
    pk, sk = key(tenant, device_id)
    return DeviceHead(pk, sk)


def facts_changed() -> Action:
    """The action for the head that belongs to every change of a device's attributes, tags or group.

    Dynamic deployments store in the head whether their filters match the device. This counter tells them when to match
    again.
    """
    return DeviceHead.facts.add(1)


def table() -> str:
    """The full name of the table with the heads."""
    return keys.table("fleet")


def find(tenant: TenantId, device_id: str) -> Head | None:
    """The head as it is now (a strongly consistent read); None if there is no such device."""
    return _reader.find(table(), *key(tenant, device_id))


def find_many(tenant: TenantId, device_ids: Iterable[str]) -> dict[str, Head]:
    """The existing heads by device id (strongly consistent); 100 per round trip."""
    wanted = [key(tenant, device_id) for device_id in dict.fromkeys(device_ids)]
    return {head.device_id: head for head in _reader.find_many(table(), wanted)}


def update(head: Head) -> Update:
    """An update of a head that was read."""
    return Update(table(), head.pk, head.sk)


def keep_verdicts(head: Head, verdicts: Any) -> None:
    """Store filter matches in a head, unless the device was deleted. They include the ``facts`` for which they hold."""
    update(head).set("verdicts", document(verdicts)).require("attribute_exists(#pk)").run()


def is_within(tenant: TenantId, device_id: str, groups: Collection[str] | None) -> bool:
    """Whether the device exists in one of these static groups. None stands for all groups, and nothing is read."""
    if groups is None:
        return True
    head = find(tenant, device_id)
    return head is not None and head.group in groups


def require_staying(tx: Transaction, tenant: TenantId, device_id: str) -> None:
    """Make ``tx`` fail with label ``head`` if the device is being decommissioned; unknown ids pass.

    For data that is deleted only with the device: if it were written later, it would never be deleted.
    """
    tx.check(ref(tenant, device_id), DeviceHead.decommissioning.does_not_exist(), label="head")


def accepted(tenant: TenantId, device_id: str, auth_set: str, generation: object) -> Head:
    """The head of a device, if its token is still valid.

    Raises:
        Unauthorized: the device is unknown or being decommissioned, not accepted, accepted with another key, or its
            tokens of this generation were revoked. 401 makes the client ask for a new token.
    """
    head = find(tenant, device_id)
    if head is None or not head.is_accepted or head.auth_set != auth_set or head.auth_generation != generation:
        raise Unauthorized("unauthorized")
    return head


def erase(tenant: TenantId, device_ids: Iterable[str]) -> int:
    """Erase the heads of these devices; returns their number at most."""
    return erasing.rows(DeviceHead, (key(tenant, device_id) for device_id in device_ids))
