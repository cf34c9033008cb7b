"""Plans and add-ons: routes of a feature refuse tenants whose plan and add-ons do not include it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import features
from chalicelib.http.identity import Auth
from chalicelib.tenantadm import service
from infra.scripts.compatibility import Operation
from tests.all_routes.table import Route, routes
from tests.contract.description import document, needed, operation
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing

if TYPE_CHECKING:
    import httpx2

    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

REFUSAL = "the plan and add-ons of this tenant do not include"

FOR_ALL = {
    Operation("/management/v1/useradm/users/{}/2fa/enable", "POST"): "secure logins are in every plan",
    Operation("/management/v1/useradm/users/{}/2fa/disable", "POST"): "the same",
    Operation("/management/v1/useradm/users/{}/assign", "POST"): "for service providers only, with any plan",
    Operation("/management/v1/useradm/auth/sso/{}/acs", "POST"): "public: the code checks the plan of the provider",
    Operation("/management/v1/useradm/auth/sso/{}/login", "GET"): "the same",
    Operation("/devices/v1/deviceconfig/configuration", "GET"): "a device cannot know its owner's plan",
    Operation("/devices/v1/deviceconfig/configuration", "PUT"): "the same",
    Operation("/devices/v1/deviceconnect/connect", "GET"): "a device may connect; sessions with it are refused",
}
"""Operations that Mender's description reserves to some plans or add-ons and this server does not, with the reason."""


@pytest.fixture
def small(server: LocalServer, sign_in: SignIn, http: httpx2.Client) -> World:
    """A tenant with the smallest plan, no add-ons, and a device."""
    tenant = service.create_tenant("Small", plan="os", addons=[])
    world = World(sign_in(tenant), http, tenant.tenant_token)
    world.device()
    return world


def user_routes(server: LocalServer) -> list[Route]:
    known = (route for route in routes(server.app) if route.spec.auth is not Auth.NONE)
    return [route for route in known if not route.spec.path.endswith("/auth/logout")]


def test_a_tenant_with_the_smallest_plan_is_refused_extra_features_only(server: LocalServer, small: World):
    wrong = []
    for route in user_routes(server):
        header = f"Bearer {small.devices[0].token}" if route.spec.auth is Auth.DEVICE else ""
        client = small.http if header else small.api
        answer = route.call(client, headers={"Authorization": header} if header else {})
        refused = answer.status_code == 403 and REFUSAL in answer.text
        if refused is (route.spec.feature is None):
            wrong.append(f"{route.name}: {answer.status_code} {answer.text}")
    assert wrong == []


@needed
def test_operations_that_mender_reserves_belong_to_a_feature(server: LocalServer):
    there = {Operation(*key): route for key, route in _by_operation(server).items()}
    wrong = []
    for path, item in document()["paths"].items():
        for method, about in item.items():
            found = there.get(operation(method, path)) if isinstance(about, dict) else None
            if found is None or operation(method, path) in FOR_ALL:
                continue
            plans, addons = about.get("x-mender-plan") or [], about.get("x-mender-addon") or []
            if not plans and not addons:
                continue
            if found.spec.feature is None or not _needs(found.spec.feature, plans, addons):
                wrong.append(f"{found.name}: {plans} {addons}, is {found.spec.feature}")
    assert wrong == []


def _by_operation(server: LocalServer) -> dict[tuple[str, str], Route]:
    return {
        (operation(route.spec.method, route.spec.path).path, route.spec.method): route for route in routes(server.app)
    }


def _needs(feature: features.Feature, plans: list[str], addons: list[str]) -> bool:
    """Whether a tenant with none of these plans and add-ons lacks the feature.

    If both are named, either is enough, as on Mender's server.
    """
    others = [plan for plan in features.PLANS if plan not in plans]
    return not any(features.included(feature, plan, set(features.ADDONS) - set(addons)) for plan in others)


@pytest.mark.parametrize(
    ("more", "plans"),
    [
        ({"retries": 1}, {"professional", "enterprise"}),
        ({"phases": [{"batch_size": 50}, {"start_ts": "2030-01-01T00:00:00Z"}]}, {"enterprise"}),
        ({"uniform_phases": {"batch_size": 50, "time_interval": "PT1H"}}, {"enterprise"}),
        ({"phases": [{"start_ts": "2030-01-01T00:00:00Z"}]}, {"os", "professional", "enterprise"}),
        ({}, {"os", "professional", "enterprise"}),
    ],
)
@pytest.mark.parametrize("plan", features.PLANS)
def test_the_plan_decides_about_rollout_options_of_deployments(
    sign_in: SignIn, http: httpx2.Client, plan: str, more: Any, plans: set[str]
):
    tenant = service.create_tenant("Some", plan=plan)
    world = World(sign_in(tenant), http, tenant.tenant_token)
    world.upload("new")
    body = {"name": "x", "artifact_name": "new", "devices": ["a", "b"], **more}

    answer = world.api.post(DEPLOYMENTS, json=body)

    assert answer.status_code == (201 if plan in plans else 403), answer.text
    assert plan in plans or REFUSAL in answer.text


@pytest.mark.parametrize("plan", features.PLANS)
def test_artifact_dependencies_are_used_in_the_largest_plan_only(sign_in: SignIn, http: httpx2.Client, plan: str):
    tenant = service.create_tenant("Some", plan=plan)
    world = World(sign_in(tenant), http, tenant.tenant_token)
    device = world.device()
    world.upload("new", depends={"board": "other"})
    deployment = world.deploy("new", [device.id])

    answer = device.poll()

    if plan == "enterprise":
        serves_nothing(answer)
    else:
        assert serves(answer, deployment)["artifact_name"] == "new"


@pytest.mark.parametrize(
    ("more", "allowed"), [({}, True), ({"retries": 1}, False), ({"update_control_map": {}}, False)]
)
def test_the_plan_decides_about_rollout_options_of_configurations(
    sign_in: SignIn, http: httpx2.Client, more: Any, allowed: bool
):
    tenant = service.create_tenant("Some", plan="os")
    world = World(sign_in(tenant), http, tenant.tenant_token)
    place = f"/api/management/v1/deviceconfig/configurations/device/{world.device().id}"
    assert world.api.put(place, json={"a": "b"}).status_code == 204

    answer = world.api.post(f"{place}/deploy", json=more)

    assert answer.status_code == (200 if allowed else 403), answer.text


@pytest.mark.parametrize("plan", features.PLANS)
@pytest.mark.parametrize("addon", features.ADDONS)
def test_an_add_on_adds_its_features_to_any_plan(server: LocalServer, sign_in: SignIn, plan: str, addon: str):
    tenant = service.create_tenant("Some", plan=plan, addons=[{"name": addon, "enabled": True}])
    api = sign_in(tenant)
    brought = {feature for feature, name in features._BY_ADDON.items() if name == addon}
    assert brought
    refused = []
    for route in user_routes(server):
        if route.spec.feature in brought and route.spec.auth is Auth.USER:
            answer = route.call(api)
            if answer.status_code == 403:
                refused.append(f"{route.name}: {answer.text}")
    assert refused == []


@pytest.mark.parametrize(
    ("plan", "addons", "allowed"),
    [("enterprise", [], True), ("os", ["troubleshoot"], True), ("professional", [], False), ("os", ["monitor"], False)],
)
def test_playback_needs_the_largest_plan_or_the_add_on(sign_in: SignIn, plan: str, addons: list[str], allowed: bool):
    tenant = service.create_tenant("Some", plan=plan, addons=[{"name": name, "enabled": True} for name in addons])
    answer = sign_in(tenant).get("/api/management/v1/deviceconnect/sessions/none/recording")

    assert answer.status_code == (404 if allowed else 403), answer.text


def test_monitoring_is_independent_of_the_plan():
    for plan in features.PLANS:
        assert features.included(features.Feature.MONITORING, plan, {"monitor"})
        assert not features.included(features.Feature.MONITORING, plan, {"configure", "troubleshoot"})
