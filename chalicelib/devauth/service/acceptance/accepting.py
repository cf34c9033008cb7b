"""Accepts devices by rules, when they ask for authentication (``docs/acceptance.md``).

Devices that no rule accepts cost nothing here: the rules are in memory, and what is stored about the identity was read
with the device. Only a device that a rule accepts, or would accept without a limit, causes a transaction. A process
remembers limits that were reached, so devices that keep asking do not repeat it.
"""

from __future__ import annotations

import hashlib
import random
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from chalicelib import actor, limits
from chalicelib.actor import Acting, Actor
from chalicelib.auditlogs.service import Action
from chalicelib.cache import Store
from chalicelib.devauth.rules import acceptance as rules
from chalicelib.devauth.rules import sets
from chalicelib.devauth.rules.acceptance import Applicant, Kind, Rule
from chalicelib.devauth.rules.identity import Identity
from chalicelib.devauth.service.changes import LimitReachedError, Note, save
from chalicelib.devauth.tables import acceptance as table
from chalicelib.devauth.tables import devices, identities
from chalicelib.fleet import control
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import ConditionFailed, Transaction, retried

if TYPE_CHECKING:
    from chalicelib.devauth.rules.device import Device, Known
    from chalicelib.devauth.rules.sets import AuthSet

_FULL: Final = "daily limit"
"""The label of the condition that fails when a rule has reached its daily limit."""
_rules: Store[TenantId, table.Rules] = Store(1000)
_closed: Store[tuple[str, ...], bool] = Store()
"""What need not be tried again: a rule on a day when it has reached its limit, and one for a key that is reserved."""
_paused: Store[tuple[str, ...], float] = Store()
"""Until when no device of a tenant's tier is accepted, because its limit was reached; seconds since 1970."""


class _RefusedError(Exception):
    """A rule cannot accept a device. ``about`` names what need not be tried again."""

    def __init__(self, about: tuple[str, ...]) -> None:
        super().__init__()
        self.about = about


def by_rules(tenant: TenantId, device: Device, known: Known, claimed: AuthSet, now: datetime) -> Device | None:
    """The device as accepted by a rule with the claimed, pending auth set; None if no rule accepts it.

    The rules are tried from the oldest on. A limit that is reached, of a rule or of the tenant, leaves it pending.
    """
    if now.timestamp() < (_paused.get((tenant, claimed.tier)) or 0):
        return None
    asking = applicant(device, known, claimed)
    for rule in current(tenant):
        if any(_closed.get(about) for about in _reasons(tenant, rule, claimed, now)):
            continue
        if not rules.accepts(rule, asking, now):
            continue
        try:
            return _accept(tenant, device.identity_hash, claimed, rule, now)
        except _RefusedError as refused:
            _closed.put(refused.about, True)
        except LimitReachedError:
            _paused.put((tenant, claimed.tier), now.timestamp() + limits.ACCEPTANCE_PAUSE)
            return None
    return None


def current(tenant: TenantId) -> tuple[Rule, ...]:
    """The tenant's rules, at most ``settings.control_cache`` seconds old. They are read only after a change."""
    known = _rules.get(tenant)
    if known is None or known.revision < control.get(tenant).acceptance_revision:
        known = table.of_tenant(tenant)
        _rules.put(tenant, known)
    return known.rules


def applicant(device: Device, known: Known, claimed: AuthSet) -> Applicant:
    """A device with one of its auth sets, as rules see it."""
    return Applicant(
        identity=Identity(device.identity, device.identity_hash).members,
        pubkey=claimed.pubkey,
        standing=device.standing,
        expected_key=known.expected_key,
        was_decommissioned=known.was_decommissioned,
    )


@retried
def _accept(tenant: TenantId, identity_hash: str, claimed: AuthSet, rule: Rule, now: datetime) -> Device | None:
    """Accept a device by a rule. None if somebody has decided about it meanwhile.

    Raises:
        LimitReachedError: the tenant has as many accepted devices as it may.
        _RefusedError: the rule has reached its daily limit, or its certificate was used for another identity.
    """
    device, known = devices.look_up(tenant, identity_hash)
    if device is None or device.decommissioning or device.standing.by_id(claimed.id) is None:
        return None
    if not rules.accepts(rule, applicant(device, known, claimed), now):
        return None
    after = replace(device.moved_to(sets.accept(device.standing, claimed.id, rule.name), now), check_in=now)
    note = Note(Action.UPDATE, f"Authentication set {claimed.id}: pending -> accepted by rule {rule.name} ({rule.id})")

    def also(tx: Transaction) -> None:
        tx.late(_Counted(tenant, rule, now, device.id))
        if rule.type is Kind.CERTIFICATE:
            identities.claim_key(tx, tenant, _key_hash(claimed), identity_hash)

    full, reserved = _reasons(tenant, rule, claimed, now)
    try:
        with Acting(Actor("system", rule.id, actor.current().source_ip)):
            save(tenant, device, after, note, also)
    except ConditionFailed as error:
        if _FULL in error.failed:
            raise _RefusedError(full) from error
        if "key" in error.failed:
            raise _RefusedError(reserved) from error
        raise
    return replace(after, version=device.version + 1)


def _reasons(tenant: TenantId, rule: Rule, claimed: AuthSet, now: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of ``_closed`` for a rule's daily limit, and for a key that is reserved for another identity."""
    return (tenant, rule.id, str(rule.counting), f"{now:%Y-%m-%d}"), (tenant, rule.id, claimed.id)


def _key_hash(claimed: AuthSet) -> str:
    return hashlib.sha256(claimed.pubkey.encode()).hexdigest()


class _Counted(msgspec.Struct):
    """Counts an accepted device for its rule, in a late write of the transaction that accepts it.

    The first attempt needs no read. If the item for the device has its share, another one is chosen.
    """

    tenant: TenantId
    rule: Rule
    now: datetime
    device_id: str
    attempts: int = 0

    def __call__(self, tx: Transaction) -> None:
        """Add the write.

        Raises:
            ConditionFailed: the rule has reached its daily limit.
        """
        self.attempts += 1
        shard = self._home() if self.attempts == 1 or not self.rule.max_per_day else self._any()
        table.count(tx, self.tenant, self.rule, self.now, shard)

    def _home(self) -> int:
        return hashlib.sha256(self.device_id.encode()).digest()[0] % rules.shards(self.rule)

    def _any(self) -> int:
        """A shard that has not used its share."""
        counts = table.counted(self.tenant, (self.rule,), self.now)[self.rule.id]
        shares = [rules.share(self.rule, shard) for shard in range(len(counts))]
        left = [shard for shard, most in enumerate(shares) if most is None or counts[shard] < most]
        if not left:
            raise ConditionFailed({_FULL: None})
        return random.choice(left)  # noqa: S311  # spreads writers; no secret
