"""The API's description is complete, valid, and matches the routes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from app import app
from chalicelib.http.endpoint import EndpointSpec
from infra.scripts.compatibility import Operation, published, served
from infra.scripts.openapi import bodies, operations, parameters
from infra.scripts.openapi.__main__ import FILE, text
from infra.scripts.openapi.document import NO_API
from tests.support.api_description import document
from tests.support.api_description import operations as described

DOCUMENT = document()
COMPONENTS = DOCUMENT["components"]
OPERATIONS = {f"{method} {path}": told for method, path, told in described(DOCUMENT)}
IDS = {told["operationId"] for told in OPERATIONS.values()}


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from refs(each)
    elif isinstance(value, list):
        for each in value:
            yield from refs(each)


def validator(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": COMPONENTS}, validate_formats=True)


def test_it_is_up_to_date():
    assert FILE.read_text() == text(), "make docs"


def test_it_is_openapi_3_1():
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [f"{error.instance_path}: {error.message}" for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


def test_it_has_every_route_and_no_other():
    routes = {f"{method} {path}" for path, views in app.routes.items() for method in views}

    assert {each for each in routes if not f"{each.split()[1]}/".startswith(f"{NO_API}/")} == set(OPERATIONS)


def test_served_operations_of_menders_api_have_menders_paths():
    there = {Operation(re.sub(r"\{[^}]+\}", "{}", each.split()[1]), each.split()[0]) for each in OPERATIONS}

    assert served() & set(published()) <= there


def test_operation_ids_are_unique_and_valid_names_in_most_languages():
    assert len(IDS) == len(OPERATIONS)
    assert [each for each in IDS if not re.fullmatch(r"[a-z][A-Za-z0-9]+", each)] == []


def test_every_reference_exists():
    def target(ref: str) -> Any:
        found: Any = DOCUMENT
        for part in ref.removeprefix("#/").split("/"):
            found = found.get(part)
        return found

    assert [ref for ref in set(refs(DOCUMENT)) if target(ref) is None] == []


def test_every_component_is_used():
    used = {ref.removeprefix("#/components/") for ref in refs(DOCUMENT)}
    there = {f"{kind}/{name}" for kind, found in COMPONENTS.items() if kind != "securitySchemes" for name in found}

    assert there - used == set()


def test_path_variables_and_credentials_are_described():
    for name, told in OPERATIONS.items():
        [spec] = [
            entry.view_function.endpoint_spec  # type: ignore[attr-defined]
            for path, views in app.routes.items()
            for method, entry in views.items()
            if f"{method} {path}" == name
        ]
        assert isinstance(spec, EndpointSpec)
        variables = re.findall(r"\{(\w+)\}", spec.path)
        there = [each for each in told.get("parameters", []) if each.get("in") == "path"]
        assert [each["name"] for each in there] == variables, name
        assert all(each["required"] and each["description"] for each in there), name
        schemes = {each for options in told["security"] for each in options}
        expected = {"device": {"device"}, "user": {"user", "session"}, "none": set()}[spec.auth]
        assert schemes - {"password"} == expected, name
        assert schemes <= set(COMPONENTS["securitySchemes"])


@pytest.mark.parametrize("name", sorted(COMPONENTS["schemas"]))
def test_an_example_fits_its_schema(name: str):
    schema = COMPONENTS["schemas"][name]
    check = validator({"$ref": f"#/components/schemas/{name}"})

    assert schema["examples"]
    for example in schema["examples"]:
        assert [f"{error.instance_path}: {error.message}" for error in check.iter_errors(example)] == []


def test_tables_name_existing_operations():
    named = [
        parameters.OPERATIONS,
        bodies.READ_BY_VIEWS,
        bodies.OPTIONAL,
        operations._MEDIA,
        operations._COMMANDS,
        operations._ALSO,
        operations._NEVER,
    ]

    assert [each for table in named for each in table if each not in IDS] == []


def test_every_operation_is_described_in_sentences():
    """Without the markup of docstrings."""
    for name, told in OPERATIONS.items():
        assert re.match(r"[A-Z]", told["summary"]), name
        assert not told["summary"].endswith("."), name
        assert len(told["summary"]) <= 120, name
    assert re.findall(r"``|:func:|:class:", json.dumps(DOCUMENT)) == []


def test_all_refusals_have_the_same_shape():
    for name, told in OPERATIONS.items():
        for status, answer in told["responses"].items():
            if int(status) < 400:
                continue
            found = COMPONENTS["responses"][answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            schemas = [each["schema"] for each in found.get("content", {}).values()]
            own = {("POST /management/v2/devauth/devices", "409")}
            assert schemas in ([], [{"$ref": "#/components/schemas/Error"}]) or (name, status) in own, (name, status)
