"""The data that the console's page starts with: one call before and one after signing in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import chalicelib
from chalicelib import limits, settings
from chalicelib.aws import links
from chalicelib.clock import rfc3339
from chalicelib.console import shapes
from chalicelib.features import Feature
from chalicelib.fleet import control
from chalicelib.rights import Permission, groups_of
from chalicelib.tenantadm import service as tenantadm
from chalicelib.useradm import service as useradm

if TYPE_CHECKING:
    from chalicelib.rights import Rights, Scope
    from chalicelib.storage.keys import TenantId

NAME = "Lamplighter"


def public() -> shapes.Public:
    """The data that anybody may see."""
    known = settings.current()
    return shapes.Public(shapes.Server(NAME, chalicelib.__version__), signup=known.signup, mail=bool(known.mail_from))


def session(  # the caller, the token, the address
    home: TenantId, user_id: str, tenant: TenantId, rights: Rights, *, expires: float | None, recent: bool, url: str
) -> shapes.Session:
    """The data for a user of ``home`` who works in ``tenant`` with these rights.

    ``expires``: when the session expires, in seconds since 1970; None: never. ``recent``: whether its user signed in
    recently. ``url``: of this server, as the caller addressed it.

    Raises:
        NotFound: the user or the tenant was deleted.
    """
    known = public()
    item = control.get(tenant)
    may_see = groups_of(rights.scopes(Permission.DEVICES_READ))
    has_token = groups_of(rights.scopes(Permission.DEVICES_MANAGE)) is None
    return shapes.Session(
        user=useradm.caller(home, user_id, tenant),
        session=shapes.SignedIn(
            expires=None if expires is None else rfc3339(datetime.fromtimestamp(expires, UTC)), recent=recent
        ),
        tenant=tenantadm.describe(tenant, token=has_token, tiers=True, groups=may_see),
        features=[feature for feature in Feature if item.includes(feature)],
        rights=_rights(rights),
        limits=shapes.Limits(limits.ARTIFACT_UPLOAD, limits.UPLOAD_LINK, limits.PER_PAGE_MAX),
        server=shapes.Server(known.server.name, known.server.version, url),
        signup=known.signup,
        mail=known.mail,
        uploads=shapes.Uploads(links.origin()),
    )


def _rights(rights: Rights) -> shapes.Rights:
    scopes = {permission: rights.scopes(permission) for permission in Permission}
    return shapes.Rights(
        administrator=rights.has_everything,
        permissions={str(each): [_place(scope) for scope in found] for each, found in scopes.items() if found},
        calls=[shapes.Call(each.method, each.path) for grant in rights.grants for each in grant.calls],
    )


def _place(scope: Scope) -> shapes.Place:
    groups, tags = scope.groups, scope.release_tags
    return shapes.Place(
        groups=None if groups is None else sorted(groups), release_tags=None if tags is None else sorted(tags)
    )
