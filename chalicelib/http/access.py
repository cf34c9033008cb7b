"""What routes need to know from features: who a user is, and what is within a user's scopes.

This package imports no feature. What starts a function sets the implementation instead (:func:`use`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from chalicelib.http.request import UserRequest
    from chalicelib.rights import Rights
    from chalicelib.storage.keys import TenantId

Kind = Literal["artifact", "auth_set", "deployment", "device", "release"]
"""The kinds of things that a path may name, and that scopes limit."""


class Session(Protocol):
    """The user of a token. The properties are those of ``http.identity.Identity``."""

    @property
    def email(self) -> str: ...  # noqa: D102
    @property
    def rights(self) -> Rights: ...  # noqa: D102
    @property
    def is_personal(self) -> bool: ...  # noqa: D102
    @property
    def is_recent(self) -> bool: ...  # noqa: D102
    @property
    def used_factor(self) -> bool: ...  # noqa: D102


class Access(Protocol):
    """The interface; ``chalicelib.access`` implements it."""

    def require_session(self, home: TenantId, user_id: str, token_id: str, tenant: TenantId, /) -> Session:
        """The user of a verified token for ``tenant``, which is stored in the user's own tenant ``home``.

        Raises:
            Unauthorized: the token was revoked, or the user may not work in that tenant.
        """

    def prove(self, tenant: TenantId, user_id: str, token_id: str, *, password: str, code: str, recent: bool) -> None:
        """Check the password or a code of a session's user, as ``useradm.prove`` does."""

    def is_within(self, request: UserRequest, kind: Kind, value: str, /) -> bool:
        """Whether what a path names is within the scopes of the request; False if it does not exist."""


_implementation: list[Access] = []


def use(access: Access) -> None:
    """Set the implementation."""
    _implementation[:] = [access]


def current() -> Access:
    """The implementation."""
    return _implementation[0]
