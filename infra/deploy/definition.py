"""Additions to Chalice's definition of the REST API: a name for each stage, and the bodies of its errors."""

from __future__ import annotations

import json
from typing import Any

from infra.paths import ROOT

GATEWAY_RESPONSES = ROOT / "infra" / "templates" / "gateway-responses.json"
"""API Gateway's extension of OpenAPI for its own errors, by type."""


def api_name(stage: str) -> str:
    """The name of a stage's REST API, by which deployments find it and CloudWatch counts."""
    return f"lamplighter-{stage}"


def gateway_responses() -> dict[str, dict[str, Any]]:
    """The responses for API Gateway's own errors, by type."""
    found: dict[str, dict[str, Any]] = json.loads(GATEWAY_RESPONSES.read_text())
    return found


def complete(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The definition with both additions."""
    return document | {
        "info": document["info"] | {"title": name},
        "x-amazon-apigateway-gateway-responses": gateway_responses(),
    }
