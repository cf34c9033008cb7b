"""The table ``useradm``. The forms of its keys are stored data: changing one needs a migration.

| pk | sk | item |
|---|---|---|
| ``T#t#USERS`` | ``<user>`` | a user |
| ``EMAIL#<address>`` | ``EMAIL`` | tenant and user of an address; addresses are unique over all tenants |
| ``T#t#U#<user>`` | ``TOKEN#<jti>`` | a session or personal access token; the JWT itself is not stored |
| ``T#t`` | ``SETTINGS`` | settings that the users of a tenant share |
| ``T#t#U#<user>`` | ``SETTINGS`` | a user's own settings |
| ``T#t#U#<user>`` | ``REQUEST#<purpose>`` | a request that a mailed secret completes; expires |
| ``SECRET#<sha256>`` | ``SECRET`` | tenant and user of a mailed secret; expires |
| ``T#t#SSO`` | ``<provider>`` | an identity provider |
| ``PROVIDER#<provider>`` | ``PROVIDER`` | the tenant of an identity provider |
| ``STATE#<sha256 of the state>`` | ``STATE`` | a login that a browser has started at a provider; expires |
| ``LOGIN#<sha256 of the address>#<network>`` | ``LOGIN`` | failed logins; expires |
| ``LOGIN#<sha256 of the address>#mails`` | ``LOGIN`` | account mails to an address; expires |
| ``LOGIN#<sha256 of the user's id>#2fa`` | ``LOGIN`` | wrong codes of a user's second factor; expires |

A user's ``revision`` counts changes of the user and of their tokens. Changes that end all tokens (a new password, a
deletion) are conditional on the revision that was read, so no token issued at the same time survives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.storage import keys
from chalicelib.storage.base import Item, TableName

if TYPE_CHECKING:
    from chalicelib.storage.keys import TenantId


PERMIT_ALL = "RBAC_ROLE_PERMIT_ALL"
"""The role of users stored before roles existed."""


class UseradmItem(Item):
    """Base of the table's items."""

    class Meta:
        """The table."""

        table_name = TableName("useradm")


def own(tenant: TenantId, user: str) -> str:
    """The partition of a user's own items."""
    return keys.partition(tenant, "U", user)


def user_key(tenant: TenantId, user: str) -> tuple[str, str]:
    """The key of a user."""
    return keys.partition(tenant, "USERS"), keys.sort(user)
