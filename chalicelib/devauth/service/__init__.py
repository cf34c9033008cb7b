"""Device authentication for other features: everything that they may import."""

from chalicelib.devauth.service.decommissioning import decommission, erase, is_leaving, remove
from chalicelib.devauth.service.flags import set_test_device
from chalicelib.devauth.service.operators import (
    decide,
    device_limits,
    device_of_set,
    get,
    ids,
    limit,
    listed,
    preauthorise,
    remove_set,
    revoke_token,
    selected,
    set_status,
)
from chalicelib.devauth.service.requests import accept_automatically, authenticate

__all__ = [
    "accept_automatically",
    "authenticate",
    "decide",
    "decommission",
    "device_limits",
    "device_of_set",
    "erase",
    "get",
    "ids",
    "is_leaving",
    "limit",
    "listed",
    "preauthorise",
    "remove",
    "remove_set",
    "revoke_token",
    "selected",
    "set_status",
    "set_test_device",
]
