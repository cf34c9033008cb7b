"""Device authentication for other features: everything that they may import."""

from chalicelib.devauth.service.flags import set_test_device
from chalicelib.devauth.service.leaving import clear_out, decommission, erase
from chalicelib.devauth.service.operators import (
    accepted_by_tier,
    by_tier,
    count,
    decide,
    device_limits,
    device_of_set,
    get,
    ids,
    limit,
    listed,
    preauthorise,
    remove_set,
    require_accepted_at_most,
    revoke_token,
    selected,
    set_status,
)
from chalicelib.devauth.service.requests import accept_automatically, authenticate
from chalicelib.devauth.tables import counts

__all__ = [
    "accept_automatically",
    "accepted_by_tier",
    "authenticate",
    "by_tier",
    "clear_out",
    "count",
    "counts",
    "decide",
    "decommission",
    "device_limits",
    "device_of_set",
    "erase",
    "get",
    "ids",
    "limit",
    "listed",
    "preauthorise",
    "remove_set",
    "require_accepted_at_most",
    "revoke_token",
    "selected",
    "set_status",
    "set_test_device",
]
