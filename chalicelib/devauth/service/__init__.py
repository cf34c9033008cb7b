"""Use cases of device authentication, by topic; other features import them from here."""

from chalicelib.devauth.service.leaving import clear_out, decommission, forget
from chalicelib.devauth.service.operators import (
    accepted_by_tier,
    count,
    count_all,
    decide,
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
from chalicelib.devauth.service.requests import authenticate

__all__ = [
    "accepted_by_tier",
    "authenticate",
    "clear_out",
    "count",
    "count_all",
    "decide",
    "decommission",
    "device_of_set",
    "forget",
    "get",
    "ids",
    "limit",
    "listed",
    "preauthorise",
    "remove_set",
    "revoke_token",
    "selected",
    "set_status",
]
