"""What Chalice's definition of the REST API lacks: a name that tells stages apart, and the shape of its errors."""

from __future__ import annotations

import json
from typing import Any

from infra.paths import ROOT

GATEWAY_RESPONSES = ROOT / "infra" / "templates" / "gateway-responses.json"
"""How API Gateway's own errors look, by their type, as its extension of OpenAPI has it."""


def api_name(stage: str) -> str:
    """The name of a stage's REST API: deployments find it by that, and CloudWatch counts by it."""
    return f"lamplighter-{stage}"


def gateway_responses() -> dict[str, dict[str, Any]]:
    """How API Gateway's own errors look, by their type."""
    found: dict[str, dict[str, Any]] = json.loads(GATEWAY_RESPONSES.read_text())
    return found


def complete(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The definition with both."""
    return document | {
        "info": document["info"] | {"title": name},
        "x-amazon-apigateway-gateway-responses": gateway_responses(),
    }
