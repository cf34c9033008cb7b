"""The inventory for other features: everything that they may import."""

from chalicelib.inventory.service.filters import (
    change_filter,
    count_accepted,
    create_filter,
    delete_filter,
    get_filter,
    list_filters,
    matches,
    matches_each,
    values_of_accepted,
)
from chalicelib.inventory.service.glance import Named, glance
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
    alerts_changed,
    checked_in,
    device_created,
    device_gone,
    erase,
    standing_changed,
)
from chalicelib.inventory.service.reports import clear, report, tag
from chalicelib.inventory.service.search import attribute_counts, get, having, search, statistics, values_of
from chalicelib.inventory.service.showing import show
from chalicelib.inventory.shapes import FilterDefinition, SavedFilter, Term

__all__ = [
    "FilterDefinition",
    "Named",
    "SavedFilter",
    "Term",
    "alerts_changed",
    "attribute_counts",
    "change_filter",
    "checked_in",
    "clear",
    "count_accepted",
    "create_filter",
    "delete_filter",
    "device_created",
    "device_gone",
    "dissolve",
    "erase",
    "get",
    "get_filter",
    "glance",
    "having",
    "leave",
    "list_filters",
    "matches",
    "matches_each",
    "members",
    "names",
    "put",
    "put_many",
    "report",
    "search",
    "show",
    "standing_changed",
    "statistics",
    "tag",
    "take_out",
    "values_of",
    "values_of_accepted",
]
