"""The rules of integrations. Pure functions."""
