"""Devices as operators manage them: list, accept, reject, preauthorize, revoke.

Sources: ``docs/behaviour.md#auth-sets``, ``docs/behaviour.md#preauthorization`` and
``docs/behaviour.md#lists-of-devices``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from chalicelib import clock
from chalicelib.auditlogs.service import Action
from chalicelib.devauth.rules import identity as identities
from chalicelib.devauth.rules import pubkeys, sets
from chalicelib.devauth.rules.device import Device
from chalicelib.devauth.rules.sets import AuthSet, Standing, Status
from chalicelib.devauth.service import capacity
from chalicelib.devauth.service.changes import Note, create, save
from chalicelib.devauth.service.decommissioning import clear_out, mark, remove
from chalicelib.devauth.tables import devices as table
from chalicelib.errors import BadRequest, NotFound
from chalicelib.fleet import control, heads, membership
from chalicelib.storage.transactions import retried
from chalicelib.tiers import LIMITS, PerTier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from chalicelib.rights import Names
    from chalicelib.storage.keys import TenantId

_PENDING_LIMIT = "max_pending_devices"
_NO_SET = "authorization set not found"


def get(tenant: TenantId, device_id: str) -> Device:
    """The device.

    Raises:
        NotFound: there is none with this id.
    """
    head = heads.find(tenant, device_id)
    device = table.find(tenant, head.identity_hash) if head else None
    if device is None:
        raise NotFound("device not found")
    return device


def listed(tenant: TenantId, statuses: Collection[str], start: int, stop: int, groups: Names | None) -> list[Device]:
    """Rows ``start`` to ``stop`` of the devices, all or with one of these statuses, by status, then id.

    With ``groups``, of the devices that are in one of them.
    """
    if groups is None:
        return table.listed(tenant, statuses, start, stop)
    members = membership.statuses_of_members(tenant, groups)
    rows = sorted((status, device) for device, status in members.items() if not statuses or status in statuses)
    return selected(tenant, [device for _, device in rows[start:stop]], (), 0, stop - start, None)


def selected(  # which devices match, and which rows of them
    tenant: TenantId,
    device_ids: Collection[str],
    statuses: Collection[str],
    start: int,
    stop: int,
    groups: Names | None,
) -> list[Device]:
    """Rows ``start`` to ``stop`` of the devices with these ids (statuses, groups), by status, then id."""
    found = heads.find_many(tenant, device_ids).values()
    inside = [head for head in found if groups is None or head.group in groups]
    devices = table.find_many(tenant, [head.identity_hash for head in inside])
    matching = [device for device in devices if not statuses or device.standing.status in statuses]
    return sorted(matching, key=lambda device: (device.standing.status, device.id))[start:stop]


def ids(tenant: TenantId) -> Iterator[str]:
    """The ids of all devices, whatever their status."""
    return table.ids(tenant)


def device_of_set(tenant: TenantId, set_id: str) -> str | None:
    """The id of the device that an auth set belongs to; None if there is no such set."""
    device = _find_by_set(tenant, set_id)
    return device.id if device else None


def limit(tenant: TenantId, name: str) -> int:
    """The tenant's limit of this name; -1 means no limit.

    Raises:
        BadRequest: there is no such limit.
    """
    if name == _PENDING_LIMIT:
        return capacity.limit(tenant)
    if name not in LIMITS:
        raise BadRequest(f"unsupported limit {name}")
    return device_limits(tenant).of(LIMITS[name])


def device_limits(tenant: TenantId) -> PerTier:
    """How many devices of each tier the tenant may accept; -1 means no limit."""
    return control.get(tenant, fresh=True).devices


def set_status(tenant: TenantId, device_id: str, set_id: str) -> Status:
    """The status of an auth set of this device.

    Raises:
        NotFound: the device has no such set.
    """
    device = _by_set(tenant, set_id)
    if device.id != device_id:
        raise NotFound(_NO_SET)
    return _set_of(device.standing, set_id).status


def decide(tenant: TenantId, device_id: str, set_id: str, status: str) -> None:
    """Accept or reject an auth set, or make it pending. Tokens of a set that is no longer accepted end at once.

    Raises:
        BadRequest: no such status, or the set is preauthorized or belongs to another device.
        NotFound: no such set, or its device is being decommissioned.
        LimitReachedError: the tenant has as many accepted devices as it may.
    """
    if status not in sets.SETTABLE:
        raise BadRequest("incorrect device status")
    _decide(tenant, device_id, set_id, Status(status))


@retried
def _decide(tenant: TenantId, device_id: str, set_id: str, wanted: Status) -> None:
    device = _by_set(tenant, set_id)
    if device.id != device_id:
        raise BadRequest("dev auth: dev ID and auth ID mismatch")
    if device.decommissioning:
        raise NotFound("device not found")
    after = sets.decide(device.standing, set_id, wanted)
    if after is not device.standing:
        was = _set_of(device.standing, set_id).status
        note = Note(
            Action.REJECT if wanted is Status.REJECTED else Action.UPDATE,
            f"Authentication set {set_id}: {was} -> {wanted}",
        )
        save(tenant, device, device.moved_to(after, clock.now()), note)


def remove_set(tenant: TenantId, set_id: str) -> bool:
    """Delete an auth set; returns whether it existed. A device whose last set was preauthorized is deleted too.

    Raises:
        Unavailable: such a device's data cannot be deleted now. It is marked for decommissioning.
    """
    device = _remove_set(tenant, set_id)
    if device is not None and device.decommissioning:
        clear_out(tenant, device.id)
        remove(tenant, device.id)
    return device is not None


@retried
def _remove_set(tenant: TenantId, set_id: str) -> Device | None:
    """The device without the set; None if there is no such set."""
    device = _find_by_set(tenant, set_id)
    if device is None or device.decommissioning:
        return None
    after = sets.remove(device.standing, set_id)
    now = clock.now()
    if after is not None:
        note = Note(Action.UPDATE, f"Authentication set {set_id} deleted")
        save(tenant, device, device.moved_to(after, now), note)
        return device
    mark(tenant, device, now, Note(Action.DELETE, f"Authentication set {set_id}, the last one, deleted"))
    return replace(device, decommissioning=True)


@retried
def revoke_token(tenant: TenantId, token_id: str) -> bool:
    """Revoke all tokens of an accepted auth set (``token_id``: its id, the ``jti``); returns whether there is one."""
    device = _find_by_set(tenant, token_id)
    if device is None or device.standing.accepted != token_id:
        return False
    note = Note(Action.UPDATE, f"Tokens of authentication set {token_id} revoked")
    save(tenant, device, device.moved_to(sets.revoke(device.standing), clock.now()), note)
    return True


def preauthorise(
    tenant: TenantId, identity_data: Any, pubkey: str | None, *, force: bool, tier: str | None = None
) -> tuple[bool, Device]:
    """Preauthorize a device: its first request with this key is accepted without a further decision.

    Returns:
        Whether it was done, and the device: the changed one, or the one that has this identity already.

    Raises:
        BadRequest: the identity is not an object with members, the key is not usable, or there is no such tier.
    """
    prefix = "failed to decode preauth request: "
    if not isinstance(identity_data, dict) or not identity_data:
        raise BadRequest(prefix + "identity_data must be a non-empty object")
    if not pubkey:
        raise BadRequest(prefix + "pubkey must be provided")
    try:
        key = pubkeys.canonical(pubkeys.parse(pubkey))
        identity = identities.normalise(msgspec.json.encode(identity_data).decode())
        new = AuthSet(str(uuid.uuid4()), key, Status.PREAUTHORIZED, clock.now(), sets.tier(tier))
    except BadRequest as error:
        raise BadRequest(prefix + error.text) from error
    return _preauthorise(tenant, identity, new, force=force)


@retried
def _preauthorise(tenant: TenantId, identity: identities.Identity, new: AuthSet, *, force: bool) -> tuple[bool, Device]:
    before = table.find(tenant, identity.hash)
    now = new.ts
    if before is None:
        standing = sets.preauthorise(sets.NOBODY, new)
        device = Device(str(uuid.uuid4()), identity.hash, identity.text, standing, now, now)
        create(tenant, device, now, Note(Action.CREATE, f"Authentication set {new.id} preauthorized"))
        return True, device
    if before.decommissioning or not force:
        return False, before
    note = Note(Action.UPDATE, f"Authentication set {new.id} preauthorized")
    save(tenant, before, before.moved_to(sets.preauthorise(before.standing, new), now), note)
    return True, before


def _find_by_set(tenant: TenantId, set_id: str) -> Device | None:
    identity_hash = table.identity_of_set(tenant, set_id)
    device = table.find(tenant, identity_hash) if identity_hash else None
    # Between the two reads the set may have been dropped.
    return device if device is not None and device.standing.by_id(set_id) else None


def _by_set(tenant: TenantId, set_id: str) -> Device:
    device = _find_by_set(tenant, set_id)
    if device is None:
        raise NotFound(_NO_SET)
    return device


def _set_of(standing: Standing, set_id: str) -> AuthSet:
    found = standing.by_id(set_id)
    if found is None:
        raise NotFound(_NO_SET)
    return found
