"""The definition of the REST API is valid: Swagger 2.0 (its specification) with API Gateway's extensions.

API Gateway imports it as a whole and refuses it as a whole. What it wants is documented in
``docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html`` and
``.../api-gateway-known-issues.html``; ``test_route_table.py`` has the rules of its tree of resources.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from chalice.deploy.swagger import CFNSwaggerGenerator

from app import app
from infra.deploy.definition import complete

METHODS: Final = {"get", "put", "post", "delete", "options", "head", "patch"}
OPERATION: Final = {
    "consumes",
    "description",
    "parameters",
    "produces",
    "responses",
    "security",
    "summary",
    "x-amazon-apigateway-integration",
}
INTEGRATION: Final = re.compile(
    r"arn:\$\{AWS::Partition\}:apigateway:\$\{AWS::Region\}:lambda:path/2015-03-31/functions/[^/]+/invocations"
)
MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+|\*/\*")
GATEWAY_RESPONSES: Final = frozenset(
    [
        "ACCESS_DENIED",
        "API_CONFIGURATION_ERROR",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "AUTHORIZER_FAILURE",
        "BAD_REQUEST_BODY",
        "BAD_REQUEST_PARAMETERS",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "EXPIRED_TOKEN",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "INVALID_API_KEY",
        "INVALID_SIGNATURE",
        "MISSING_AUTHENTICATION_TOKEN",
        "QUOTA_EXCEEDED",
        "REQUEST_TOO_LARGE",
        "RESOURCE_NOT_FOUND",
        "THROTTLED",
        "UNAUTHORIZED",
        "UNSUPPORTED_MEDIA_TYPE",
        "WAF_FILTERED",
    ]
)
"""``docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html``."""


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    found: dict[str, Any] = complete(CFNSwaggerGenerator().generate_swagger(app), "lamplighter-prod")
    assert len(found["paths"]) == len(app.routes)
    return found


def operations(definition: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Each with its path and method."""
    return [(path, method, each) for path, methods in definition["paths"].items() for method, each in methods.items()]


def test_the_document_is_of_version_2_and_within_the_size_that_can_be_imported(definition: dict[str, Any]) -> None:
    assert definition["swagger"] == "2.0"
    assert definition["info"].keys() == {"title", "version"}
    assert {name for name in definition if not name.startswith("x-amazon-apigateway-")} == {
        "swagger",
        "info",
        "schemes",
        "paths",
        "definitions",
    }
    assert len(json.dumps(definition)) < 6 * 1024 * 1024


def test_operations_have_only_methods_and_members_of_the_specification(definition: dict[str, Any]) -> None:
    assert [(path, method) for path, method, _ in operations(definition) if method not in METHODS] == []
    assert [
        (path, each.keys() - OPERATION) for path, _, each in operations(definition) if each.keys() - OPERATION
    ] == []


def test_every_variable_of_a_path_is_declared_once_and_no_other(definition: dict[str, Any]) -> None:
    for path, method, each in operations(definition):
        declared = [about for about in each.get("parameters", ()) if about["in"] == "path"]
        assert sorted(about["name"] for about in declared) == sorted(re.findall(r"\{(\w+)\}", path)), (path, method)
        assert all(about["required"] is True and about["type"] == "string" for about in declared), (path, method)


def test_every_operation_describes_its_answers_and_all_schemas_exist(definition: dict[str, Any]) -> None:
    for path, method, each in operations(definition):
        assert each["responses"], (path, method)
        for status, about in each["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status), (path, method)
            assert about["description"], (path, method)
    named = set(re.findall(r'"\$ref": "#/definitions/(\w+)"', json.dumps(definition)))
    assert named == definition["definitions"].keys()
    assert all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in named), "models of API Gateway are alphanumeric"


def test_every_operation_is_handed_to_a_function_as_it_came(definition: dict[str, Any]) -> None:
    """Lambda is called by POST, whatever the method; a proxy integration hands on everything."""
    for path, method, each in operations(definition):
        about = each["x-amazon-apigateway-integration"]
        assert (about["type"], about["httpMethod"]) == ("aws_proxy", "POST"), (path, method)
        assert INTEGRATION.fullmatch(about["uri"]["Fn::Sub"]), (path, method)
        assert about["passthroughBehavior"] in {"when_no_match", "when_no_templates", "never"}, (path, method)


def test_media_types_and_kinds_of_errors_are_those_that_there_are(definition: dict[str, Any]) -> None:
    binary = definition["x-amazon-apigateway-binary-media-types"]
    assert "multipart/form-data" in binary
    assert "application/octet-stream" in binary
    assert [each for each in binary if not MEDIA_TYPE.fullmatch(each)] == []
    assert len(set(binary)) == len(binary)
    errors = definition["x-amazon-apigateway-gateway-responses"]
    assert errors.keys() <= GATEWAY_RESPONSES
    for name, about in errors.items():
        assert about.keys() <= {"statusCode", "responseParameters", "responseTemplates"}, name
        assert re.fullmatch(r"[45]\d\d", str(about.get("statusCode", 400))), name
        assert all(each.startswith("gatewayresponse.header.") for each in about.get("responseParameters", ())), name
