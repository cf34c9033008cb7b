"""Acceptance rules as users manage them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec

from chalicelib import clock, limits
from chalicelib.auditlogs.service import Action, Object, ObjectType, record
from chalicelib.devauth.rules import acceptance as rules
from chalicelib.devauth.rules.acceptance import Kind, Rule
from chalicelib.devauth.shapes import NewAcceptanceRule
from chalicelib.devauth.tables import acceptance as table
from chalicelib.errors import Conflict, NotFound, Unprocessable
from chalicelib.fleet import control
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from chalicelib.devauth.tables.acceptance import Rules
    from chalicelib.storage.keys import TenantId

_IDENTITIES = NewAcceptanceRule(name="Preregistered identities", type=Kind.IDENTITIES)


def listed(tenant: TenantId) -> list[tuple[Rule, int]]:
    """The tenant's rules, oldest first, each with the number of devices that it accepted today."""
    found = table.of_tenant(tenant).rules
    counts = table.counted(tenant, found, clock.now()) if found else {}
    return [(rule, sum(counts[rule.id])) for rule in found]


@retried
def create(tenant: TenantId, wanted: NewAcceptanceRule) -> str:
    """Create a rule; returns its id. Devices that are pending are accepted when they ask again.

    Raises:
        BadRequest: it is not valid.
        Conflict: another rule has the name.
        Unprocessable: the tenant has as many rules as it may, or they are too large.
    """
    return _add(tenant, table.of_tenant(tenant), wanted)


@retried
def ensure_identities(tenant: TenantId) -> None:
    """Create the rule that accepts preregistered identities, unless the tenant has one, enabled or not.

    Raises:
        Conflict: a rule of another type has the name of this one.
        Unprocessable: the tenant has as many rules as it may.
    """
    before = table.of_tenant(tenant)
    if not any(rule.type is Kind.IDENTITIES for rule in before.rules):
        _add(tenant, before, _IDENTITIES)


def _add(tenant: TenantId, before: Rules, wanted: NewAcceptanceRule) -> str:
    new = rules.rule_of(wanted, str(uuid.uuid4()), clock.now())
    if len(before.rules) >= limits.ACCEPTANCE_RULES:
        raise Unprocessable(f"too many acceptance rules (max: {limits.ACCEPTANCE_RULES}); delete one first")
    _save(tenant, before, None, new)
    return new.id


@retried
def change(tenant: TenantId, rule_id: str, wanted: NewAcceptanceRule) -> None:
    """Replace a rule.

    Raises:
        BadRequest: it is not valid, or of another type.
        Conflict: another rule has the name.
        NotFound: there is no such rule.
        Unprocessable: the rules are too large.
    """
    before = table.of_tenant(tenant)
    rule = _find(before, rule_id)
    _save(tenant, before, rule, rules.rule_of(wanted, rule_id, clock.now(), rule))


@retried
def delete(tenant: TenantId, rule_id: str) -> None:
    """Delete a rule. Devices that it accepted stay accepted.

    Raises:
        NotFound: there is no such rule.
    """
    before = table.of_tenant(tenant)
    _save(tenant, before, _find(before, rule_id), None)


def _find(known: Rules, rule_id: str) -> Rule:
    found = next((rule for rule in known.rules if rule.id == rule_id), None)
    if found is None:
        raise NotFound("acceptance rule not found")
    return found


def _save(tenant: TenantId, known: Rules, before: Rule | None, after: Rule | None) -> None:
    """Store one new, changed or deleted rule, with its audit entry."""
    if after is not None and any(rule.name == after.name for rule in known.rules if rule is not before):
        raise Conflict(f"another acceptance rule has the name {after.name}; choose another one")
    replaced = [after if rule is before else rule for rule in known.rules]
    if before is None:
        replaced.append(after)
    saved = tuple(rule for rule in replaced if rule is not None)
    size = len(msgspec.json.encode(saved))
    if size > limits.ACCEPTANCE_RULES_SIZE:
        raise Unprocessable(
            f"all acceptance rules together are too large: {size} bytes (max: {limits.ACCEPTANCE_RULES_SIZE}); "
            "use fewer or smaller certificates"
        )
    about = after or before
    action = Action.CREATE if before is None else Action.DELETE if after is None else Action.UPDATE
    tx = Transaction()
    table.save(tx, tenant, known, saved, rules.kinds(saved))
    if about is not None:
        what = Object(ObjectType.SETTINGS, f"acceptance/{about.id}", {"name": about.name})
        record(tx, tenant, action, what, change=rules.changed_members(before, after))
    tx.commit()
    control.forget(tenant)
