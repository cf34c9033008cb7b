"""``tests/devauth/test_management.py`` with large tenants."""

from tests.devauth.conftest import device
from tests.devauth.test_management import *  # noqa: F403

__all__ = ["device"]
