"""Use cases of the inventory, by topic; other features import them from here."""

from chalicelib.inventory.service.groups import (
    dissolve,
    leave,
    members,
    names,
    put,
    put_many,
    take_out,
)
from chalicelib.inventory.service.lifecycle import (
    checked_in,
    device_created,
    device_gone,
    status_changed,
)
from chalicelib.inventory.service.reports import clear, report, tag
from chalicelib.inventory.service.search import attribute_counts, get, search, statistics
from chalicelib.inventory.service.showing import shown

__all__ = [
    "attribute_counts",
    "checked_in",
    "clear",
    "device_created",
    "device_gone",
    "dissolve",
    "get",
    "leave",
    "members",
    "names",
    "put",
    "put_many",
    "report",
    "search",
    "shown",
    "statistics",
    "status_changed",
    "tag",
    "take_out",
]
