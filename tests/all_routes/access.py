"""What each management route gives access to: the one place where a new route has to say it.

:data:`TABLE` has the routes that give, change or take rights or credentials. :data:`PLAIN` has all others by which
users change something, :data:`READS` those that only read users, roles and tenants. ``test_access.py`` walks them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission

P = Permission

M1, M2 = "/management/v1", "/management/v2"
U1, U2, T2 = f"{M1}/useradm", f"{M2}/useradm", f"{M2}/tenantadm"


class Judged(StrEnum):
    """What the caller's rights must cover, beside having the right that the route asks for."""

    NOTHING = "nothing: it is the caller's own, or of a tenant that is new and empty"
    GIVEN = "the rights that are given"
    BOTH = "the rights that are changed, and those that are given"
    TAKEN = "the rights that are taken"
    ALL = "every right"
    ALL_OF_OWN = "every right, where it is the caller's own tenant"


@dataclass(frozen=True)
class Access:
    """A route that gives, changes or takes rights or credentials."""

    right: P
    sign_in: SignIn
    judged: Judged
    what: str
    password: bool = False
    """Whether the view itself asks for the password, however recent the sign-in."""


TABLE: dict[str, Access] = {
    # Accounts
    f"POST {U1}/users": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.GIVEN, "an account with roles"),
    f"PUT {U1}/users/{{id}}": Access(
        P.USERS_MANAGE, SignIn.SESSION, Judged.BOTH, "roles and address of others, own password and address", True
    ),
    f"POST {U1}/users/{{id}}/invitation": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.TAKEN, "a first password"),
    f"DELETE {U1}/users/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.TAKEN, "an account"),
    f"PUT {U1}/users/me": Access(P.BASIC, SignIn.SESSION, Judged.BOTH, "own password, address and roles", True),
    f"PUT {U2}/users/me": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "own password", True),
    f"POST {U1}/users/me/email-change/start": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "own address", True),
    f"POST {U1}/users/me/email-change/cancel": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "own address, kept"),
    # Second factors and tokens: only one's own
    f"GET {U1}/2faqr": Access(P.BASIC, SignIn.RECENT, Judged.NOTHING, "the secret of the own second factor"),
    f"PUT {U1}/2faverify": Access(P.BASIC, SignIn.RECENT, Judged.NOTHING, "the own second factor"),
    f"POST {U1}/users/me/2fa/enable": Access(P.BASIC, SignIn.RECENT, Judged.NOTHING, "the own second factor"),
    f"POST {U1}/users/me/2fa/disable": Access(P.BASIC, SignIn.FACTOR, Judged.NOTHING, "the own second factor"),
    f"POST {U1}/users/me/2fa/recovery-codes": Access(P.BASIC, SignIn.FACTOR, Judged.NOTHING, "own recovery codes"),
    f"POST {U1}/users/{{id}}/2fa/enable": Access(P.BASIC, SignIn.RECENT, Judged.NOTHING, "the own second factor"),
    f"POST {U1}/users/{{id}}/2fa/disable": Access(P.BASIC, SignIn.FACTOR, Judged.NOTHING, "the own second factor"),
    f"POST {U1}/settings/tokens": Access(P.TOKENS_MANAGE, SignIn.RECENT, Judged.NOTHING, "an own token"),
    # Taking a token back must not have to wait for a password.
    f"DELETE {U1}/settings/tokens/{{id}}": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "an own token, taken"),
    f"DELETE {U1}/users/me/sessions/{{id}}": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "an own session, taken"),
    f"POST {U1}/auth/logout": Access(P.BASIC, SignIn.ANY, Judged.NOTHING, "the token that asks, taken"),
    # Roles
    f"POST {U1}/roles": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.GIVEN, "a role"),
    f"PUT {U1}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.BOTH, "a role"),
    f"DELETE {U1}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.TAKEN, "a role"),
    f"POST {U2}/roles": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.GIVEN, "a role"),
    f"PUT {U2}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.BOTH, "a role"),
    f"DELETE {U2}/roles/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.TAKEN, "a role"),
    f"POST {U2}/permission_sets": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.GIVEN, "a permission set"),
    f"PUT {U2}/permission_sets/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.BOTH, "a permission set"),
    f"DELETE {U2}/permission_sets/{{id}}": Access(P.USERS_MANAGE, SignIn.SESSION, Judged.TAKEN, "a permission set"),
    # Single sign-on
    f"POST {U1}/sso/idp/metadata": Access(P.USERS_MANAGE, SignIn.RECENT, Judged.ALL, "who says who logs in"),
    f"PUT {U1}/sso/idp/metadata/{{id}}": Access(P.USERS_MANAGE, SignIn.RECENT, Judged.ALL, "who says who logs in"),
    f"DELETE {U1}/sso/idp/metadata/{{id}}": Access(P.USERS_MANAGE, SignIn.RECENT, Judged.ALL, "who says who logs in"),
    # Tenants
    f"POST {U1}/users/{{id}}/assign": Access(P.TENANTS_MANAGE, SignIn.SESSION, Judged.BOTH, "rights in other tenants"),
    f"GET {U1}/users/tenants/{{id}}/token": Access(P.BASIC, SignIn.SESSION, Judged.NOTHING, "an own session elsewhere"),
    f"POST {T2}/tenants": Access(P.TENANTS_MANAGE, SignIn.SESSION, Judged.NOTHING, "a child and its administrator"),
    f"PUT {T2}/tenants/{{id}}/child": Access(P.TENANTS_MANAGE, SignIn.ANY, Judged.NOTHING, "limits of a child"),
    f"PUT {T2}/tenants/{{id}}/status": Access(P.TENANTS_MANAGE, SignIn.ANY, Judged.NOTHING, "a child's sessions"),
    f"POST {T2}/tenants/{{id}}/plan": Access(P.TENANTS_MANAGE, SignIn.ANY, Judged.ALL_OF_OWN, "a wish for a plan"),
    f"POST {T2}/tenants/{{id}}/cancel": Access(
        P.TENANTS_MANAGE, SignIn.RECENT, Judged.ALL_OF_OWN, "the end of a tenant", True
    ),
    f"POST {T2}/tenants/{{id}}/remove/start": Access(
        P.TENANTS_MANAGE, SignIn.RECENT, Judged.NOTHING, "the end of a child"
    ),
    f"DELETE {T2}/tenants/{{id}}": Access(P.TENANTS_MANAGE, SignIn.RECENT, Judged.NOTHING, "the end of a child"),
    f"PUT {T2}/settings": Access(P.SETTINGS_MANAGE, SignIn.ANY, Judged.ALL, "how long the audit log is kept"),
}
"""The routes that give, change or take rights or credentials."""


class Reach(StrEnum):
    """What a route changes that neither is a right nor gives one."""

    OWN = "the caller's own"
    PART = "devices, deployments or releases within the caller's scope"
    TENANT = "the whole tenant's: refused to users whose rights end at groups and tags"


PLAIN: dict[str, Reach] = {
    f"POST {U1}/auth/plan-verify": Reach.OWN,
    f"POST {U1}/settings/me": Reach.OWN,
    f"POST {U1}/settings": Reach.TENANT,
    f"POST {M1}/deployments/artifacts": Reach.TENANT,
    f"POST {M1}/deployments/artifacts/directupload": Reach.TENANT,
    f"DELETE {M1}/deployments/artifacts/directupload/{{id}}": Reach.TENANT,
    f"POST {M1}/deployments/artifacts/directupload/{{id}}/complete": Reach.TENANT,
    f"POST {M1}/deployments/artifacts/generate": Reach.TENANT,
    f"DELETE {M1}/deployments/artifacts/{{id}}": Reach.PART,
    f"PUT {M1}/deployments/artifacts/{{id}}": Reach.PART,
    f"PUT {M1}/deployments/config/binary_delta": Reach.TENANT,
    f"POST {M1}/deployments/deployments": Reach.PART,
    f"DELETE {M1}/deployments/deployments/devices/{{id}}": Reach.PART,
    f"DELETE {M1}/deployments/deployments/devices/{{id}}/history": Reach.PART,
    f"POST {M1}/deployments/deployments/group/{{name}}": Reach.PART,
    f"POST {M1}/deployments/deployments/statistics/list": Reach.PART,
    f"PATCH {M1}/deployments/deployments/{{id}}": Reach.PART,
    f"PUT {M1}/deployments/deployments/{{id}}/status": Reach.PART,
    f"POST {M2}/deployments/deployments": Reach.PART,
    f"DELETE {M2}/deployments/deployments/releases": Reach.PART,
    f"PATCH {M2}/deployments/deployments/releases/{{name}}": Reach.PART,
    f"PUT {M2}/deployments/deployments/releases/{{name}}/tags": Reach.PART,
    f"PUT {M1}/deviceconfig/configurations/device/{{id}}": Reach.PART,
    f"POST {M1}/deviceconfig/configurations/device/{{id}}/deploy": Reach.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/check-update": Reach.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/connect/ticket": Reach.PART,
    f"POST {M1}/deviceconnect/devices/{{id}}/send-inventory": Reach.PART,
    f"PUT {M1}/deviceconnect/devices/{{id}}/upload": Reach.PART,
    f"PUT {M1}/devicemonitor/settings/global/channel/alerts/{{name}}/status": Reach.TENANT,
    f"DELETE {M1}/inventory/devices/{{id}}": Reach.PART,
    f"PUT {M1}/inventory/devices/{{id}}/group": Reach.PART,
    f"DELETE {M1}/inventory/devices/{{id}}/group/{{name}}": Reach.PART,
    f"PATCH {M1}/inventory/devices/{{id}}/tags": Reach.PART,
    f"PUT {M1}/inventory/devices/{{id}}/tags": Reach.PART,
    f"DELETE {M1}/inventory/groups/{{name}}": Reach.PART,
    f"DELETE {M1}/inventory/groups/{{name}}/devices": Reach.PART,
    f"PATCH {M1}/inventory/groups/{{name}}/devices": Reach.PART,
    f"POST {M2}/inventory/filters/search": Reach.PART,
    "POST /management/v2alpha1/inventory/identities/search": Reach.PART,
    f"POST {M2}/inventory/filters": Reach.TENANT,
    f"DELETE {M2}/inventory/filters/{{id}}": Reach.TENANT,
    f"PUT {M2}/inventory/filters/{{id}}": Reach.TENANT,
    f"DELETE {M1}/iot-manager/devices/{{deviceId}}": Reach.TENANT,
    f"PUT {M1}/iot-manager/devices/{{deviceId}}/state/{{integrationId}}": Reach.TENANT,
    f"POST {M1}/iot-manager/integrations": Reach.TENANT,
    f"DELETE {M1}/iot-manager/integrations/{{id}}": Reach.TENANT,
    f"PUT {M1}/iot-manager/integrations/{{id}}/credentials": Reach.TENANT,
    f"POST {M1}/iot-manager/integrations/{{id}}/deliveries": Reach.TENANT,
    f"POST {M2}/devauth/auto-auth": Reach.TENANT,
    f"POST {M2}/devauth/devices": Reach.TENANT,
    f"POST {M2}/devauth/devices/search": Reach.PART,
    f"DELETE {M2}/devauth/devices/{{id}}": Reach.PART,
    f"DELETE {M2}/devauth/devices/{{id}}/auth/{{aid}}": Reach.PART,
    f"PUT {M2}/devauth/devices/{{id}}/auth/{{aid}}/status": Reach.PART,
    f"PUT {M2}/devauth/devices/{{id}}/flags": Reach.PART,
    f"DELETE {M2}/devauth/tokens/{{id}}": Reach.PART,
}
"""All other routes by which users change something, or that are called like those."""

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
"""The routes of users, roles and tenants that only read, and show no secret of a user."""
