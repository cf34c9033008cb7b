"""Writes the API's description, an OpenAPI 3.1 document, from the routes and their shapes.

Sources of each part:

- ``operations``: the routes' own declarations (``chalicelib.http.endpoint``), their return types and docstrings.
- ``schemas``: the shapes, as msgspec sees them.
- ``parameters``, ``bodies`` and ``details``: tables of everything that is not declared, such as query parameters.
- ``document``: combines them.

Tests hold every answer of the suite against the result (``tests/support/api_description.py``).
"""
