"""Roles and permission sets: what users may do, built in and made by tenants."""
