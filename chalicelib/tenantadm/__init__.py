"""Tenants: their plans, limits, tenant tokens and child tenants."""
