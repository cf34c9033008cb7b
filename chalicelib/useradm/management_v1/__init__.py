"""``/management/v1/useradm``: a module of routes for each topic, with a blueprint of its own."""
