"""Events of a tenant, as they are listed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from pynamodb.attributes import MapAttribute, UnicodeAttribute

from chalicelib import call, limits
from chalicelib.integrations.shapes import DeliveryStatus
from chalicelib.integrations.tables import IntegrationsItem
from chalicelib.storage import keys
from chalicelib.storage.base import BlobAttribute, IntegerAttribute, TimeAttribute

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chalicelib.storage.keys import TenantId
    from chalicelib.storage.transactions import Transaction

KEPT = timedelta(seconds=limits.EVENT_LIFE)


class Place(msgspec.Struct, frozen=True):
    """The position of an event among those of its tenant: ``order`` sorts as text, oldest first."""

    order: str
    event: str

    @classmethod
    def new(cls, event: str, time: datetime, number: int) -> Place:
        """The position of a new event, as the ``number``-th write of its transaction."""
        return cls(f"{keys.time(time)}.{number:03d}", event)

    @classmethod
    def of(cls, sort_key: str) -> Place:
        """The position at the end of a sort key."""
        order, event = sort_key.split("#")[-2:]
        return cls(order, event)


class StoredEvent(msgspec.Struct, frozen=True):
    """An event, and the results of its deliveries so far."""

    place: Place
    kind: str
    data: dict[str, Any]
    time: datetime
    statuses: list[DeliveryStatus]
    request_id: str
    """The call that caused it."""


class EventItem(IntegrationsItem):
    """An event as it is stored."""

    type = UnicodeAttribute()
    data = BlobAttribute()
    time = TimeAttribute()
    statuses: MapAttribute[str, Any] = MapAttribute(default=dict)  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    """By integration, as JSON text."""
    request_id = UnicodeAttribute(default="")
    expires_at = IntegerAttribute()


def _ref(tenant: TenantId, place: Place) -> EventItem:
    return EventItem(keys.partition(tenant, "EVENTS"), keys.sort(place.order, place.event))


def _event(item: EventItem) -> StoredEvent:
    statuses: dict[str, str] = item.statuses.as_dict()  # type: ignore[no-untyped-call, unused-ignore]  # pynamodb
    shown = [msgspec.json.decode(text, type=DeliveryStatus) for _, text in sorted(statuses.items())]
    return StoredEvent(Place.of(item.sk), item.type, item.data, item.time, shown, item.request_id or "")


def put_new(tx: Transaction, tenant: TenantId, place: Place, kind: str, data: dict[str, Any], time: datetime) -> None:
    """Add an event."""
    item = _ref(tenant, place)
    item.type, item.data, item.time, item.request_id = kind, data, time, call.request_id()
    item.expires_at = int((time + KEPT).timestamp())
    tx.put(item, label="event")


def note(tx: Transaction, tenant: TenantId, place: Place, status: DeliveryStatus) -> None:
    """Store the result of an attempt to deliver an event; fails with label ``event`` if the event was deleted."""
    text = msgspec.json.encode(status).decode()
    actions = [EventItem.statuses[status.integration_id].set(text)]
    tx.update(_ref(tenant, place), actions, EventItem.pk.exists(), label="event")


def listed(tenant: TenantId, start: int, stop: int) -> list[StoredEvent]:
    """Rows ``start`` to ``stop`` of the tenant's events, the newest first."""
    rows = EventItem.query(keys.partition(tenant, "EVENTS"), scan_index_forward=False, limit=stop)
    return [_event(item) for item in islice(rows, start, stop)]


def find(tenant: TenantId, event: str, time: datetime) -> StoredEvent | None:
    """The event with this id and time; reads the events of that millisecond."""
    moment = EventItem.sk.startswith(f"{keys.time(time)}.")
    rows = EventItem.query(keys.partition(tenant, "EVENTS"), moment, consistent_read=True)
    return next((_event(item) for item in rows if Place.of(item.sk).event == event), None)


def find_many(tenant: TenantId, places: Iterable[Place]) -> dict[Place, StoredEvent]:
    """The events that still exist, by their positions; 100 per round trip."""
    wanted = [(ref.pk, ref.sk) for ref in (_ref(tenant, place) for place in places)]
    found = map(_event, EventItem.batch_get(wanted, consistent_read=True))
    return {event.place: event for event in found}
