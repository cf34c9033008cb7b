"""The API's description, ``openapi.json``, which ``make docs`` writes (``infra.scripts.openapi``)."""
