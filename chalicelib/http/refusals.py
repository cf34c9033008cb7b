"""How expected errors are answered: status, headers and body.

A 401 makes a device ask for a new token and a browser UI log out, so a missing right is always 403, never 401.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from chalicelib import errors
from chalicelib.http.request import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES: Final[Mapping[type[errors.DomainError], int]] = {
    errors.BadRequest: 400,  # the request is malformed or breaks a rule of its own
    errors.Unauthorized: 401,  # no valid token, or its device or user does not exist any more
    errors.Forbidden: 403,  # a valid token without the right to do this
    errors.NotFound: 404,  # there is no such thing in the caller's tenant
    errors.MethodNotAllowed: 405,  # the operation is disabled, or not possible in the present state
    errors.Conflict: 409,  # the change is not possible in the present state
    errors.Gone: 410,  # it existed and has expired
    errors.PreconditionFailed: 412,  # If-Match named another version
    errors.TooLarge: 413,  # the request exceeds a limit of size
    errors.UnsupportedMediaType: 415,  # the operation does not read bodies of this type
    errors.Unprocessable: 422,  # well formed, but it cannot be done
    errors.TooManyRequests: 429,  # try again later
    errors.Unavailable: 503,  # a store did not answer in time, or an admin has switched this off; try again later
}
"""The status of each class of errors and of those derived from it."""


def status(kind: type[errors.DomainError]) -> int:
    """The status of a class of errors."""
    return next(STATUSES[each] for each in kind.__mro__ if each in STATUSES)


def reply(error: errors.DomainError, request_id: str) -> Reply[dict[str, Any]]:
    """The answer to a call that ended with this error."""
    body = {"error": error.text, "request_id": request_id, **_facts(error)}
    return Reply(status(type(error)), body, _headers(error))


def to_store(error: errors.DomainError) -> dict[str, Any]:
    """Status and body of an error, to be stored for a client that asks later (``artifacts.shapes.Verdict``)."""
    return {"status": status(type(error)), "error": error.text, **_facts(error)}


def _headers(error: errors.DomainError) -> dict[str, str | list[str]]:
    match error:
        case errors.InvalidToken():
            return {"WWW-Authenticate": 'Bearer realm="ManagementJWT"'}
        case errors.TooManyRequests():
            return {"Retry-After": str(error.retry_after)}
        case errors.Unavailable():
            # Random, so that callers that failed together do not return together.
            seconds = random.randint(5, 15) if error.retry_after is None else error.retry_after  # noqa: S311  # no secret
            return {"Retry-After": str(seconds)}
    return {}


def _facts(error: errors.DomainError) -> dict[str, Any]:
    match error:
        case errors.ArtifactExists():
            return {"metadata": {"conflict": error.shared}}
        case errors.ReleasesInUse():
            return {"active_deployments": error.deployments}
    return {}
