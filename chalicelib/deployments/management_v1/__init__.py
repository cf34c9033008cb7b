"""``/management/v1/deployments/deployments``: a module of routes for each topic, with a blueprint of its own."""
