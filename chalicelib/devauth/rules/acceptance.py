"""Acceptance rules: which devices are accepted without a user (``docs/acceptance.md``).

A rule decides only about devices that nobody has decided about. A device that was ever accepted or rejected, and one
whose identity was decommissioned, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chalicelib import limits
from chalicelib.devauth.rules import globs
from chalicelib.devauth.rules.authority import Authority
from chalicelib.devauth.rules.identity import go_number
from chalicelib.devauth.rules.sets import Standing, Status
from chalicelib.errors import BadRequest

if TYPE_CHECKING:
    from chalicelib.devauth.shapes import NewAcceptanceRule

CERTIFICATE: Final = "certificate"
"""The attribute of identity data with the device's certificate (``certificates``)."""
SHARDS: Final = 32
"""The number of items that count the devices of a rule on a day, unless its daily limit is small."""


class Kind(StrEnum):
    """The kinds of rules."""

    CERTIFICATE = "certificate"
    """Devices with a certificate from one of the rule's CAs."""
    IDENTITIES = "identities"
    """Preregistered identities."""
    PATTERN = "pattern"
    """Devices whose identity data match patterns."""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A rule as it is stored."""

    id: str
    name: str
    type: Kind
    enabled: bool = True
    pattern: Mapping[str, str] = {}
    """Attributes of identity data and their patterns (``globs``), all of which must match."""
    authorities: tuple[Authority, ...] = ()
    common_name: str = ""
    """The attribute that must equal the common name of the certificate; empty: none."""
    max_per_day: int = 0
    """The number of devices that it accepts on a day (UTC); 0: no limit."""
    counting: int = 0
    """Counts changes of ``max_per_day``, each of which begins to count anew."""
    created: datetime
    updated: datetime


class Applicant(msgspec.Struct, frozen=True):
    """A device that asks for authentication, as rules see it."""

    identity: Mapping[str, Any]
    """Its identity data."""
    pubkey: str
    """The key that has signed its request."""
    standing: Standing
    """Its auth sets, of which one has this key."""
    expected_key: str | None
    """The key that was registered with its identity; empty: any. None: the identity is not preregistered."""
    was_decommissioned: bool


def rule_of(wanted: NewAcceptanceRule, rule_id: str, now: datetime, before: Rule | None = None) -> Rule:
    """A new or changed rule.

    Raises:
        BadRequest: a member is missing, not valid, or not for this kind of rule.
    """
    if wanted.type not in set(Kind):
        raise BadRequest(f"type must be one of: {', '.join(Kind)}")
    kind = Kind(wanted.type)
    if before is not None and before.type is not kind:
        raise BadRequest("the type of a rule cannot change; create another rule")
    if not wanted.name.strip():
        raise BadRequest("name must be provided")
    pattern = {name: text for name, text in wanted.pattern.items() if text is not None}
    if kind is Kind.PATTERN and not pattern:
        raise BadRequest('pattern must be provided, such as {"mac": "00:1b:44:*"}')
    if (kind is Kind.CERTIFICATE) is not bool(wanted.certificates):
        raise BadRequest(f"certificates must be provided for rules of the type {Kind.CERTIFICATE}, and for no others")
    if wanted.common_name and kind is not Kind.CERTIFICATE:
        raise BadRequest(f"common_name is for rules of the type {Kind.CERTIFICATE} only")
    _check_pattern(pattern)
    known = before.authorities if before is not None else ()
    counting = before.counting + (before.max_per_day != wanted.max_per_day) if before is not None else 0
    return Rule(
        id=rule_id,
        name=wanted.name.strip(),
        type=kind,
        enabled=wanted.enabled,
        pattern=pattern,
        authorities=_authorities(wanted.certificates, known, now) if wanted.certificates else (),
        common_name=wanted.common_name,
        max_per_day=wanted.max_per_day,
        counting=counting,
        created=before.created if before is not None else now,
        updated=now,
    )


def _authorities(pems: list[str], known: tuple[Authority, ...], now: datetime) -> tuple[Authority, ...]:
    """The CAs of a rule. Those that it has already are not checked, so it can be changed after one has expired."""
    # Imported here because only rules for certificates need it.
    from chalicelib.devauth.rules import certificates

    by_pem = {each.pem: each for each in known}
    found = [by_pem.get(pem) or certificates.authority(pem, now) for pem in pems]
    return tuple({each.pem: each for each in found}.values())


def _check_pattern(pattern: Mapping[str, str]) -> None:
    if len(pattern) > limits.ACCEPTANCE_PATTERNS:
        raise BadRequest(f"pattern: too many attributes (max: {limits.ACCEPTANCE_PATTERNS})")
    for name, text in pattern.items():
        if not name or not text or max(len(name), len(text)) > limits.ACCEPTANCE_PATTERN:
            most = limits.ACCEPTANCE_PATTERN
            raise BadRequest(f"pattern: names of attributes and their patterns must have 1 to {most} characters")


def accepts(rule: Rule, device: Applicant, now: datetime) -> bool:
    """Whether a rule accepts a device, apart from limits."""
    return (
        rule.enabled
        and _is_undecided(device.standing, proves_key=_proves_key(rule, device))
        and _concerns(rule, device)
        and all(_matches(text, device.identity.get(name)) for name, text in rule.pattern.items())
        and (rule.type is not Kind.CERTIFICATE or _is_certified(rule, device, now))
    )


def _proves_key(rule: Rule, device: Applicant) -> bool:
    """Whether a device that the rule accepts has proved that its key belongs to its identity."""
    return rule.type is Kind.CERTIFICATE or (rule.type is Kind.IDENTITIES and bool(device.expected_key))


def _concerns(rule: Rule, device: Applicant) -> bool:
    """Whether the rule may accept the identity at all.

    A preregistered identity counts even if its device was decommissioned: that has deleted the earlier registration, so
    this one is newer.
    """
    if rule.type is Kind.IDENTITIES:
        return device.expected_key is not None and device.expected_key in {"", device.pubkey}
    return not device.was_decommissioned


def _is_certified(rule: Rule, device: Applicant, now: datetime) -> bool:
    # Imported here because only rules for certificates need it.
    from chalicelib.devauth.rules import certificates

    common_name = None
    if rule.common_name:
        common_name = _text(device.identity.get(rule.common_name))
        if common_name is None:
            return False
    authorities = [each.pem for each in rule.authorities]
    shown = device.identity.get(CERTIFICATE)
    return certificates.is_certified(authorities, shown, device.pubkey, common_name, now)


def _is_undecided(standing: Standing, *, proves_key: bool) -> bool:
    """Whether nobody has decided about a device yet, so that a rule may.

    If several keys claim the identity, only one that is proved to be the device's own may be accepted by a rule.
    """
    if standing.was_accepted or any(each.status is not Status.PENDING for each in standing.sets):
        return False
    return len(standing.sets) == 1 or (proves_key and bool(standing.sets))


def _matches(pattern: str, value: Any) -> bool:
    text = _text(value)
    return text is not None and len(text) <= limits.ACCEPTANCE_PATTERN and globs.matches(pattern, text)


def _text(value: Any) -> str | None:
    """A value of identity data as text; None for lists, objects and null, which match nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return go_number(float(value)) if isinstance(value, int | float) else None


def kinds(rules: tuple[Rule, ...]) -> list[str]:
    """The kinds of the enabled rules, sorted."""
    return sorted({str(rule.type) for rule in rules if rule.enabled})


def shards(rule: Rule) -> int:
    """The number of items that count the devices of a rule on a day."""
    return 1 if 0 < rule.max_per_day < limits.ACCEPTANCE_SPREAD else SHARDS


def share(rule: Rule, shard: int) -> int | None:
    """The part of a rule's daily limit that one of its items may count; None: no limit."""
    if not rule.max_per_day:
        return None
    whole, rest = divmod(rule.max_per_day, shards(rule))
    return whole + (shard < rest)


def changed_members(before: Rule | None, after: Rule | None) -> str:
    """The changes of a rule, for the audit log."""
    old, new = (_shown(rule) if rule is not None else {} for rule in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return "\n".join(f"{name}: {old.get(name, 'none')} -> {new.get(name, 'none')}" for name in names)


def _shown(rule: Rule) -> dict[str, Any]:
    subjects = [each.subject for each in rule.authorities]
    members = {"pattern": dict(rule.pattern), "certificates": subjects, "common_name": rule.common_name}
    given = {name: value for name, value in members.items() if value}
    return {"name": rule.name, "type": str(rule.type), "enabled": rule.enabled, "max_per_day": rule.max_per_day} | given
