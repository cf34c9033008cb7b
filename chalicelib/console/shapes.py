"""The wire format of the calls that the console's page starts with. Times are RFC 3339."""

from __future__ import annotations

import msgspec

from chalicelib.tenantadm.shapes import Tenant
from chalicelib.useradm.shapes import User


class Server(msgspec.Struct):
    """The server. ``url`` is shown to signed-in users only."""

    name: str
    version: str
    url: str | msgspec.UnsetType = msgspec.UNSET


class Public(msgspec.Struct):
    """``GET public``: the data for the page before anybody signs in."""

    server: Server
    signup: bool
    """Whether anybody may create a trial tenant."""
    mail: bool
    """Whether the server sends mails, such as those that reset a password."""


class Place(msgspec.Struct):
    """A scope of a permission: devices of these static groups, releases with one of these tags; null: all."""

    groups: list[str] | None
    release_tags: list[str] | None


class Call(msgspec.Struct):
    """A permission by path: a method or ``any``, and a path, in which ``.*`` is any text."""

    method: str
    path: str


class Rights(msgspec.Struct):
    """What the user may do. ``permissions``: the scopes of each permission; the user has no others."""

    administrator: bool
    permissions: dict[str, list[Place]]
    calls: list[Call]


class SignedIn(msgspec.Struct):
    """The session. ``expires`` null: never. ``recent``: changing credentials needs no password for now."""

    expires: str | None
    recent: bool


class Limits(msgspec.Struct):
    """Limits of the API that the page uses. ``upload_link``: maximum bytes of a file for one link."""

    upload: int
    upload_link: int
    per_page: int


class Uploads(msgspec.Struct):
    """The origin to which direct uploads go."""

    origin: str


class Session(msgspec.Struct):
    """``GET session``: the data for the page after signing in. ``features`` are the tenant's."""

    user: User
    session: SignedIn
    tenant: Tenant
    features: list[str]
    rights: Rights
    limits: Limits
    server: Server
    signup: bool
    mail: bool
    uploads: Uploads
