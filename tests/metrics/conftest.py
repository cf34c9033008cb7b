"""Webhooks with receivers on loopback, as in the tests of integrations."""

from tests.integrations.conftest import allow, hooks, world

__all__ = ["allow", "hooks", "world"]
