"""What each management route gives access to. A new route has to be added here.

:data:`TABLE` lists the routes that give, change or take permissions or credentials, :data:`PLAIN` all other routes that
change something, and :data:`READS` routes that only read users, roles or tenants. ``test_access.py`` calls them all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission

P = Permission

M1, M2 = "/management/v1", "/management/v2"
U1, U2, T2 = f"{M1}/useradm", f"{M2}/useradm", f"{M2}/tenantadm"


class Covers(StrEnum):
    """Which permissions the caller must have, in addition to the one that the route requires."""

    NOTHING = "nothing: it belongs to the caller, or to a new and empty tenant"
    GIVEN = "the permissions that are given"
    BOTH = "the permissions that are changed, and those that are given"
    TAKEN = "the permissions that are taken"
    ALL = "all permissions"
    ALL_OF_OWN = "all permissions, if it is the caller's own tenant"


@dataclass(frozen=True)
class Access:
    """A route that gives, changes or takes permissions or credentials."""

    permission: P
    sign_in: SignIn
    covers: Covers
    what: str
    password: bool = False
    """Whether the route asks for the password even after a recent sign-in."""


TABLE: dict[str, Access] = {
    # Accounts
    f"POST {U1}/users": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.GIVEN, "an account with roles"),
    f"PUT {U1}/users/{{id}}": Access(
        P.USERS_MANAGE, SignIn.SESSION, Covers.BOTH, "roles and address of others, own password and address", True
    ),
    f"POST {U1}/users/{{id}}/invitation": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.TAKEN, "a first password"),
    f"DELETE {U1}/users/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.TAKEN, "an account"),
    f"PUT {U1}/users/me": Access(P.BASIC, SignIn.SESSION, Covers.BOTH, "own password, address and roles", True),
    f"PUT {U2}/users/me": Access(P.BASIC, SignIn.SESSION, Covers.NOTHING, "own password", True),
    f"POST {U1}/users/me/email-change/start": Access(P.BASIC, SignIn.SESSION, Covers.NOTHING, "own address", True),
    f"POST {U1}/users/me/email-change/cancel": Access(
        P.BASIC, SignIn.SESSION, Covers.NOTHING, "cancels an address change"
    ),
    # Second factors and tokens: only the caller's own
    f"GET {U1}/2faqr": Access(P.BASIC, SignIn.RECENT, Covers.NOTHING, "the secret of own second factor"),
    f"PUT {U1}/2faverify": Access(P.BASIC, SignIn.RECENT, Covers.NOTHING, "own second factor"),
    f"POST {U1}/users/me/2fa/enable": Access(P.BASIC, SignIn.RECENT, Covers.NOTHING, "own second factor"),
    f"POST {U1}/users/me/2fa/disable": Access(P.BASIC, SignIn.FACTOR, Covers.NOTHING, "own second factor"),
    f"POST {U1}/users/me/2fa/recovery-codes": Access(P.BASIC, SignIn.FACTOR, Covers.NOTHING, "own recovery codes"),
    f"POST {U1}/users/{{id}}/2fa/enable": Access(P.BASIC, SignIn.RECENT, Covers.NOTHING, "own second factor"),
    f"POST {U1}/users/{{id}}/2fa/disable": Access(P.BASIC, SignIn.FACTOR, Covers.NOTHING, "own second factor"),
    f"POST {U1}/settings/tokens": Access(P.TOKENS_MANAGE, SignIn.RECENT, Covers.NOTHING, "an own token"),
    # Revoking a token must not require a password first.
    f"DELETE {U1}/settings/tokens/{{id}}": Access(P.BASIC, SignIn.SESSION, Covers.NOTHING, "revokes an own token"),
    f"POST {U1}/auth/logout": Access(P.BASIC, SignIn.ANY, Covers.NOTHING, "ends the caller's own session"),
    # Roles
    f"POST {U1}/roles": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.GIVEN, "a role"),
    f"PUT {U1}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.BOTH, "a role"),
    f"DELETE {U1}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.TAKEN, "a role"),
    f"POST {U2}/roles": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.GIVEN, "a role"),
    f"PUT {U2}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.BOTH, "a role"),
    f"DELETE {U2}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.TAKEN, "a role"),
    f"POST {U2}/permission_sets": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.GIVEN, "a permission set"),
    f"PUT {U2}/permission_sets/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.BOTH, "a permission set"),
    f"DELETE {U2}/permission_sets/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Covers.TAKEN, "a permission set"),
    # Single sign-on
    f"POST {U1}/sso/idp/metadata": Access(P.USERS_MANAGE, SignIn.RECENT, Covers.ALL, "the identity provider"),
    f"PUT {U1}/sso/idp/metadata/{{id}}": Access(P.USERS_MANAGE, SignIn.RECENT, Covers.ALL, "the identity provider"),
    f"DELETE {U1}/sso/idp/metadata/{{id}}": Access(P.USERS_MANAGE, SignIn.RECENT, Covers.ALL, "the identity provider"),
    # Tenants
    f"POST {U1}/users/{{id}}/assign": Access(P.TENANTS_MANAGE, SignIn.SESSION, Covers.BOTH, "rights in other tenants"),
    f"GET {U1}/users/tenants/{{id}}/token": Access(
        P.BASIC, SignIn.SESSION, Covers.NOTHING, "an own session in another tenant"
    ),
    f"POST {T2}/tenants": Access(P.TENANTS_MANAGE, SignIn.SESSION, Covers.NOTHING, "a child and its administrator"),
    f"PUT {T2}/tenants/{{id}}/child": Access(P.TENANTS_MANAGE, SignIn.ANY, Covers.NOTHING, "limits of a child"),
    f"PUT {T2}/tenants/{{id}}/status": Access(P.TENANTS_MANAGE, SignIn.ANY, Covers.NOTHING, "a child's sessions"),
    f"POST {T2}/tenants/{{id}}/plan": Access(P.TENANTS_MANAGE, SignIn.ANY, Covers.ALL_OF_OWN, "a request for a plan"),
    f"POST {T2}/tenants/{{id}}/cancel": Access(
        P.TENANTS_MANAGE, SignIn.RECENT, Covers.ALL_OF_OWN, "removal of the tenant", True
    ),
    f"POST {T2}/tenants/{{id}}/remove/start": Access(
        P.TENANTS_MANAGE, SignIn.RECENT, Covers.NOTHING, "removal of a child"
    ),
    f"DELETE {T2}/tenants/{{id}}": Access(P.TENANTS_MANAGE, SignIn.RECENT, Covers.NOTHING, "removal of a child"),
    f"POST {M1}/deployments/trust/keys": Access(
        P.SETTINGS_MANAGE, SignIn.RECENT, Covers.NOTHING, "whose artifacts are trusted"
    ),
    f"DELETE {M1}/deployments/trust/keys/{{id}}": Access(
        P.SETTINGS_MANAGE, SignIn.SESSION, Covers.NOTHING, "whose artifacts are trusted"
    ),
    f"PUT {M1}/deployments/trust/policy": Access(
        P.SETTINGS_MANAGE, SignIn.RECENT, Covers.NOTHING, "whether artifacts have to be trusted"
    ),
    f"PUT {T2}/settings": Access(P.SETTINGS_MANAGE, SignIn.ANY, Covers.ALL, "how long the audit log is kept"),
}
"""Routes that give, change or take permissions or credentials."""


class Affects(StrEnum):
    """What a route changes, if it changes neither permissions nor credentials."""

    OWN = "the caller's own"
    PART = "devices, deployments or releases within the caller's scope"
    TENANT = "the whole tenant: refused to users whose roles have a scope"


PLAIN: dict[str, Affects] = {
    f"POST {U1}/auth/plan-verify": Affects.OWN,
    f"POST {U1}/settings/me": Affects.OWN,
    f"POST {U1}/settings": Affects.TENANT,
    f"POST {M1}/deployments/artifacts": Affects.TENANT,
    f"POST {M1}/deployments/artifacts/directupload": Affects.TENANT,
    f"DELETE {M1}/deployments/artifacts/directupload/{{id}}": Affects.TENANT,
    f"POST {M1}/deployments/artifacts/directupload/{{id}}/complete": Affects.TENANT,
    f"POST {M1}/deployments/artifacts/generate": Affects.TENANT,
    f"DELETE {M1}/deployments/artifacts/{{id}}": Affects.PART,
    f"PUT {M1}/deployments/artifacts/{{id}}": Affects.PART,
    f"PUT {M1}/deployments/config/binary_delta": Affects.TENANT,
    f"POST {M1}/deployments/deployments": Affects.PART,
    f"DELETE {M1}/deployments/deployments/devices/{{id}}": Affects.PART,
    f"DELETE {M1}/deployments/deployments/devices/{{id}}/history": Affects.PART,
    f"POST {M1}/deployments/deployments/group/{{name}}": Affects.PART,
    f"POST {M1}/deployments/deployments/statistics/list": Affects.PART,
    f"PATCH {M1}/deployments/deployments/{{id}}": Affects.PART,
    f"POST {M1}/deployments/deployments/{{id}}/approval": Affects.PART,
    f"POST {M1}/deployments/deployments/{{id}}/rollout": Affects.PART,
    f"PUT {M1}/deployments/deployments/{{id}}/status": Affects.PART,
    f"POST {M1}/deployments/deployments/{{id}}/retry": Affects.PART,
    f"POST {M2}/deployments/deployments": Affects.PART,
    f"DELETE {M2}/deployments/deployments/releases": Affects.PART,
    f"PATCH {M2}/deployments/deployments/releases/{{name}}": Affects.PART,
    f"PUT {M2}/deployments/deployments/releases/{{name}}/tags": Affects.PART,
    f"PUT {M1}/deviceconfig/configurations/device/{{id}}": Affects.PART,
    f"POST {M1}/deviceconfig/configurations/device/{{id}}/deploy": Affects.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/check-update": Affects.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/connect/ticket": Affects.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/send-inventory": Affects.PART,
    f"PUT {M1}/deviceconnect/devices/{{id}}/upload": Affects.PART,
    f"PUT {M1}/devicemonitor/settings/global/channel/alerts/{{name}}/status": Affects.TENANT,
    f"DELETE {M1}/inventory/devices/{{id}}": Affects.PART,
    f"PUT {M1}/inventory/devices/{{id}}/group": Affects.PART,
    f"DELETE {M1}/inventory/devices/{{id}}/group/{{name}}": Affects.PART,
    f"PATCH {M1}/inventory/devices/{{id}}/tags": Affects.PART,
    f"PUT {M1}/inventory/devices/{{id}}/tags": Affects.PART,
    f"DELETE {M1}/inventory/groups/{{name}}": Affects.PART,
    f"DELETE {M1}/inventory/groups/{{name}}/devices": Affects.PART,
    f"PATCH {M1}/inventory/groups/{{name}}/devices": Affects.PART,
    f"POST {M2}/inventory/filters/search": Affects.PART,
    "POST /management/v2alpha1/inventory/identities/search": Affects.PART,
    f"POST {M2}/inventory/filters": Affects.TENANT,
    f"DELETE {M2}/inventory/filters/{{id}}": Affects.TENANT,
    f"PUT {M2}/inventory/filters/{{id}}": Affects.TENANT,
    f"DELETE {M1}/iot-manager/devices/{{deviceId}}": Affects.TENANT,
    f"PUT {M1}/iot-manager/devices/{{deviceId}}/state/{{integrationId}}": Affects.TENANT,
    f"POST {M1}/iot-manager/integrations": Affects.TENANT,
    f"DELETE {M1}/iot-manager/integrations/{{id}}": Affects.TENANT,
    f"PUT {M1}/iot-manager/integrations/{{id}}/credentials": Affects.TENANT,
    f"POST {M1}/iot-manager/events": Affects.TENANT,
    f"DELETE {M2}/devauth/acceptance/identities": Affects.TENANT,
    f"POST {M2}/devauth/acceptance/identities": Affects.TENANT,
    f"DELETE {M2}/devauth/acceptance/identities/{{id}}": Affects.TENANT,
    f"POST {M2}/devauth/acceptance/preview": Affects.TENANT,
    f"POST {M2}/devauth/acceptance/rules": Affects.TENANT,
    f"DELETE {M2}/devauth/acceptance/rules/{{id}}": Affects.TENANT,
    f"PUT {M2}/devauth/acceptance/rules/{{id}}": Affects.TENANT,
    f"POST {M2}/devauth/auto-auth": Affects.TENANT,
    f"POST {M2}/devauth/devices": Affects.TENANT,
    f"POST {M2}/devauth/devices/search": Affects.PART,
    f"DELETE {M2}/devauth/devices/{{id}}": Affects.PART,
    f"DELETE {M2}/devauth/devices/{{id}}/auth/{{aid}}": Affects.PART,
    f"PUT {M2}/devauth/devices/{{id}}/auth/{{aid}}/status": Affects.PART,
    f"PUT {M2}/devauth/devices/{{id}}/flags": Affects.PART,
    f"DELETE {M2}/devauth/tokens/{{id}}": Affects.PART,
}
"""All other routes that change something, or whose method usually does."""

READS = {
    f"GET {M1}/tenantadm/user/tenant",
    f"GET {T2}/metrics",
    f"GET {T2}/settings",
    f"GET {T2}/tenants",
    f"GET {T2}/tenants/me",
    f"GET {U1}/limits",
    f"GET {U1}/plan_binding",
    f"GET {U1}/plans",
    f"GET {U1}/roles",
    f"GET {U1}/roles/{{id}}",
    f"GET {U1}/settings",
    f"GET {U1}/settings/me",
    f"GET {U1}/settings/tokens",
    f"GET {U1}/sso/idp/metadata",
    f"GET {U1}/sso/idp/metadata/{{id}}",
    f"GET {U1}/sso/sp/metadata/{{id}}",
    f"GET {U1}/users",
    f"GET {U1}/users/exists",
    f"GET {U1}/users/me",
    f"GET {U1}/users/me/email-change/pending",
    f"GET {U1}/users/me/sessions",
    f"GET {U1}/users/{{id}}",
    f"GET {U2}/permission_sets",
    f"GET {U2}/permission_sets/{{id}}",
    f"GET {U2}/roles",
    f"GET {U2}/roles/{{id}}",
}
"""Routes of users, roles and tenants that only read, and show no secret of a user."""
