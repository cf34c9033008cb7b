"""Every expected refusal, as one tree, by the HTTP status it becomes.

    DomainError
    ├── BadRequest            400  the request is malformed or breaks a rule of its own
    ├── Unauthorized          401  no valid token, or the device or user behind it is gone
    ├── Forbidden             403  a valid token without the right to do this
    ├── NotFound              404  nothing of that name in the caller's tenant
    ├── MethodNotAllowed      405  the operation is switched off, or the state of the thing has no room for it
    ├── Conflict              409  the state of the thing forbids it
    ├── Gone                  410  it was there, and its time is over
    ├── PreconditionFailed    412  If-Match named another version
    ├── TooLarge              413  a bound on size was passed
    ├── UnsupportedMediaType  415  the body is of a kind this operation does not read
    ├── Unprocessable         422  well formed, but it can't be done
    ├── TooManyRequests       429  come back after `retry_after` seconds
    └── Unavailable           503  a store did not answer in time; come back later
        └── SwitchedOff       503  the server's operator has switched it off for now

Services and rules raise these; ``http.endpoint``, and for websockets ``events.websocket``, turns them into responses.
A 401 makes a device ask for a new token and a browser UI log out, so a missing right is always 403, never 401.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """An expected refusal. ``text`` is shown to the caller: no secret, no identity of another tenant.

    ``extra`` are further members of the body (``{"metadata": ...}``); ``body``, where given, replaces the
    whole error body (preauthorisation answers a conflict with the device itself); ``headers`` are added.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        text: str,
        *,
        extra: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.extra = extra or {}
        self.body = body
        self.headers = headers or {}


class BadRequest(DomainError):
    """The request is malformed or breaks a rule of its own."""

    status = 400


class Unauthorized(DomainError):
    """There is no valid token, or what it stands for is gone."""

    status = 401


class Forbidden(DomainError):
    """The caller is known and may not do this."""

    status = 403


class NotFound(DomainError):
    """Nothing of that name exists in the caller's tenant."""

    status = 404


class MethodNotAllowed(DomainError):
    """The operation is switched off, or the state of the thing has no room for it (Mender's choice of status)."""

    status = 405


class Conflict(DomainError):
    """The state of the thing forbids the change."""

    status = 409


class Gone(DomainError):
    """What was asked for has expired."""

    status = 410


class PreconditionFailed(DomainError):
    """``If-Match`` named another version than the stored one."""

    status = 412


class TooLarge(DomainError):
    """A bound on size was passed."""

    status = 413


class UnsupportedMediaType(DomainError):
    """The body is of a kind that this operation does not read."""

    status = 415


class Unprocessable(DomainError):
    """Well formed, but it can't be done."""

    status = 422


class TooManyRequests(DomainError):
    """The caller must wait ``retry_after`` whole seconds."""

    status = 429

    def __init__(self, text: str = "too many requests", *, retry_after: int) -> None:
        super().__init__(text, headers={"Retry-After": str(retry_after)})


class Unavailable(DomainError):
    """A store did not answer in time, or conflicting writers did not let us through.

    Without ``retry_after``, the seconds to come back after are drawn for each answer.
    """

    status = 503

    def __init__(self, text: str = "service unavailable", *, retry_after: int | None = None) -> None:
        super().__init__(text, headers={} if retry_after is None else {"Retry-After": str(retry_after)})


class SwitchedOff(Unavailable):
    """The server's operator has switched this off (``fleet.switches``). Counted as no outage: it is on purpose."""

    def __init__(self, text: str) -> None:
        super().__init__(text, retry_after=300)
