"""Preregistered identities: identities that are accepted when they first ask (``docs/acceptance.md``).

A file is stored in steps, each a transaction with its audit entry. A call that fails in the middle can be repeated:
what is stored already is reported as such.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chalicelib import clock, limits
from chalicelib.auditlogs.service import Action, Object, ObjectType, record
from chalicelib.cursors import Cursor, Listed
from chalicelib.devauth.rules import registrations
from chalicelib.devauth.service.acceptance import managing
from chalicelib.devauth.shapes import Registered, Registration, RegistrationsDeleted, RegistrationStatus
from chalicelib.devauth.tables import devices
from chalicelib.devauth.tables import identities as table
from chalicelib.devauth.tables.identities import Expected
from chalicelib.errors import NotFound, Unprocessable
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chalicelib.devauth.rules.device import Device
    from chalicelib.devauth.rules.registrations import Entry
    from chalicelib.storage.keys import TenantId

_AT_ONCE: Final = 90
"""Identities of one transaction, which also has up to ``table.PARTS`` counts and two writes of the audit log."""


def register(tenant: TenantId, raw: bytes, *, csv: bool) -> Registered:
    """Preregister the identities of a CSV file or a JSON list, and report on each.

    The first ones also create the rule that accepts them, if the tenant has none.

    Raises:
        BadRequest: the file as a whole cannot be read.
        TooLarge: it has too many identities.
        Unprocessable: the tenant has as many identities, or rules, as it may.
    """
    entries = registrations.of_csv(raw) if csv else registrations.of_json(raw)
    usable = [entry for entry in entries if entry.identity is not None]
    if usable:
        if table.number(tenant) + len(usable) > limits.IDENTITIES:
            raise Unprocessable(f"too many preregistered identities (max: {limits.IDENTITIES}); delete some first")
        managing.ensure_identities(tenant)
    results: dict[int, Registration] = {}
    for begin in range(0, len(usable), _AT_ONCE):
        for result in _store(tenant, usable[begin : begin + _AT_ONCE]):
            results[result.line] = result
    reports = [
        results.get(entry.line) or Registration(entry.line, RegistrationStatus.INVALID, entry.error)
        for entry in entries
    ]
    numbers = {status: sum(each.status is status for each in reports) for status in RegistrationStatus}
    return Registered(
        stored=numbers[RegistrationStatus.STORED],
        exists=numbers[RegistrationStatus.EXISTS],
        invalid=numbers[RegistrationStatus.INVALID],
        results=reports,
    )


@retried
def _store(tenant: TenantId, entries: Sequence[Entry]) -> list[Registration]:
    """Store those of some identities that are new."""
    known = table.find_many(tenant, [entry.identity.hash for entry in entries if entry.identity is not None])
    now = clock.now()
    new: dict[str, Expected] = {}
    results = []
    for entry in entries:
        if entry.identity is None:
            continue
        given = Expected(entry.identity.hash, entry.identity.text, entry.pubkey, now)
        earlier = known.get(given.hash) or new.get(given.hash)
        if earlier is None:
            new[given.hash] = given
            results.append(Registration(entry.line, RegistrationStatus.STORED))
        elif earlier.pubkey == given.pubkey:
            results.append(Registration(entry.line, RegistrationStatus.EXISTS))
        else:
            text = "the identity is registered already, with a different public key or without one; delete it first"
            results.append(Registration(entry.line, RegistrationStatus.INVALID, text))
    if new:
        tx = Transaction()
        table.add(tx, tenant, new.values())
        _record(tx, tenant, Action.CREATE, list(new.values()))
        tx.commit()
    return results


def page(tenant: TenantId, start: int, stop: int, cursor: Cursor | None) -> Listed[tuple[Expected, Device | None]]:
    """Rows ``start`` to ``stop`` of the preregistered identities, or those beside a cursor, each with its device."""
    if cursor is None:
        rows = table.after(tenant, "", stop)[start:]
    elif cursor.before:
        rows = table.before(tenant, cursor.key, stop - start)
    else:
        rows = table.after(tenant, cursor.key, stop - start)
    found = {device.identity_hash: device for device in devices.find_many(tenant, [row.hash for row in rows])}
    ends = (rows[0].hash, rows[-1].hash) if rows else None
    return Listed([(row, found.get(row.hash)) for row in rows], table.number(tenant), ends)


@retried
def delete(tenant: TenantId, identity_hash: str) -> None:
    """Delete a preregistered identity. Its device, if it was accepted already, stays accepted.

    Raises:
        NotFound: there is none with this id.
    """
    found = table.find_many(tenant, [identity_hash])
    if not found:
        raise NotFound("preregistered identity not found")
    _delete(tenant, list(found.values()))


def delete_all(tenant: TenantId) -> RegistrationsDeleted:
    """Delete all preregistered identities, up to a limit for each call; says how many are left."""
    listed = [each.hash for each in table.after(tenant, "", limits.IDENTITIES_AT_ONCE)]
    for begin in range(0, len(listed), _AT_ONCE):
        _delete_those(tenant, listed[begin : begin + _AT_ONCE])
    return RegistrationsDeleted(table.number(tenant))


@retried
def _delete_those(tenant: TenantId, identity_hashes: list[str]) -> None:
    """Delete those of some listed identities that are still there."""
    found = table.find_many(tenant, identity_hashes)
    if found:
        _delete(tenant, list(found.values()))


def _delete(tenant: TenantId, found: list[Expected]) -> None:
    tx = Transaction()
    table.delete(tx, tenant, [each.hash for each in found])
    _record(tx, tenant, Action.DELETE, found)
    tx.commit()


def _record(tx: Transaction, tenant: TenantId, action: Action, which: Sequence[Expected]) -> None:
    """Add the entry of a change of some preregistered identities, with their data."""
    what = Object(ObjectType.SETTINGS, "acceptance/identities", {"name": "preregistered identities"})
    lines = [f"{len(which)} preregistered identities", *(each.identity for each in which)]
    record(tx, tenant, action, what, change="\n".join(lines))
