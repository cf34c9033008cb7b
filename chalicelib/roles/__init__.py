"""Roles and permission sets, built in and defined by tenants."""
