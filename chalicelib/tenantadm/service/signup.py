"""Sign-up: anybody can create a trial tenant, if the admin allows it (``settings.signup``)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib import clock, limits, settings
from chalicelib.errors import BadRequest, Conflict, MethodNotAllowed, TooManyRequests
from chalicelib.fleet import strangers
from chalicelib.storage.transactions import ConditionFailed, Transaction
from chalicelib.tenantadm import rules, tables
from chalicelib.tenantadm.service import tenants
from chalicelib.tiers import PerTier

if TYPE_CHECKING:
    from chalicelib.tenantadm.shapes import SignUp
    from chalicelib.tenantadm.tables import Tenant

_HOUR = 3600


def require_enabled() -> None:
    """Raise an error unless sign-up is enabled.

    Raises:
        MethodNotAllowed: it is not.
    """
    if not settings.current().signup:
        raise MethodNotAllowed("sign-up is disabled")


def sign_up(wanted: SignUp, source_ip: str) -> Tenant:
    """Create a trial tenant with its administrator, who is mailed if mail is configured.

    Args:
        wanted: the form.
        source_ip: the caller's address, whose network is counted.

    Raises:
        BadRequest: a value is not valid.
        Conflict: the address is taken.
        MethodNotAllowed: sign-up is not enabled.
        TooManyRequests: this hour's limit of sign-ups is reached, for this network or in all.
        Unprocessable: the password is not valid.
    """
    # Imported here: device authentication looks up tenant tokens in this package, and needs no users.
    from chalicelib.roles import service as roles
    from chalicelib.useradm import service as useradm

    require_enabled()
    rules.check_organization(wanted.organization)
    if wanted.subscription_type not in {"", "trial"}:
        raise BadRequest("subscription_type: only trial is offered")
    known, now = settings.current(), clock.now()
    devices = PerTier(known.trial_devices, known.trial_devices, known.trial_devices)
    tenant = replace(
        tenants.draft(wanted.organization, plan=wanted.plan or "enterprise", devices=devices),
        trial_expiration=now + timedelta(days=known.trial_days),
        notes=_notes(wanted),
    )
    person = useradm.draft_user(tenant.id, wanted.email, wanted.password, roles=(roles.PERMIT_ALL,))
    _count(useradm.network(source_ip))
    strangers.admit(strangers.Kind.SIGNUPS, 0, in_all=limits.SIGNUPS_IN_ALL)
    tx = Transaction()
    tenants.add(tx, tenant)
    tables.put_due(tx, tenant.id, tenant.trial_expiration)
    useradm.add_user(tx, person)
    try:
        tx.commit()
    except ConditionFailed as failed:
        raise Conflict(useradm.TAKEN) from failed
    tenants.created(tenant)
    useradm.ask_to_verify(person.email)
    return tenant


def _notes(wanted: SignUp) -> dict[str, object]:
    notes: dict[str, object] = {"marketing": wanted.marketing}
    if wanted.campaign:
        notes["campaign"] = wanted.campaign[: limits.TENANT_NAME]
    if wanted.name:
        notes["customer"] = wanted.name[: limits.TENANT_NAME]
    return notes


def _count(network: str) -> None:
    hashed = hashlib.sha256(network.encode()).hexdigest()
    seconds = int(clock.now().timestamp())
    if not tables.count_signup(hashed, seconds // _HOUR, (seconds // _HOUR + 1) * _HOUR, limits.SIGNUPS):
        raise TooManyRequests(retry_after=_HOUR - seconds % _HOUR)
