"""The version of the stored data, for code that may write a new form only when all code that may run can read it."""

from __future__ import annotations

from chalicelib.cache import Store
from chalicelib.errors import Conflict
from chalicelib.fleet.tables import SchemaItem
from chalicelib.storage import keys

_seen: Store[str, int] = Store()


def is_at_least(version: int) -> bool:
    """Whether the stored data have this version or a later one: ``manage migrate`` changes it, and never back.

    It costs a read until that is so.
    """
    if (_seen.get("version") or 0) < version:
        item = SchemaItem.find(keys.shared("SCHEMA"), "SCHEMA")
        _seen.put("version", 0 if item is None else item.version)
    return (_seen.get("version") or 0) >= version


def require(version: int) -> None:
    """Raise an error if the stored data do not have this version yet.

    Raises:
        Conflict: they do not.
    """
    if not is_at_least(version):
        raise Conflict("this server is being upgraded; its admin must run `manage migrate` to allow this")
