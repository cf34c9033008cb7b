"""Integrations as users manage them: create, change, delete, list events (``docs/behaviour.md#webhooks``)."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from chalicelib import clock, limits, outbound
from chalicelib.auditlogs.service import Action, Object, ObjectType, record
from chalicelib.aws import vault
from chalicelib.errors import BadRequest, Conflict, NotFound, Unprocessable
from chalicelib.features import Feature
from chalicelib.fleet import control, control_items
from chalicelib.integrations.rules import requests
from chalicelib.integrations.rules.events import Scope
from chalicelib.integrations.service.emitting import Wake
from chalicelib.integrations.shapes import OMITTED, Credentials, DeliveryStatus, Http, NewIntegration
from chalicelib.integrations.tables import events as event_table
from chalicelib.integrations.tables import integrations as table
from chalicelib.integrations.tables import outboxes
from chalicelib.integrations.tables.integrations import Integration
from chalicelib.integrations.tables.outboxes import Outbox
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from chalicelib.integrations.tables.events import StoredEvent
    from chalicelib.storage.keys import TenantId

_TAKEN = "an integration with this URL already exists"


def listed(tenant: TenantId) -> list[Integration]:
    """The tenant's integrations, by id; secrets are sealed."""
    return table.of_tenant(tenant)


def totals(tenant: TenantId) -> tuple[int, int]:
    """The number of a tenant's integrations, and of those whose receiver was unavailable at the last attempt."""
    known = control.get(tenant).subscribers
    return len(known), outboxes.failing(Outbox(tenant, integration) for integration in known)


def get(tenant: TenantId, integration: str) -> Integration:
    """The integration.

    Raises:
        NotFound: the tenant has none with this id.
    """
    found = table.find(tenant, integration)
    if found is None:
        raise NotFound("integration not found")
    return found


@retried
def create(tenant: TenantId, wanted: NewIntegration) -> str:
    """Create a webhook that receives events from now on. Returns the integration's id.

    Raises:
        BadRequest: it is malformed, its provider is not supported, or its URL is not allowed.
        Forbidden: the tenant's plan does not include one of its scopes.
        Conflict: another integration has the URL.
        Unprocessable: the tenant has as many integrations as it may.
    """
    requests.check_new(wanted)
    http = requests.http(wanted.credentials)
    _check_url(http.url)
    scopes = requests.scopes(wanted)
    _check_plan(tenant, scopes)
    integration = str(uuid.uuid4())
    secret = _sealed(tenant, integration, http)
    new = Integration(integration, wanted.provider, http.url, secret, wanted.description, scopes)
    tx = Transaction()
    table.put_new(tx, tenant, new)
    control_items.change_subscribers(tx, tenant, partial(_with, integration, scopes))
    record(tx, tenant, Action.CREATE, _object(new))
    try:
        tx.commit()
    except ConditionFailed as error:
        if table.URL in error.failed:
            raise Conflict(_TAKEN) from error
        raise
    control.forget(tenant)
    return integration


def _with(integration: str, scopes: list[str], known: dict[str, list[str]]) -> dict[str, list[str]]:
    if len(known) >= limits.INTEGRATIONS:
        raise Unprocessable(f"too many integrations (max: {limits.INTEGRATIONS}); delete one first")
    return known | {integration: scopes}


def _check_url(url: str) -> None:
    try:
        outbound.parse(url)
    except outbound.Refused as error:
        raise BadRequest(f"credentials: http.url: {error}") from error


def _check_plan(tenant: TenantId, scopes: list[str]) -> None:
    if Scope.INVENTORY in scopes:
        control.require(tenant, Feature.INVENTORY_EVENTS)


def _sealed(tenant: TenantId, integration: str, http: Http) -> bytes | None:
    return vault.seal(http.secret, tenant, integration) if http.secret else None


def _object(integration: Integration) -> Object:
    return Object(ObjectType.INTEGRATION, integration.id, {"provider": integration.provider})


@retried
def set_credentials(tenant: TenantId, integration: str, credentials: Credentials) -> None:
    """Change URL or secret. Waiting events are tried at once, except those that were refused individually.

    Raises:
        BadRequest: they are malformed, or the URL is not allowed.
        NotFound: there is no such integration.
        Conflict: another integration has the URL.
    """
    before = get(tenant, integration)
    http = requests.http(credentials, keeps_secret=before.secret is not None)
    _check_url(http.url)
    secret = before.secret if http.secret == OMITTED else _sealed(tenant, integration, http)
    tx = Transaction()
    table.change(tx, tenant, before, http.url, secret)
    record(tx, tenant, Action.UPDATE, _object(before), change="credentials")
    try:
        tx.commit()
    except ConditionFailed as error:
        if table.INTEGRATION not in error.failed:
            raise Conflict(_TAKEN) from error
        raise
    outboxes.open_again(Outbox(tenant, integration))
    Wake(tenant, integration)()


@retried
def delete(tenant: TenantId, integration: str) -> None:
    """Delete a webhook; its undelivered events are dropped.

    Raises:
        NotFound: there is no such integration.
    """
    gone = get(tenant, integration)
    tx = Transaction()
    table.delete(tx, tenant, gone)
    control_items.change_subscribers(tx, tenant, partial(_without, integration))
    record(tx, tenant, Action.DELETE, _object(gone))
    tx.then(Wake(tenant, integration))
    tx.commit()
    control.forget(tenant)


def _without(integration: str, known: dict[str, list[str]]) -> dict[str, list[str]]:
    return {other: scopes for other, scopes in known.items() if other != integration}


@retried
def send_again(tenant: TenantId, integration: str, event_id: str, event_time: str) -> None:
    """Send an event to an integration once more. Safe to repeat: an event that waits already is not sent twice.

    A finished event is tried at once, and again for a day if that fails, apart from the other events. One that still
    waits for its next attempt is tried now; it keeps its turn. A receiver that was unavailable is tried at once.

    Raises:
        BadRequest: the time is not RFC 3339.
        NotFound: there is no such integration, or it received no such event in the last week.
    """
    time = requests.time(event_time)
    outbox = Outbox(tenant, integration)
    receiver = get(tenant, integration)
    event = event_table.find(tenant, event_id, time)
    if event is None:
        raise NotFound("event not found; events are kept for a week, and are found by id and exact time")
    now = clock.now()
    queued = _queued(event, integration)
    waiting = outboxes.find_waiting(outbox, event.place)
    tx = Transaction()
    if waiting is None:
        outboxes.put_again(tx, outbox, event, now)
    elif waiting.next_attempt is None and queued in event.statuses:
        # The same call was made before; only the message to the worker may have been lost.
        Wake(tenant, integration)()
        return
    else:
        outboxes.hurry(tx, outbox, event.place, now)
    event_table.note(tx, tenant, event.place, queued)
    table.require(tx, tenant, integration)
    record(tx, tenant, Action.UPDATE, _object(receiver), change=f"sent again: {event.kind} {event.place.event}")
    tx.then(Wake(tenant, integration))
    try:
        tx.commit()
    except ConditionFailed as error:
        if outboxes.DONE in error.failed and outboxes.WAITING not in error.failed:
            raise NotFound("event not found; this integration was not sent it") from error
        raise


def _queued(event: StoredEvent, integration: str) -> DeliveryStatus:
    last = next((each for each in event.statuses if each.integration_id == integration), None)
    return replace(last, queued=True) if last else DeliveryStatus(integration, success=False, queued=True)


def events(tenant: TenantId, integration: str | None, start: int, stop: int) -> list[StoredEvent]:
    """Rows ``start`` to ``stop`` of the last week's events, of the tenant or of an integration; newest first."""
    if integration is None:
        return event_table.listed(tenant, start, stop)
    places = outboxes.places(Outbox(tenant, integration), start, stop)
    found = event_table.find_many(tenant, places)
    return [found[place] for place in places if place in found]
