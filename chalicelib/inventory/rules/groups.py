"""Names of static groups (``docs/behaviour.md#groups``)."""

from __future__ import annotations

import re

from chalicelib import limits
from chalicelib.errors import BadRequest

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_name(name: str | None) -> str:
    """``name``, if it is a valid name of a group.

    Raises:
        BadRequest: it is not.
    """
    if not name:
        raise BadRequest("group name cannot be blank")
    if len(name) > limits.GROUP_NAME:
        raise BadRequest(f"group name can have at most {limits.GROUP_NAME} characters")
    if not _NAME.fullmatch(name):
        raise BadRequest("group name can only contain: upper/lowercase alphanum, -(dash), _(underscore)")
    return name
