"""Authentication requests of devices (``docs/behaviour.md#authentication-requests``).

The request of an accepted device costs one read. Every other device gets a 401.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from chalicelib import clock, settings, tokens
from chalicelib.devauth.rules import identity as identities
from chalicelib.devauth.rules import pubkeys, sets
from chalicelib.devauth.rules.device import Device, Known, is_seen_anew
from chalicelib.devauth.rules.sets import AuthSet, Status
from chalicelib.devauth.service import capacity, operators
from chalicelib.devauth.service.changes import LimitReachedError, create, save
from chalicelib.devauth.tables import devices as table
from chalicelib.errors import BadRequest, Unauthorized, Unavailable
from chalicelib.fleet import control, head_items
from chalicelib.fleet.tables import DeviceHead
from chalicelib.inventory import service as inventory
from chalicelib.observability import logger
from chalicelib.storage.keys import TenantId
from chalicelib.storage.transactions import Transaction, retried
from chalicelib.tenantadm import service as tenantadm
from chalicelib.tiers import Tier

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.devauth.shapes import AuthRequest

_REFUSED = "dev auth: unauthorized"


class Claim(msgspec.Struct, frozen=True):
    """A device that has proved to own ``pubkey`` (canonical PEM) and claims an identity and a tier."""

    identity: identities.Identity
    pubkey: str
    tier: Tier


def authenticate(request: AuthRequest, raw: bytes, signature: str, bearer: str) -> str:
    """A token for the device that signed ``raw``, the body that ``request`` was decoded from.

    A device or key that is seen for the first time is recorded. If no acceptance rule of the tenant accepts it, an
    operator has to decide, and it is refused like all others that are not accepted.

    Args:
        request: the decoded body.
        raw: the bytes that the device signed.
        signature: base64, from the header; empty if there was none.
        bearer: a tenant token from the ``Authorization`` header, used if the body has none; may be empty.

    Raises:
        BadRequest: a part is missing or unusable.
        TooManyRequests: the device is new, and its network has reached this hour's limit of new devices.
        Unauthorized: the signature is wrong, the tenant unknown or suspended, or the device not accepted; or the
            device is new and its tenant has reached its limit of pending devices.
    """
    claim = _verified(request, raw, signature)
    tenant = _tenant(request.tenant_token or bearer)
    now = clock.now()
    try:
        device, known = _recorded(tenant, claim, now, stranger=True)
    except LimitReachedError as error:
        raise Unauthorized("unauthorized") from error
    if control.get(tenant).acceptance:
        device = _by_rules(tenant, device, known, claim, now)
    if is_seen_anew(device, now):
        table.seen_again(tenant, device, now)
    held = device.standing.by_key(claim.pubkey, claim.tier)
    if device.decommissioning or held is None or held.status is not Status.ACCEPTED:
        raise Unauthorized(_REFUSED)
    _check_in(tenant, device, now)
    return tokens.issue(_claims(tenant, device, held, now))


def accept_automatically(tenant: TenantId, request: AuthRequest, raw: bytes, signature: str) -> str:
    """A token for a device whose signed request a user passes on: the device is accepted at once.

    Raises:
        BadRequest: a part is missing or unusable, the signature is wrong, the tenant token is another tenant's, or
            the device is being decommissioned. A 401 would tell the user's client that the user is not signed in.
        LimitReachedError: the tenant has as many accepted devices as it may.
    """
    try:
        claim = _verified(request, raw, signature)
    except Unauthorized as error:
        raise BadRequest(error.text) from error
    if request.tenant_token and tenantadm.tenant_by_token(request.tenant_token) != tenant:
        raise BadRequest("invalid auth request: the tenant token belongs to another tenant")
    now = clock.now()
    device, _ = _recorded(tenant, claim, now)
    held = device.standing.by_key(claim.pubkey, claim.tier)
    if device.decommissioning or held is None:
        raise BadRequest("the device is being decommissioned")
    if held.status is not Status.ACCEPTED:
        operators.decide(tenant, device.id, held.id, Status.ACCEPTED)
        device = operators.get(tenant, device.id)
    return tokens.issue(_claims(tenant, device, held, now))


def _verified(request: AuthRequest, raw: bytes, signature: str) -> Claim:
    if not request.id_data:
        raise BadRequest("invalid auth request: id_data must be provided")
    if not request.pubkey:
        raise BadRequest("invalid auth request: pubkey must be provided")
    try:
        key = pubkeys.parse(request.pubkey)
        tier = sets.tier(request.tier)
    except BadRequest as error:
        raise BadRequest(f"invalid auth request: {error.text}") from error
    if not signature:
        raise BadRequest("missing request signature header")
    pubkeys.verify(key, signature, raw)
    return Claim(identities.normalise(request.id_data), pubkeys.canonical(key), tier)


def _tenant(token: str) -> TenantId:
    named = tenantadm.tenant_by_token(token) if token else None
    tenant = named or TenantId(settings.current().default_tenant)
    if not tenant:
        raise Unauthorized(_REFUSED)
    if not control.get(tenant).active:
        raise Unauthorized("Account suspended")
    return tenant


@retried
def _recorded(tenant: TenantId, claim: Claim, now: datetime, *, stranger: bool = False) -> tuple[Device, Known]:
    """The device with the claimed key among its sets, after the changes that the request itself makes.

    With what acceptance rules know of its identity, if the tenant has any.

    ``stranger``: the request did not come through a user, so a new device counts against the limits of pending devices.
    """
    if stranger and control.get(tenant).acceptance:
        before, known = table.look_up(tenant, claim.identity.hash)
    else:
        before, known = table.find(tenant, claim.identity.hash), Known()
    if before is None:
        # Preregistered devices are expected, and limited in number.
        if stranger and known.expected_key is None:
            capacity.make(tenant, now)
        return _first_contact(tenant, claim, now), known
    standing = before.standing
    held = standing.by_key(claim.pubkey, claim.tier)
    if before.decommissioning:
        after = standing
    elif held is None:
        after = sets.appear(standing, _pending(claim, now))
    elif held.status is Status.PREAUTHORIZED:
        after = sets.accept(standing, held.id)
    else:
        after = sets.settle(standing)
    if after == standing:
        return before, known
    device = before.moved_to(after, now)
    if stranger and after.status is Status.ACCEPTED:
        device = replace(device, check_in=now)  # in the same transaction: many may appear at once
    save(tenant, before, device)
    return replace(device, version=device.version + 1), known


def _by_rules(tenant: TenantId, device: Device, known: Known, claim: Claim, now: datetime) -> Device:
    """The device as it is after the tenant's acceptance rules have decided about it."""
    # Imported here because only tenants with acceptance rules need it.
    from chalicelib.devauth.service.acceptance import accepting

    claimed = device.standing.by_key(claim.pubkey, claim.tier)
    if claimed is None or claimed.status is not Status.PENDING or device.decommissioning:
        return device
    return accepting.by_rules(tenant, device, known, claimed, now) or device


def _first_contact(tenant: TenantId, claim: Claim, now: datetime) -> Device:
    device = Device(
        id=str(uuid.uuid4()),
        identity_hash=claim.identity.hash,
        identity=claim.identity.text,
        standing=sets.appear(sets.NOBODY, _pending(claim, now)),
        created=now,
        updated=now,
    )
    create(tenant, device, now)
    return replace(device, version=1)


def _pending(claim: Claim, now: datetime) -> AuthSet:
    return AuthSet(str(uuid.uuid4()), claim.pubkey, Status.PENDING, now, claim.tier)


def _check_in(tenant: TenantId, device: Device, now: datetime) -> None:
    interval = timedelta(seconds=settings.current().check_in_interval)
    if device.check_in is not None and now - device.check_in < interval:
        return
    tx = Transaction()
    seen = [DeviceHead.seen.set(now), head_items.facts_changed()]
    table.checked_in(tx, tenant, device, now)
    tx.update(head_items.ref(tenant, device.id), seen, DeviceHead.pk.exists(), label="head")
    inventory.checked_in(tx, tenant, device.id, now)
    try:
        tx.try_commit()  # fails where the device has changed meanwhile
    except Unavailable:
        # The check-in can wait for the next token: without one, the device would be cut off.
        logger.warning("a check-in was not recorded", extra={"device": device.id})


def _claims(tenant: TenantId, device: Device, held: AuthSet, now: datetime) -> dict[str, Any]:
    issued = int(now.timestamp())
    terms = control.get(tenant)
    return {
        "jti": held.id,
        "sub": device.id,
        "iss": "Mender",
        "iat": issued,
        "exp": issued + settings.current().device_token_life,
        "mender.device": True,
        "mender.tenant": tenant,
        "mender.plan": terms.plan,
        "mender.addons": list(terms.addons),
        "mender.trial": terms.trial,
        "lamplighter.gen": device.standing.generation,
    }
