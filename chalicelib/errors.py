"""Expected errors, one class for each HTTP status that they become.

    DomainError
    ├── BadRequest            400  the request is malformed or breaks a rule of its own
    ├── Unauthorized          401  no valid token, or the device or user behind it is gone
    ├── Forbidden             403  a valid token without the right to do this
    ├── NotFound              404  there is no such thing in the caller's tenant
    ├── MethodNotAllowed      405  the operation is disabled, or not possible in the present state
    ├── Conflict              409  the change is not possible in the present state
    ├── Gone                  410  it existed and has expired
    ├── PreconditionFailed    412  If-Match named another version
    ├── TooLarge              413  the request exceeds a limit of size
    ├── UnsupportedMediaType  415  the operation does not read bodies of this type
    ├── Unprocessable         422  well formed, but it cannot be done
    ├── TooManyRequests       429  try again after `retry_after` seconds
    └── Unavailable           503  a store did not answer in time; try again later
        └── SwitchedOff       503  an admin of the server has switched it off for now

Services and rules raise these; ``http.endpoint``, and for websockets ``events.websocket``, turns them into responses.
A 401 makes a device ask for a new token and a browser UI log out, so a missing right is always 403, never 401.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """An expected error. The caller sees ``text``, so it must contain no secret and nothing of another tenant.

    ``extra`` adds members to the body (``{"metadata": ...}``). ``body`` replaces the whole body, as where a
    preauthorization conflicts with a known device. ``headers`` are added to the answer.
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
    """The request is malformed or not valid in itself."""

    status = 400


class Unauthorized(DomainError):
    """There is no valid token, or its device or user no longer exists."""

    status = 401


class Forbidden(DomainError):
    """The caller is known but lacks the permission."""

    status = 403


class NotFound(DomainError):
    """There is no such thing in the caller's tenant."""

    status = 404


class MethodNotAllowed(DomainError):
    """The operation is disabled, or not possible in the present state (the status that Mender uses)."""

    status = 405


class Conflict(DomainError):
    """The change is not possible in the present state."""

    status = 409


class Gone(DomainError):
    """The requested thing has expired."""

    status = 410


class PreconditionFailed(DomainError):
    """``If-Match`` named another version than the stored one."""

    status = 412


class TooLarge(DomainError):
    """The request exceeds a limit of size."""

    status = 413


class UnsupportedMediaType(DomainError):
    """The operation does not read bodies of this type."""

    status = 415


class Unprocessable(DomainError):
    """The request is well formed, but cannot be carried out."""

    status = 422


class TooManyRequests(DomainError):
    """The caller must wait ``retry_after`` whole seconds."""

    status = 429

    def __init__(self, text: str = "too many requests", *, retry_after: int) -> None:
        super().__init__(text, headers={"Retry-After": str(retry_after)})


class Unavailable(DomainError):
    """A store did not answer in time, or a change lost too many races against other writers.

    Without ``retry_after``, each answer gets a random number of seconds.
    """

    status = 503

    def __init__(self, text: str = "service unavailable", *, retry_after: int | None = None) -> None:
        super().__init__(text, headers={} if retry_after is None else {"Retry-After": str(retry_after)})


class SwitchedOff(Unavailable):
    """An admin has switched this off on purpose (``fleet.switches``), so it does not count as an outage."""

    def __init__(self, text: str) -> None:
        super().__init__(text, retry_after=300)
