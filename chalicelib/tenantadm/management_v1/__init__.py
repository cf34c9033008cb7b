"""``/management/v1``: the user's tenant, and users who work in several tenants."""
