"""Creating, changing, deleting and listing webhooks (``docs/behaviour.md#webhooks``)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.aws import vault
from chalicelib.integrations.tables.integrations import IntegrationItem
from chalicelib.storage import keys
from chalicelib.tenantadm import service
from tests.devauth.fleet import device_path
from tests.integrations.conftest import BASE, SECRET, Hooks, register, webhook
from tests.support.moving import each_moment

URL = "https://hooks.example/a?b=c"
INTEGRATIONS = f"{BASE}/integrations"


def listed(api) -> list[dict[str, Any]]:
    answer = api.get(INTEGRATIONS)
    assert answer.status_code == 200
    shown: list[dict[str, Any]] = answer.json()
    return shown


def test_a_webhook_is_created_and_shown_without_its_secret(api):
    integration = register(api, URL, secret=SECRET, description="Ours", scopes=["inventory", "deviceauth"])

    assert listed(api) == [
        {
            "id": integration,
            "provider": "webhook",
            "credentials": {"type": "http", "http": {"url": URL, "secret": "<omitted>"}},
            "description": "Ours",
            "scopes": ["deviceauth", "inventory"],
            "additional_scopes": [],
        }
    ]


def test_optional_members_may_be_left_out(api):
    integration = register(api, URL)

    (shown,) = listed(api)
    assert shown == {
        "id": integration,
        "provider": "webhook",
        "credentials": {"type": "http", "http": {"url": URL}},
        "description": "",
        "scopes": ["deviceauth"],
        "additional_scopes": [],
    }


def test_the_secret_is_stored_encrypted(api, tenant):
    integration = register(api, URL, secret=SECRET)

    raw = IntegrationItem.get(keys.partition(tenant.id, "INTEGRATIONS"), integration)
    assert SECRET not in str(raw.serialize())
    assert bytes.fromhex(SECRET) not in raw.secret
    assert vault.unseal(raw.secret, tenant.id, integration) == SECRET


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "provider"),
        ({"provider": "mail"}, "provider"),
        ({"provider": "webhook"}, "credentials"),
        (webhook("https://x.example", provider="iot-hub"), "type must be sas"),
        ({"provider": "webhook", "credentials": {"type": "sas", "connection_string": "x"}}, "type must be http"),
        ({"provider": "webhook", "credentials": {"type": "http"}}, "http"),
        ({"provider": "webhook", "credentials": {"type": "http", "http": {}}}, "url"),
        ({"provider": "iot-hub", "credentials": {"type": "sas", "connection_string": "x"}}, "not supported"),
        ({"provider": "iot-core", "credentials": {"type": "aws", "aws": {}}}, "not supported"),
        (webhook("https://x.example", secret="xyz"), "hexadecimal"),
        (webhook("https://x.example", secret="abc"), "hexadecimal"),
        (webhook("https://x.example", secret="<omitted>"), "hexadecimal"),
        (webhook("https://x.example", secret="a" * (limits.INTEGRATION_SECRET + 2)), "hexadecimal"),
        (webhook("https://x.example", description="x" * 1025), "1024"),
        (webhook("https://x.example", scopes=["everything"]), "scopes"),
        (webhook("x.example"), "http://"),
        (webhook("ftp://x.example"), "http://"),
        (webhook("https://x.example:22"), "port"),
        (webhook("https://user@x.example"), "user"),
        (webhook("http://127.0.0.1/"), "not public"),
        (webhook("http://169.254.169.254/latest/meta-data"), "not public"),
        (webhook("http://2852039166/"), "not a valid IP address"),
        (webhook("http://0xa9.0xfe.0xa9.0xfe/"), "not a valid IP address"),
        (webhook("http://[::ffff:169.254.169.254]/"), "not public"),
        (webhook("http://[fd00:ec2::254]/"), "not public"),
        ([], ""),
        ("x", ""),
    ],
)
def test_invalid_webhooks_are_refused(api, body, text: str):
    answer = api.post(INTEGRATIONS, json=body)

    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]
    assert listed(api) == []


def test_a_url_has_one_integration(api, sign_in):
    first = register(api, URL)
    assert api.post(INTEGRATIONS, json=webhook(URL)).status_code == 409
    register(sign_in(service.create_tenant("Other")), URL)
    second = register(api, "https://other.example")
    taken = {"type": "http", "http": {"url": URL}}
    assert api.put(f"{INTEGRATIONS}/{second}/credentials", json=taken).status_code == 409

    assert api.delete(f"{INTEGRATIONS}/{first}").status_code == 204
    assert api.put(f"{INTEGRATIONS}/{second}/credentials", json=taken).status_code == 204
    register(api, "https://other.example")


def test_the_number_of_integrations_is_limited(api):
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda n: api.post(INTEGRATIONS, json=webhook(f"https://{n}.example")).status_code, range(14))
        )

    assert answers.count(201) <= limits.INTEGRATIONS
    assert set(answers) <= {201, 422, 503}
    for number in range(20):
        api.post(INTEGRATIONS, json=webhook(f"https://more{number}.example"))
    assert len(listed(api)) == limits.INTEGRATIONS
    page = api.get(INTEGRATIONS, params={"page": 2, "per_page": 4})
    assert [each["id"] for each in page.json()] == [each["id"] for each in listed(api)][4:8]
    assert 'rel="next"' in page.headers["Link"]
    assert api.get(INTEGRATIONS, params={"per_page": 0}).status_code == 400


def test_credentials_are_replaced(hooks: Hooks, world):
    first, other = hooks(secret=SECRET), hooks()
    place = f"{INTEGRATIONS}/{first.id}/credentials"
    world.api.delete(f"{INTEGRATIONS}/{other.id}")
    moved = {"type": "http", "http": {"url": other.listener.url + "/hook", "secret": "<omitted>"}}
    assert world.api.put(place, json=moved).status_code == 204
    world.device()

    assert first.posted() == []
    assert len(other.posted()) == 3
    assert all("x-men-signature" in sent.headers for sent in other.listener.received)

    unsigned = {"type": "http", "http": {"url": other.listener.url + "/hook"}}
    assert world.api.put(place, json=unsigned).status_code == 204
    assert listed(world.api)[0]["credentials"] == unsigned
    assert world.api.put(place, json=moved).status_code == 400  # there is no secret to keep
    world.device()
    assert len(other.posted()) == 6
    assert "x-men-signature" not in other.listener.received[-1].headers


@pytest.mark.parametrize(
    "body", [{}, {"type": "sas", "connection_string": "x"}, {"type": "http", "http": {"url": "http://10.0.0.1"}}]
)
def test_invalid_credentials_are_refused(api, body):
    integration = register(api, URL)

    assert api.put(f"{INTEGRATIONS}/{integration}/credentials", json=body).status_code == 400
    assert listed(api)[0]["credentials"]["http"]["url"] == URL


def test_a_removed_integration_gets_404(api):
    integration = register(api, URL)
    assert api.delete(f"{INTEGRATIONS}/{integration}").status_code == 204

    assert listed(api) == []
    for answer in (
        api.delete(f"{INTEGRATIONS}/{integration}"),
        api.put(f"{INTEGRATIONS}/{integration}/credentials", json={"type": "http", "http": {"url": URL}}),
    ):
        assert answer.status_code == 404
        assert answer.json()["error"] == "integration not found"
    register(api, URL)


def test_integrations_get_events_of_their_scopes_only(hooks: Hooks, world):
    devices, deployments = hooks(), hooks(scopes=["deployments"])
    world.device()

    assert len(devices.posted()) == 3
    assert deployments.posted() == []
    assert deployments.events(integration_id=deployments.id) == []
    assert len(deployments.events()) == 3


def test_events_are_listed_newest_first(hooks: Hooks, world, server):
    hook = hooks()
    device = world.device()
    world.api.delete(device_path(device.id))
    posted = hook.posted()

    shown = hook.events()
    assert [{name: event[name] for name in ("id", "type", "data", "time")} for event in shown] == posted[::-1]
    done = [{"integration_id": hook.id, "success": True, "status_code": 204}]
    assert [event["delivery_statuses"] for event in shown] == [done] * 4
    assert hook.events(integration_id=hook.id) == shown
    assert hook.events(integration_id=str(uuid.uuid4())) == []
    for query in ({}, {"integration_id": hook.id}):
        pages = [hook.events(page=page, per_page=1, **query) for page in (1, 2, 3, 4, 5)]
        assert [event for page in pages for event in page] == shown
    link = world.api.get(f"{BASE}/events", params={"per_page": 2}).headers["Link"]
    assert 'rel="next"' in link
    assert 'rel="next"' not in world.api.get(f"{BASE}/events", params={"per_page": 4}).headers["Link"]


@pytest.mark.parametrize("query", [{"integration_id": "x"}, {"page": 0}, {"per_page": 501}])
def test_bad_queries_of_events(api, query):
    assert api.get(f"{BASE}/events", params=query).status_code == 400


def test_devices_have_no_twins(api, world):
    device, nobody = world.device().id, str(uuid.uuid4())
    integration = register(api, URL)
    assert api.get(f"{BASE}/devices/{device}/state").json() == {}
    assert api.delete(f"{BASE}/devices/{device}").status_code == 204
    assert api.get(f"{BASE}/devices/{nobody}/state").status_code == 404
    assert api.delete(f"{BASE}/devices/{nobody}").status_code == 404
    for each in (integration, nobody):
        place = f"{BASE}/devices/{device}/state/{each}"
        assert api.get(place).status_code == 404
        assert api.put(place, json={"desired": {}}).status_code == 404


def test_permissions(api, tenant, sign_in):
    integration = register(api, URL)
    nobody = sign_in(tenant, "RBAC_ROLE_REMOTE_TERMINAL")
    credentials = {"type": "http", "http": {"url": URL}}
    for answer in (
        nobody.get(INTEGRATIONS),
        nobody.post(INTEGRATIONS, json=webhook("https://other.example")),
        nobody.put(f"{INTEGRATIONS}/{integration}/credentials", json=credentials),
        nobody.delete(f"{INTEGRATIONS}/{integration}"),
        nobody.get(f"{BASE}/events"),
        nobody.get(f"{BASE}/devices/{integration}/state"),
    ):
        assert answer.status_code == 403
    assert [each["id"] for each in listed(api)] == [integration]


def test_inventory_events_require_a_plan(api, tenant):
    service.set_plan(tenant.id, plan="os")
    assert api.post(INTEGRATIONS, json=webhook(URL, scopes=["inventory"])).status_code == 403
    assert api.post(INTEGRATIONS, json=webhook(URL)).status_code == 201


def test_an_event_that_is_delivered_during_the_listing_is_listed_once(hooks: Hooks, world, server):
    hook = hooks()

    def changes() -> Iterator[Callable[[], object]]:
        while True:
            world.device()
            yield server.drain

    wanted = {"integration_id": hook.id, "per_page": 100}
    for answer in each_moment(lambda: world.api.get(f"{BASE}/events", params=wanted), changes()):
        ids = [event["id"] for event in answer.json()]
        assert len(ids) == len(set(ids))
        assert ids == [event["id"] for event in hook.events(per_page=100)]


@pytest.mark.parametrize(
    ("given", "menders", "others"),
    [
        ({"scopes": ["deviceauth", "deployments"]}, ["deviceauth"], ["deployments"]),
        ({"scopes": ["deviceauth"], "additional_scopes": ["deployments"]}, ["deviceauth"], ["deployments"]),
        ({"scopes": [], "additional_scopes": ["deployments"]}, [], ["deployments"]),
        ({"additional_scopes": ["deployments"]}, [], ["deployments"]),
        ({"scopes": ["deployments"]}, [], ["deployments"]),
        ({"scopes": ["inventory", "deviceauth"]}, ["deviceauth", "inventory"], []),
        ({"scopes": [], "additional_scopes": []}, ["deviceauth"], []),
        ({}, ["deviceauth"], []),
    ],
)
def test_scopes_unknown_to_mender_are_in_their_own_member(api, given, menders, others):
    made = api.post(INTEGRATIONS, json=webhook(URL, **given))
    assert made.status_code == 201, made.text

    (shown,) = listed(api)
    assert (shown["scopes"], shown["additional_scopes"]) == (menders, others)
    assert api.delete(made.headers["Location"]).status_code == 204
    # The shown document can be sent back.
    again = webhook(URL, scopes=shown["scopes"], additional_scopes=shown["additional_scopes"])
    assert api.post(INTEGRATIONS, json=again).status_code == 201
    assert [(each["scopes"], each["additional_scopes"]) for each in listed(api)] == [(menders, others)]


def test_an_unknown_scope_is_refused_in_either_member(api):
    for member in ("scopes", "additional_scopes"):
        answer = api.post(INTEGRATIONS, json=webhook(URL, **{member: ["everything"]}))
        assert (answer.status_code, "scopes" in answer.json()["error"]) == (400, True)
