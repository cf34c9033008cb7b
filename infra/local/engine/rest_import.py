"""API Gateway's ImportRestApi and PutRestApi, which the engine lacks.

Takes the Swagger document that ``chalice deploy`` writes: routes with Lambda-proxy or mock integrations,
authorizers, binary media types, gateway responses, a resource policy. Other OpenAPI extensions are not supported.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import apigateway_v1 as gateway

Reply = tuple[int, dict[str, str], bytes]
Document = dict[str, Any]


def answer(method: str, path: str, body: bytes, query: dict[str, Any]) -> Reply | None:
    """The reply to an import or an overwrite of a REST API; None for other requests."""
    match (method, path.strip("/").split("/")):
        case "POST", ["restapis"] if _single(query, "mode") == "import":
            return _import(json.loads(body), _single(query, "endpointConfigurationTypes") or "EDGE")
        case "PUT", ["restapis", api_id]:
            return _put(api_id, json.loads(body), overwrite=_single(query, "mode") == "overwrite")
    return None


def _import(document: Document, endpoint_type: str) -> Reply:
    name = (document.get("info") or {}).get("title", "")
    created: Reply = gateway._create_rest_api({"name": name, "endpointConfiguration": {"types": [endpoint_type]}})
    api_id = json.loads(created[2])["id"]
    _fill(api_id, document)
    return _view(api_id, 201)


def _put(api_id: str, document: Document, *, overwrite: bool) -> Reply:
    if api_id not in gateway._rest_apis:
        reply: Reply = gateway._v1_error("NotFoundException", "Invalid API identifier specified", 404)
        return reply
    if overwrite:
        resources = gateway._resources[api_id]
        root = next(resource for resource in resources.values() if resource["path"] == "/")
        root["resourceMethods"] = {}
        gateway._resources[api_id] = {root["id"]: root}
        gateway._authorizers_v1[api_id] = {}
    _fill(api_id, document)
    return _view(api_id, 200)


def _view(api_id: str, status: int) -> Reply:
    reply: Reply = gateway._v1_response(gateway._rest_api_view(gateway._rest_apis[api_id]), status)
    return reply


def _fill(api_id: str, document: Document) -> None:
    """Give the API the resources that the document declares."""
    api = gateway._rest_apis[api_id]
    info = document.get("info") or {}
    api["name"] = str(info.get("title") or api["name"])
    api["version"] = str(info.get("version") or api["version"])
    api["binaryMediaTypes"] = list(document.get("x-amazon-apigateway-binary-media-types") or [])
    if policy := document.get("x-amazon-apigateway-policy"):
        api["policy"] = json.dumps(policy)
    gateway._gateway_responses[api_id] = {}
    for kind, response in (document.get("x-amazon-apigateway-gateway-responses") or {}).items():
        gateway._put_gateway_response(api_id, kind, response)
    schemes = gateway._import_security_schemes(api_id, document)
    for path, methods in (document.get("paths") or {}).items():
        gateway._import_path_item(api_id, path, methods, schemes, document.get("security"))
        resource_id = _resource_id(api_id, path)
        for verb, operation in methods.items():
            if verb in gateway._OPENAPI_HTTP_METHODS:
                _operation(api_id, resource_id, verb.upper(), operation)


def _resource_id(api_id: str, path: str) -> str:
    wanted = "/" + path.strip("/")
    resources: dict[str, Document] = gateway._resources[api_id]
    return next(key for key, resource in resources.items() if resource["path"] == wanted)


def _operation(api_id: str, resource_id: str, verb: str, operation: Document) -> None:
    """The parts of a method that the engine's own import leaves out: responses, templates, conversions."""
    for code, response in (operation.get("responses") or {}).items():
        headers = {f"method.response.header.{name}": False for name in response.get("headers") or {}}
        gateway._put_method_response(api_id, resource_id, verb, str(code), {"responseParameters": headers})
    integration = operation.get("x-amazon-apigateway-integration")
    if not integration:
        return
    gateway._put_integration(
        api_id,
        resource_id,
        verb,
        {
            "type": integration["type"].upper(),
            "httpMethod": integration.get("httpMethod"),
            "uri": integration.get("uri", ""),
            "requestTemplates": integration.get("requestTemplates", {}),
            "passthroughBehavior": integration.get("passthroughBehavior", "when_no_match").upper(),
            "contentHandling": integration.get("contentHandling"),
        },
    )
    for pattern, response in (integration.get("responses") or {}).items():
        gateway._put_integration_response(
            api_id,
            resource_id,
            verb,
            str(response.get("statusCode", "200")),
            {
                "selectionPattern": "" if pattern == "default" else pattern,
                "responseParameters": response.get("responseParameters", {}),
                "responseTemplates": response.get("responseTemplates", {}),
            },
        )


def _single(query: dict[str, Any], name: str) -> str | None:
    value = query.get(name)
    first: str | None = value[0] if isinstance(value, list) and value else value or None
    return first
