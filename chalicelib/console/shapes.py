"""What the console's page starts with. Times are RFC 3339."""

from __future__ import annotations

import msgspec

from chalicelib.tenantadm.shapes import Tenant
from chalicelib.useradm.shapes import User


class Server(msgspec.Struct):
    """The server, as anybody may know it. ``url`` only where somebody is signed in."""

    name: str
    version: str
    url: str | msgspec.UnsetType = msgspec.UNSET


class Public(msgspec.Struct):
    """``GET public``: what the page needs to know before anybody signs in."""

    server: Server
    signup: bool
    """Whether strangers may make themselves a tenant on trial."""
    mail: bool
    """Whether the server sends mails, such as those that reset a password."""


class Place(msgspec.Struct):
    """Where a right holds: for devices of these static groups, for releases with one of these tags; null: for all."""

    groups: list[str] | None
    release_tags: list[str] | None


class Call(msgspec.Struct):
    """A right to call by method, or ``any``, and path, in which ``.*`` is any text."""

    method: str
    path: str


class Rights(msgspec.Struct):
    """What the user may do. ``permissions``: by right, where it holds; what is not there the user may not do."""

    administrator: bool
    permissions: dict[str, list[Place]]
    calls: list[Call]


class SignedIn(msgspec.Struct):
    """The session itself. ``expires`` null: never. ``recent``: no password is asked for again, for now."""

    expires: str | None
    recent: bool


class Limits(msgspec.Struct):
    """Of the API, as far as the page heeds them. ``upload_link``: bytes of a file that one link writes."""

    upload: int
    upload_link: int
    per_page: int


class Uploads(msgspec.Struct):
    """The origin that direct uploads go to."""

    origin: str


class Session(msgspec.Struct):
    """``GET session``: what the page needs to know when somebody has signed in. ``features`` are the tenant's."""

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
