"""The limits of ``tests/devauth/test_tiers.py`` with large tenants."""

from tests.devauth.test_tiers import TestLimits, micro

__all__ = ["TestLimits", "micro"]
