"""The whole document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import chalicelib
from chalicelib import errors
from chalicelib.http import refusals
from infra.scripts.openapi import details, parameters, prose
from infra.scripts.openapi.operations import Operation, refusal_name
from infra.scripts.openapi.schemas import Schemas, resolved

if TYPE_CHECKING:
    from chalice.app import Chalice

    from infra.scripts.openapi.schemas import Schema

_INFO: Final = """\
Over-the-air updates and device management: Mender's API, and what Lamplighter adds to it.

Every answer has the header `X-MEN-RequestID`; a request may bring one to name itself. Every refusal says in `error`
what happened and what to do, and names the request. A 429 or 503 says in `Retry-After` how many seconds to wait.
Members may be added to answers; clients should ignore those that they don't know. Unknown members of requests are
ignored, and `null` is the same as to leave a member out.

Lists come in pages of `per_page` rows. The header `Link` leads to the pages before and after (RFC 8288), and where it
is known `X-Total-Count` says how many rows there are in all.
"""
_EXTRA: Final[dict[str, Schema]] = {
    "Error": {
        "type": "object",
        "description": "A refusal.",
        "properties": {
            "error": {"type": "string", "description": "What happened, why, and what to do."},
            "request_id": {"type": "string", "description": "The id of the request in the server's logs."},
        },
        "required": ["error", "request_id"],
        "examples": [{"error": "device not found", "request_id": "9e4b2f1c-5a63-4d0e-8b7a-1f2c3d4e5f60"}],
    },
    "Proof": {
        "type": "object",
        "description": "Proof that the user is present: one of the two.",
        "properties": {
            "current_password": {"type": "string", "description": "The user's password."},
            "token2fa": {"type": "string", "description": "A code of the user's authenticator app."},
        },
    },
}
_HEADERS: Final[dict[str, Schema]] = {
    "ETag": {"description": "The version of the response.", "schema": {"type": "string"}},
    "Link": {"description": "Other pages: `first`, `prev`, `next`, `last` (RFC 8288).", "schema": {"type": "string"}},
    "Location": {
        "description": "The URL of what was created, or of where to go on. Its last segment is the id.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "X-Total-Count": {"description": "The number of rows on all pages.", "schema": {"type": "integer", "minimum": 0}},
}
_SECURITY: Final[dict[str, Schema]] = {
    "device": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A device's token, from `POST /devices/v1/authentication/auth_requests`.",
    },
    "user": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A session's token, from `POST /management/v1/useradm/auth/login`, or a personal access token.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-JWT",
        "description": "A session in a browser, from a login with the header `X-Session: cookie`. Over plain HTTP the "
        "cookie is called `JWT`.",
    },
    "password": {"type": "http", "scheme": "basic", "description": "A user's e-mail address and password."},
}
_WAIT: Final = {429, 503}
NO_API: Final = "/ui"
"""What the paths of the console's page and files begin with, which are no part of the API."""


def operations(app: Chalice) -> list[Operation]:
    """Every operation of the API, by path and method."""
    return [
        Operation(entry.view_function.endpoint_spec, entry.view_function)  # type: ignore[attr-defined]
        for path, methods in sorted(app.routes.items())
        if not f"{path}/".startswith(f"{NO_API}/")
        for _, entry in sorted(methods.items())
    ]


def document(app: Chalice) -> Schema:
    """The description of the app's API."""
    schemas, found = Schemas(), operations(app)
    paths: Schema = {}
    for each in found:
        paths.setdefault(each.spec.path, {})[each.spec.method.lower()] = each.told(schemas)
    components = schemas.components() | _EXTRA
    for name, schema in components.items():
        schema.setdefault("examples", [_example(name, schema, components)])
    paths = resolved(paths, schemas.names())
    used = json.dumps(paths)
    tags = sorted({each.tag for each in found})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lamplighter",
            "version": chalicelib.__version__,
            "description": _INFO,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api", "description": "This server"}],
        "tags": [{"name": name} for name in tags],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {name: each for name, each in _responses().items() if f'/responses/{name}"' in used},
            "parameters": {name: {"name": name, **each} for name, each in parameters.SHARED.items()},
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _responses() -> Schema:
    kinds = {refusals.STATUSES[each]: prose.sentence(each.__doc__ or "") for each in _kinds(errors.DomainError)}
    kinds[500] = "An internal error. The server has logged it with the request's id."
    found: Schema = {}
    for status, text in sorted(kinds.items()):
        told: Schema = {"description": prose.markdown(text.splitlines()[0])}
        if status in _WAIT:
            told["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        name = refusal_name(status)
        found[name] = told | {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        if status in {401, *_WAIT}:
            found[f"{name}ForDevices"] = told
    return found


def _kinds(of: type[errors.DomainError]) -> list[type[errors.DomainError]]:
    return [each for each in of.__subclasses__() if each.__module__ == errors.__name__]


def _example(name: str, schema: Any, components: Schema) -> Any:
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        return _example(named, components[named], components)
    if "examples" in schema:
        return schema["examples"][0]
    for options in (schema.get("anyOf"), schema.get("allOf")):
        if options:
            return _example(name, options[0], components)
    if "properties" in schema:
        return {key: _example(key, value, components) for key, value in schema["properties"].items()}
    value = details.example(name, schema)
    if value == [] and "items" in schema:
        return [_example(name.removesuffix("s"), schema["items"], components)]
    return value
