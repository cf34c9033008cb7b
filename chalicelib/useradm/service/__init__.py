"""Use cases of users. Other features import only this; each topic has a module of its own.

Logins and tokens are in ``useradm.sessions``, settings in ``useradm.preferences``.
"""

from __future__ import annotations

from chalicelib.useradm.service.users import (
    RACES,
    TAKEN,
    add_user,
    create_user,
    delete_user,
    draft_user,
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
    "TAKEN",
    "User",
    "add_user",
    "create_user",
    "delete_user",
    "draft_user",
    "find_user",
    "get_user",
    "list_users",
    "require_session",
    "set_password",
    "update_user",
]
