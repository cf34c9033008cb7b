"""Device heads: the one item per device that all its calls read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chalicelib.errors import Unauthorized
from chalicelib.fleet.head import Head
from chalicelib.storage import keys
from chalicelib.storage.records import Reader
from chalicelib.storage.writes import Update, document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from chalicelib.storage.keys import TenantId

_SORT = "HEAD"
_reader = Reader(Head)


def key(tenant: TenantId, device_id: str) -> tuple[str, str]:
    """The head's key."""
    return keys.partition(tenant, "D", device_id), _SORT


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


def keep_filter_matches(head: Head, matches: Any) -> None:
    """Store filter matches in a head, unless the device was deleted. They include the ``facts`` for which they hold."""
    update(head).set("verdicts", document(matches)).require("attribute_exists(#pk)").run()


def keep_zone(head: Head, zone: Any) -> None:
    """Store the time zone of a device in its head, unless the device was deleted; as :func:`keep_filter_matches`."""
    update(head).set("zone", document(zone)).require("attribute_exists(#pk)").run()


def is_within(tenant: TenantId, device_id: str, groups: Collection[str] | None) -> bool:
    """Whether the device exists in one of these static groups. None stands for all groups, and nothing is read."""
    if groups is None:
        return True
    head = find(tenant, device_id)
    return head is not None and head.group in groups


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
