"""``/management/v1/useradm``: a module of routes a topic, each with a blueprint of its own."""
