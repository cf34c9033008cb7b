"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, for each tenant with its own providers.

A provider belongs to one tenant, and whatever a login ends in is looked up in that tenant: its id alone opens
nothing. The browser that begins a login holds the PKCE verifier in a cookie; only the verifier's hash is stored, with
the state that the provider sends back. So a login that somebody else began does not end in this browser, a stolen
code is worth nothing, and what is stored is no secret.
"""

from __future__ import annotations

from chalicelib.useradm.service.sso.logins import Begun, complete, of_user, start
from chalicelib.useradm.service.sso.providers import KIND, create, delete, get, listed, places, update
from chalicelib.useradm.tables.providers import Provider

__all__ = [
    "KIND",
    "Begun",
    "Provider",
    "complete",
    "create",
    "delete",
    "get",
    "listed",
    "of_user",
    "places",
    "start",
    "update",
]
