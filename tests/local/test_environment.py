"""The local app uses only the engine, whatever the developer's AWS variables are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest

from infra.local.environment import applied, of_app

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_PROFILE", "company"),
        ("AWS_SESSION_TOKEN", "x"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
    ],
)
def test_the_developers_aws_variables_are_ignored(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with applied(of_app(server.engine, server.url)):
        dynamodb = boto3.client("dynamodb")
        assert dynamodb.meta.endpoint_url == server.engine.endpoint
        assert isinstance(dynamodb.list_tables()["TableNames"], list)
        dynamodb.close()
