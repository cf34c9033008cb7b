"""Every answer tells browsers not to guess the content type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from infra.deploy.definition import gateway_responses
from tests.deployments.world import World
from tests.deviceconnect.peers import opened, user_path
from tests.deviceconnect.relay import RelayProcess

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


def says(answer: Any) -> bool:
    return answer.headers.get_list("x-content-type-options") == ["nosniff"]


def test_answers_of_the_local_gateway_and_of_the_bucket(server: LocalServer, api: httpx2.Client, http, tenant):
    world = World(api, http, tenant.tenant_token)
    artifact = world.upload("release")
    link = api.get(f"/api/management/v1/deployments/artifacts/{artifact}/download").json()["uri"]
    large = {"Content-Length": str(100_000_000)}
    for method, place, headers, status in (
        ("GET", "/", {}, 404),
        ("GET", "/api/nowhere", {}, 404),
        ("TRACE", "/api/management/v1/useradm/users", {}, 405),
        ("OPTIONS", "/api/management/v1/useradm/users", {}, 200),
        ("GET", "/api/management/v1/useradm/users", {}, 401),
        ("GET", "/local/ready", {}, 204),
        ("GET", link, {}, 200),
        ("GET", link + "x", {}, 403),
        ("DELETE", link, {}, None),
    ):
        answer = http.request(method, place, headers=headers)
        assert status in {None, answer.status_code}, (method, place, answer.status_code)
        assert says(answer), (method, place, answer.headers)
    answer = http.post("/api/management/v1/useradm/users", content=bytes(11_000_000), headers={"Expect": ""})
    assert answer.status_code == 413, large
    assert says(answer)
    for place in ("/nowhere", user_path("x"), "/websockets", "/api/devices/v1/deviceconnect/connect"):
        with pytest.raises(InvalidStatus) as refused, opened(server.url, place, "none"):
            pass
        assert refused.value.response.headers.get_all("x-content-type-options") == ["nosniff"], place


def test_answers_of_the_relay(server: LocalServer):
    with RelayProcess(server.url) as relay:
        for place in ("/nowhere", "/health", f"{user_path('x').removesuffix('connect')}download"):
            assert says(httpx2.get(relay.url + place)), place
        with pytest.raises(InvalidStatus) as refused, opened(relay.url, "/nowhere", ""):
            pass
        assert refused.value.response.status_code == 403
        assert refused.value.response.headers.get_all("x-content-type-options") == ["nosniff"]


def test_answers_of_api_gateway_itself():
    answers = gateway_responses()
    assert answers
    for name, answer in answers.items():
        assert answer["responseParameters"]["gatewayresponse.header.X-Content-Type-Options"] == "'nosniff'", name
