"""What a view is given and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO, Final, Generic, TypeVar

import msgspec

from chalicelib import limits, settings
from chalicelib.errors import BadRequest
from chalicelib.http import body as bodies
from chalicelib.http import cookies
from chalicelib.http.identity import Identity
from chalicelib.rights import Scopes, groups_of, release_tags_of

if TYPE_CHECKING:
    from chalicelib.fleet.tables import DeviceHead
    from chalicelib.storage.keys import TenantId

Body = TypeVar("Body")


EDGE: Final = "x-lamplighter-edge"
"""Header by which an edge shows ``settings.edge_secret``."""


class Query(msgspec.Struct, frozen=True):
    """Query parameters, decoded; a parameter may be given several times."""

    multi: Mapping[str, list[str]]

    def get(self, name: str) -> str | None:
        """The first value of a parameter."""
        values = self.multi.get(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """All values of a parameter, in order.

        Raises:
            BadRequest: there are too many.
        """
        values = self.multi.get(name, [])
        if len(values) > limits.QUERY_VALUES:
            raise BadRequest(f"{name}: too many values (max: {limits.QUERY_VALUES})")
        return list(values)

    def flag(self, name: str) -> bool | None:
        """A boolean parameter as Go reads one; None when absent or no boolean."""
        value = (self.get(name) or "").lower()
        if value in {"1", "t", "true"}:
            return True
        return False if value in {"0", "f", "false"} else None


class Request(msgspec.Struct):
    """One call. ``path`` is the public one, ``/api/...``; header names are lower case."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    raw: bytes
    request_id: str
    gateway_id: str
    source_ip: str
    answer_limit: int
    """Bytes that the front door takes of an answer."""

    @property
    def server(self) -> str:
        """Where the caller reaches this server, ``https://host``: what the settings say, else how it was called."""
        known = settings.current().public_url
        if known:
            return known.rstrip("/")
        host = self.headers.get("x-forwarded-host") or self.headers.get("host") or ""
        return f"{self.headers.get('x-forwarded-proto') or 'https'}://{host}"

    @property
    def is_through_edge(self) -> bool:
        """Whether the call says that it came through an edge. Anybody may say so: it is no proof of anything."""
        return EDGE in self.headers

    def stream(self) -> BinaryIO:
        """The body as a stream; the only way to read one that is larger than a Lambda event."""
        return bodies.open_body(self.gateway_id, self.raw)


class DeviceRequest(Request, kw_only=True):
    """A call by an accepted device."""

    identity: Identity

    @property
    def tenant(self) -> TenantId:
        """The tenant of the verified token."""
        return self.identity.tenant

    @property
    def device(self) -> DeviceHead:
        """The device's head item."""
        return self.identity.device


class UserRequest(Request, kw_only=True):
    """A call by a user who has the route's permission."""

    identity: Identity
    scopes: Scopes = ()
    """Where the user has that permission. What has both devices and releases, a deployment, must be within one of
    these; all else asks for ``groups`` or ``release_tags``."""
    has_shown: bool = False
    """Whether the request carries its user's password, or a code, and it is the right one."""

    @property
    def tenant(self) -> TenantId:
        """The tenant of the verified token."""
        return self.identity.tenant

    @property
    def groups(self) -> frozenset[str] | None:
        """The static groups whose devices the user may reach by this route; None: every device of the tenant.

        A view hands this to each service that finds devices by anything but a path variable that ``within`` names.
        """
        return groups_of(self.scopes)

    @property
    def release_tags(self) -> frozenset[str] | None:
        """The tags whose releases the user may reach by this route; None: every release of the tenant."""
        return release_tags_of(self.scopes)


class Reply(msgspec.Struct, Generic[Body]):
    """What a view answers. ``body``: None for no body, ``str`` as it is, anything else becomes JSON.

    A view's return annotation says which statuses and bodies it answers with, and the API's description is written from
    it (``infra.scripts.openapi``): ``Reply[Shape]`` is a 200, the types below stand for other statuses.
    """

    status: int = 200
    body: Body | None = None
    headers: Mapping[str, str | list[str]] = {}
    content_type: str = "application/json"


class Created(Reply[None]):
    """201 without a body."""

    status: int = 201


class Accepted(Reply[None]):
    """202 without a body."""

    status: int = 202


class AcceptedWith(Reply[Body], Generic[Body]):
    """202 with a body."""

    status: int = 202


class NoContent(Reply[None]):
    """204."""

    status: int = 204


class Redirect(Reply[None]):
    """302."""

    status: int = 302


class Absent(Reply[None]):
    """404 without a body."""

    status: int = 404


class Existing(Reply[Body], Generic[Body]):
    """409 with what there is already."""

    status: int = 409


class Jwt(Reply[str]):
    """200 with a bare token."""

    content_type: str = "application/jwt"


def created(location: str | None = None) -> Created:
    """201, usually with the new thing's place; clients read the id from its last segment."""
    return Created(headers={"Location": location} if location else {})


def accepted(location: str | None = None) -> Accepted:
    """202: done, or begun; with the place of a new thing where there is one."""
    return Accepted(headers={"Location": location} if location else {})


def no_content(headers: Mapping[str, str | list[str]] | None = None) -> NoContent:
    """204."""
    return NoContent(headers=headers or {})


def jwt(token: str) -> Jwt:
    """200 with a bare token: no newline, no quotes. Clients put the body into a header as it is."""
    return Jwt(body=token)


def signed_in(token: str, *, life: int | None = None) -> NoContent:
    """204 with a token in a cookie (``http.cookies``), and nowhere else. ``life``: as for ``cookies.begin``."""
    return NoContent(headers={"Set-Cookie": cookies.begin(token, life=life), "Cache-Control": "no-store"})
