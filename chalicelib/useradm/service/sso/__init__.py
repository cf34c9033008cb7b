"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, for each tenant with its own providers.

A provider belongs to one tenant, and all results of a login are looked up in that tenant. The browser that begins a
login holds the PKCE verifier in a cookie; only its hash is stored, with the state that the provider returns. A login
that somebody else began therefore cannot end in this browser, a stolen code is useless, and the stored data are no
secret.
"""

from __future__ import annotations

from chalicelib.useradm.service.sso.logins import Begun, complete, of_user, start
from chalicelib.useradm.service.sso.providers import create, delete, get, listed, places, update
from chalicelib.useradm.tables.providers import Provider

__all__ = [
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
