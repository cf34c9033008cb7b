"""``/management/v2/devauth``: a module of routes for each topic, with a blueprint of its own."""
