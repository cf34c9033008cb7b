"""Expected errors, by what they mean. ``http.refusals`` says how each is answered.

Services and rules raise these, with facts as attributes. No one sets the status or a header of an answer here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class DomainError(Exception):
    """An expected error. The caller sees ``text``, so it must contain no secret and nothing of another tenant."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class BadRequest(DomainError):
    """The request is malformed or not valid in itself."""


class Unauthorized(DomainError):
    """There is no valid token, or its device or user no longer exists."""


class InvalidToken(Unauthorized):
    """The token of a request that needs one is missing, not valid, or revoked."""


class Forbidden(DomainError):
    """The caller is known but lacks the permission.

    The default text is for whatever a user's roles do not allow. It is the same whether the thing exists or not.
    """

    def __init__(self, text: str = "forbidden: your roles do not allow this; ask an administrator") -> None:
        super().__init__(text)


class NotFound(DomainError):
    """There is no such thing in the caller's tenant."""


class MethodNotAllowed(DomainError):
    """The operation is disabled, or not possible in the present state (the status that Mender uses)."""


class Conflict(DomainError):
    """The change is not possible in the present state."""


class ArtifactExists(Conflict):
    """An artifact with the same name and dependencies exists; ``shared`` is what both are for, by name."""

    def __init__(self, shared: dict[str, str]) -> None:
        super().__init__("an artifact with the same name and depends already exists")
        self.shared = shared


class ReleasesInUse(Conflict):
    """Unfinished deployments use the releases ``names``; ``deployments`` are the ids of those the caller may see."""

    def __init__(self, names: Sequence[str], deployments: Sequence[str] = ()) -> None:
        super().__init__("release(s) used in active deployment")
        self.names = names
        self.deployments = deployments


class Gone(DomainError):
    """The requested thing has expired."""


class PreconditionFailed(DomainError):
    """``If-Match`` named another version than the stored one."""


class TooLarge(DomainError):
    """The request exceeds a limit of size."""


class UnsupportedMediaType(DomainError):
    """The operation does not read bodies of this type."""


class Unprocessable(DomainError):
    """The request is well formed, but cannot be carried out."""


class TooManyRequests(DomainError):
    """The caller must wait ``retry_after`` whole seconds."""

    def __init__(self, text: str = "too many requests", *, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """A store did not answer in time, or a change lost too many races against other writers.

    Without ``retry_after``, each answer gets a random number of seconds.
    """

    def __init__(self, text: str = "service unavailable", *, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class SwitchedOff(Unavailable):
    """An admin has switched this off on purpose (``fleet.switches``), so it does not count as an outage."""

    def __init__(self, text: str) -> None:
        super().__init__(text, retry_after=300)
