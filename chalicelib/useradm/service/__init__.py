"""Use cases of users. Other features import only this; each topic has a module of its own.

Logins and tokens are in ``useradm.sessions``, settings in ``useradm.preferences``.
"""

from __future__ import annotations

from chalicelib.useradm.service.users import (
    RACES,
    create_user,
    delete_user,
    find_user,
    get_user,
    list_users,
    require_session,
    set_password,
    update_user,
)
from chalicelib.useradm.tables.users import User

__all__ = [
    "RACES",
    "User",
    "create_user",
    "delete_user",
    "find_user",
    "get_user",
    "list_users",
    "require_session",
    "set_password",
    "update_user",
]
