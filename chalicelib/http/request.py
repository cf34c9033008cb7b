"""The requests that views get, and the replies that they return."""

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
    from chalicelib.fleet.head import Head
    from chalicelib.storage.keys import TenantId

Body = TypeVar("Body")


EDGE: Final = "x-lamplighter-edge"
"""The header with the edge's secret (``settings.edge_secret``)."""


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
        """A boolean parameter as Go reads it; None if it is absent or not a boolean."""
        value = (self.get(name) or "").lower()
        if value in {"1", "t", "true"}:
            return True
        return False if value in {"0", "f", "false"} else None


class Request(msgspec.Struct):
    """One request. ``path`` is the public path, ``/api/...``; names of headers are in lower case."""

    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    raw: bytes
    request_id: str
    gateway_id: str
    source_ip: str
    answer_limit: int
    """Maximum bytes of an answer at this gateway."""

    @property
    def server(self) -> str:
        """This server's address for the caller, ``https://host``: from the settings, or as the caller addressed it."""
        known = settings.current().public_url
        if known:
            return known.rstrip("/")
        host = self.headers.get("x-forwarded-host") or self.headers.get("host") or ""
        return f"{self.headers.get('x-forwarded-proto') or 'https'}://{host}"

    @property
    def is_through_edge(self) -> bool:
        """Whether the request claims to come through the edge. Anybody can claim that; it proves nothing."""
        return EDGE in self.headers

    def stream(self) -> BinaryIO:
        """The body as a stream, which is the only way to read one that is larger than a Lambda event."""
        return bodies.open_body(self.gateway_id, self.raw)


class DeviceRequest(Request, kw_only=True):
    """A call by an accepted device."""

    identity: Identity

    @property
    def tenant(self) -> TenantId:
        """The tenant of the verified token."""
        return self.identity.tenant

    @property
    def device(self) -> Head:
        """The device's head item."""
        return self.identity.device


class UserRequest(Request, kw_only=True):
    """A call by a user who has the route's permission."""

    identity: Identity
    scopes: Scopes = ()
    """The scopes of that permission. A deployment, which has both devices and a release, must be within one of them;
    for everything else use ``groups`` or ``release_tags``."""
    has_shown: bool = False
    """Whether the request contains the user's correct password, or a valid code."""

    @property
    def tenant(self) -> TenantId:
        """The tenant of the verified token."""
        return self.identity.tenant

    @property
    def groups(self) -> frozenset[str] | None:
        """The static groups whose devices the user may reach by this route; None: every device of the tenant.

        A handler passes this to each service that finds devices in other ways than by a path variable in ``within``.
        """
        return groups_of(self.scopes)

    @property
    def release_tags(self) -> frozenset[str] | None:
        """The tags whose releases the user may reach by this route; None: every release of the tenant."""
        return release_tags_of(self.scopes)


class Reply(msgspec.Struct, Generic[Body]):
    """The answer of a handler. ``body``: None for no body, ``str`` as it is, anything else as JSON.

    The API's description gets the statuses and bodies of a handler from its return annotation
    (``infra.scripts.openapi``): ``Reply[Shape]`` is a 200, the types below are other statuses.
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
    """409 with the existing thing."""

    status: int = 409


class Csv(Reply[str]):
    """200 with a table."""

    content_type: str = "text/csv"


class JsonLines(Reply[str]):
    """200 with a JSON document in each line."""

    content_type: str = "application/x-ndjson"


class Jwt(Reply[str]):
    """200 with a bare token."""

    content_type: str = "application/jwt"


def created(location: str | None = None) -> Created:
    """201, usually with a ``Location``; clients read the new id from its last segment."""
    return Created(headers={"Location": location} if location else {})


def accepted(location: str | None = None) -> Accepted:
    """202: done or begun, with a ``Location`` if something new was made."""
    return Accepted(headers={"Location": location} if location else {})


def no_content(headers: Mapping[str, str | list[str]] | None = None) -> NoContent:
    """204."""
    return NoContent(headers=headers or {})


def jwt(token: str) -> Jwt:
    """200 with a bare token, without newline and quotes, because clients put the body into a header as it is."""
    return Jwt(body=token)


def signed_in(token: str, *, life: int | None = None) -> NoContent:
    """204 with a token only in a cookie (``http.cookies``). ``life``: as in ``cookies.begin``."""
    return NoContent(headers={"Set-Cookie": cookies.begin(token, life=life), "Cache-Control": "no-store"})
