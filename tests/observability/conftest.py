"""Webhooks to receivers on loopback, as the tests of integrations have them."""

from tests.integrations.conftest import allow, hooks

__all__ = ["allow", "hooks"]
