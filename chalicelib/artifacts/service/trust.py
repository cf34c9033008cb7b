"""Which artifacts a tenant trusts: its trusted keys, its policy, and the check of uploads.

Only uploads are checked. So a tenant that begins to demand signatures still has the artifacts of before.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from chalicelib import clock
from chalicelib.artifacts import rules, shapes, views
from chalicelib.artifacts.rules import TrustedKey
from chalicelib.artifacts.tables import trust as trust_table
from chalicelib.auditlogs import service as auditlogs
from chalicelib.auditlogs.service import Action, Object, ObjectType
from chalicelib.errors import BadRequest, NotFound, Unprocessable
from chalicelib.fleet import control, control_items
from chalicelib.fleet.control import TrustPolicy
from chalicelib.observability import Metric, count
from chalicelib.storage.transactions import Transaction, retried

if TYPE_CHECKING:
    from chalicelib.artifacts.container import Signature
    from chalicelib.storage.keys import TenantId

_REFUSED: Final = "the artifact was refused, because this tenant accepts only those that a trusted key has signed: "


def list_keys(tenant: TenantId) -> list[shapes.TrustedKey]:
    """The trusted keys, oldest first."""
    return [views.trusted_key(key) for key in trust_table.find(tenant).keys]


@retried
def add_key(tenant: TenantId, name: str, pem: str) -> str:
    """Trust a public key from now on; returns its id.

    Raises:
        BadRequest: the name is not valid, or ``pem`` is not a public key that artifacts can be signed for.
        Conflict: the key is trusted already, or the name is taken.
        Unprocessable: there are too many.
    """
    # Imported here, as below: most calls of artifacts do not need it.
    from chalicelib.artifacts.container import signatures

    public = signatures.read_key(pem)
    if signatures.is_forgeable(public):
        raise BadRequest("pem: anybody can make signatures for this Ed25519 key; make another one")
    key = TrustedKey(
        id=str(uuid.uuid4()),
        name=rules.check_key_name(name),
        pem=signatures.canonical(public),
        algorithm=signatures.algorithm(public),
        fingerprint=signatures.fingerprint(public),
        created=clock.now(),
    )
    item = trust_table.find(tenant)
    tx = Transaction()
    trust_table.save(tx, item, rules.add_key(item.keys, key))
    auditlogs.record(tx, tenant, Action.CREATE, _audited(key), change=_described(key))
    tx.commit()
    return key.id


@retried
def delete_key(tenant: TenantId, key_id: str) -> None:
    """Trust a key no longer. Artifacts that were uploaded before keep what was found out about them.

    Raises:
        NotFound: there is none with this id.
    """
    item = trust_table.find(tenant)
    gone = next((key for key in item.keys if key.id == key_id), None)
    if gone is None:
        raise NotFound("trusted key not found")
    tx = Transaction()
    trust_table.save(tx, item, [key for key in item.keys if key.id != key_id])
    auditlogs.record(tx, tenant, Action.DELETE, _audited(gone), change=_described(gone))
    tx.commit()


def _audited(key: TrustedKey) -> Object:
    return Object(ObjectType.TRUSTED_KEY, key.id, {"name": key.name})


def _described(key: TrustedKey) -> str:
    return f"{key.algorithm}, fingerprint {key.fingerprint}"


def policy(tenant: TenantId) -> shapes.TrustPolicy:
    """The policy as it is now."""
    found = control.get(tenant, fresh=True).trust
    return shapes.TrustPolicy(found.signatures, found.downgrades)


@retried
def set_policy(tenant: TenantId, wanted: shapes.TrustPolicy) -> None:
    """Replace the policy. Other processes follow it after up to ``settings.control_cache`` seconds."""
    before, after = control.get(tenant, fresh=True).trust, TrustPolicy(wanted.signatures, wanted.downgrades)
    if after == before:
        return
    tx = Transaction()
    control_items.save_trust(tx, tenant, before, after)
    what = Object(ObjectType.SETTINGS, tenant, {"name": "trust policy"})
    changes = [
        f"{name}: {getattr(before, name)} -> {getattr(after, name)}"
        for name in TrustPolicy.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    ]
    auditlogs.record(tx, tenant, Action.UPDATE, what, change="\n".join(changes))
    try:
        tx.commit()
    finally:
        control.forget(tenant)


def check(tx: Transaction, tenant: TenantId, signature: Signature | None) -> shapes.SignatureCheck | None:
    """Find out who has signed an artifact, in the transaction that creates it; None if the tenant does not ask.

    The transaction fails if the trusted keys change meanwhile, so that a key which is deleted at the same time does not
    count.

    Raises:
        Unprocessable: no trusted key has, and the tenant demands it.
    """
    asked = control.get(tenant).trust.signatures
    if asked == "off":
        return None
    # Imported here: see above.
    from chalicelib.artifacts.container import signatures

    item = trust_table.find(tenant)
    trust_table.require(tx, item)
    try:
        key = item.keys[signatures.signer(signature, [signatures.read_key(key.pem) for key in item.keys])]
    except signatures.Untrusted as error:
        if asked == "demand":
            count(Metric.UNTRUSTED_UPLOADS)
            raise Unprocessable(f"{_REFUSED}{error.reason}; sign it with a trusted key, and upload it again") from error
        return shapes.SignatureCheck(trusted=False, reason=error.reason)
    return shapes.SignatureCheck(trusted=True, key_name=key.name, fingerprint=key.fingerprint)


def require_unsigned(tenant: TenantId) -> None:
    """Check that the tenant accepts artifacts without a signature, such as those that the server generates.

    Raises:
        Unprocessable: it does not.
    """
    if control.get(tenant).trust.signatures == "demand":
        count(Metric.UNTRUSTED_UPLOADS)
        raise Unprocessable(f"{_REFUSED}the server has no key to sign what it generates; upload a signed artifact")
