"""Some of ``tests/devauth/test_races.py`` with large tenants."""

from tests.devauth.conftest import device
from tests.devauth.test_races import (
    test_concurrent_first_requests_create_one_device,
    test_ten_of_sixteen_devices_are_accepted_with_a_limit_of_ten,
)

__all__ = [
    "device",
    "test_concurrent_first_requests_create_one_device",
    "test_ten_of_sixteen_devices_are_accepted_with_a_limit_of_ten",
]
