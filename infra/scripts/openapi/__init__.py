"""Writes the API's description, an OpenAPI 3.1 document, from the routes and the shapes that they read and answer.

What each part takes its facts from:

- ``operations``: the routes' own declarations (``chalicelib.http.endpoint``), their return types and docstrings.
- ``schemas``: the shapes, as msgspec sees them.
- ``parameters``, ``bodies`` and ``details``: tables of what no declaration holds, such as the parameters of a query.
- ``document``: puts them together.

Tests hold every answer of the suite against the result (``tests/support/api_description.py``).
"""
