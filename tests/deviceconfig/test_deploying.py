"""Configuration deployments: made in one step, waiting on the device alone, fetched by a link (behaviour notes D8)."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.deployments.rules import configuration as rules
from chalicelib.deployments.rules.configuration import LinkParameters
from chalicelib.errors import BadRequest, Forbidden
from tests.artifacts.container.build import parse_bytes
from tests.deployments.world import DEPLOYMENTS, World, serves, serves_nothing
from tests.deviceconfig.operator import PLACE, Configured
from tests.support.crashes import each_crash
from tests.support.probe import counted

DOWNLOAD = "/api/devices/v1/deployments/download/configuration"


def fetch(world: World, link: str, **headers: str) -> Any:
    return world.http.get(link, headers=headers)


# --- the whole way --------------------------------------------------------------------------------


def test_from_a_wish_to_a_configured_device(configured: Configured):
    world, device = configured.world, configured.device
    configured.set({"timezone": "UTC", "pw": "hunter2", "x": "é"})
    deployment = configured.deploy()
    name = f"configuration-{deployment}"
    assert configured.shown()["deployment_id"] == deployment

    artifact = serves(device.poll(), deployment)
    assert artifact["id"] == deployment + device.id
    assert artifact["artifact_name"] == name
    assert artifact["device_types_compatible"] == [device.device_type]

    answer = fetch(world, artifact["source"]["uri"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/vnd.mender-artifact"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="artifact.mender"'
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    read = parse_bytes(answer.content)
    assert (read.name, read.format_version, read.signed) == (name, 3, False)
    assert read.depends == {"device_type": (device.device_type,)}
    assert read.provides == {"artifact_name": name, "data-partition.mender-configure.version": name}
    assert read.clears_provides == ("data-partition.mender-configure.*",)
    (payload,) = read.payloads
    assert (payload.type, payload.files) == ("mender-configure", ())
    assert payload.metadata == {"timezone": "UTC", "pw": "hunter2", "x": "é"}

    for status in ("downloading", "installing", "success"):
        assert device.report(deployment, status).status_code == 204
    assert world.show(deployment)["status"] == "finished"
    assert world.numbers(deployment) == {"success": 1}
    serves_nothing(device.poll())


def test_how_a_deployment_is_shown(configured: Configured):
    world = configured.world
    configured.set({"a": "secret", "b": "xy"})
    deployment = configured.deploy(retries=2)
    world.upload("software")
    software = world.deploy("software", [configured.device.id])

    shown = world.show(deployment)
    assert shown["name"] == shown["artifact_name"] == f"configuration-{deployment}"
    assert (shown["type"], shown["max_devices"], shown["retries"], shown["artifacts"]) == ("configuration", 1, 2, [])
    assert json.loads(base64.b64decode(shown["configuration"])) == {"a": "sec...<omitted>", "b": "xy...<omitted>"}
    assert "configuration" not in world.show(software)

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in world.api.get(DEPLOYMENTS, params=query).json()]

    assert listed() == [software, deployment]
    assert listed(type="configuration") == [deployment]
    assert listed(type="software") == [software]
    serves(configured.device.poll(), deployment)
    (row,) = world.rows(deployment).values()
    assert "image" not in row
    history = world.api.get(f"{DEPLOYMENTS}/devices/{configured.device.id}").json()
    assert history[0]["deployment"]["configuration"] == shown["configuration"]


def test_the_same_again_is_another_deployment(configured: Configured):
    configured.set({"a": "b"})
    first, second = configured.deploy(), configured.deploy()
    assert first != second

    # In their order, and what is there is installed again: the device's artifact name says nothing about it.
    configured.device.artifact_name = f"configuration-{first}"
    serves(configured.device.poll(), first)
    configured.device.report(first, "success")
    serves(configured.device.poll(), second)


def test_a_deployment_keeps_what_it_was_made_with(configured: Configured):
    configured.set({"a": "first"})
    link = configured.link(configured.deploy())
    configured.set({"a": "second"})

    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {"a": "first"}


def test_a_device_that_nobody_configured_gets_nothing_to_set(configured: Configured):
    link = configured.link(configured.deploy())
    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {}


def test_attempts_and_an_abort(configured: Configured):
    world, device = configured.world, configured.device
    deployment = configured.deploy(retries=1)
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    serves(device.poll(), deployment)
    device.report(deployment, "failure")
    assert world.numbers(deployment) == {"failure": 1}

    again = configured.deploy()
    serves(device.poll(), again)
    world.abort(again)
    assert device.report(again, "installing").status_code == 409
    serves_nothing(device.poll())


@pytest.mark.parametrize(
    "body", [{"retries": -1}, {"retries": "1"}, {"update_control_map": []}, [], None, {"retries": 10**9}]
)
def test_what_deploy_does_not_take(configured: Configured, body: object):
    answer = configured.world.api.post(f"{PLACE}/{configured.device.id}/deploy", json=body)
    assert answer.status_code == 400


def test_deploy_needs_a_body(configured: Configured):
    place = f"{PLACE}/{configured.device.id}/deploy"
    assert configured.world.api.post(place).status_code == 400
    # Names in any letters, others ignored: as everywhere.
    assert configured.world.api.post(place, json={"Retries": 1, "else": True}).status_code == 200


# --- what it costs --------------------------------------------------------------------------------


def test_no_other_device_sees_it_and_its_own_stays_cheap(configured: Configured, warm):
    world, device = configured.world, configured.device
    other = world.device()
    configured.set({"a": "b" * 1000})
    with counted() as made:
        deployment = configured.deploy()
    assert made.by_operation["TransactWriteItems"] == 1

    with counted() as idle:
        serves_nothing(other.poll())
    assert idle.calls == ["GetItem"]
    assert (idle.read_units, idle.write_units) == (1, 0)

    with counted() as first:
        serves(device.poll(), deployment)
    assert sorted(first.calls) == ["GetItem", "GetItem", "TransactWriteItems"]
    assert first.read_units <= 2
    with counted() as again:
        link = configured.link(deployment)
    assert again.round_trips <= 2
    assert (again.read_units <= 1.5, again.write_units) == (True, 0)
    with counted() as fetched:
        assert fetch(world, link).status_code == 200
    assert fetched.calls == ["GetItem"]


def test_a_device_that_is_never_there_does_not_fill_up(configured: Configured, tenant):
    from chalicelib.fleet import control

    for _ in range(limits.HEAD_QUEUE):
        configured.deploy()

    answer = configured.world.api.post(f"{PLACE}/{configured.device.id}/deploy", json={})

    assert answer.status_code == 422
    assert control.get(tenant.id, fresh=True).open == ()


# --- the link -------------------------------------------------------------------------------------


def test_the_signature_is_the_one_that_devices_of_other_servers_know():
    link = rules.link(
        b"0123456789abcdef0123456789abcdef",
        "6d5f0b4e-0000-4000-8000-000000000001",
        "qemux86-64",
        "6d5f0b4e-0000-4000-8000-000000000002",
        expire="2030-01-02T03:04:05Z",
        tenant="",
    )

    parts = urlsplit(link)
    assert parts.path == (
        f"{DOWNLOAD}/6d5f0b4e-0000-4000-8000-000000000001/qemux86-64/6d5f0b4e-0000-4000-8000-000000000002"
    )
    assert parse_qs(parts.query) == {
        "x-men-expire": ["2030-01-02T03:04:05Z"],
        "x-men-signature": ["zhbhgc4wn2l86zhLX9-DTPlTyt50t4xuTfr3q5cnSvg"],
    }


NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
SOME = st.text(min_size=1, max_size=30)
SECRET = b"secret"


def given_by(link: str) -> LinkParameters:
    query = parse_qs(urlsplit(link).query)
    return LinkParameters(*(query.get(name, [""])[0] for name in (rules.EXPIRE, rules.SIGNATURE, rules.TENANT)))


@given(names=st.tuples(SOME, SOME, SOME, SOME), others=st.tuples(SOME, SOME, SOME, SOME), secret=st.binary(min_size=1))
def test_a_link_is_good_for_what_it_was_made_for_and_nothing_else(names, others, secret):
    *place, tenant = names
    said = "2030-01-02T03:04:05Z"
    signed = given_by(rules.link(SECRET, *place, expire=said, tenant=tenant))
    rules.verify(SECRET, *place, given=signed, now=NOW)

    *elsewhere, stranger = others
    for key, where, shown in (
        (SECRET, elsewhere, signed),
        (SECRET, place, replace(signed, tenant=stranger)),
        (SECRET, place, replace(signed, expire="2030-01-02T03:04:06Z")),
        (secret, place, signed),
    ):
        if (key, where, shown) != (SECRET, place, signed):
            with pytest.raises(Forbidden, match="signature invalid"):
                rules.verify(key, *where, given=shown, now=NOW)
    with pytest.raises(Forbidden, match="URL expired"):
        rules.verify(SECRET, *place, given=signed, now=NOW + timedelta(seconds=1))


@pytest.mark.parametrize("expire", ["", "soon", "2030-01-02", "2030-01-02T03:04:05", "1893553445", "\x00"])
def test_a_time_that_is_none(expire):
    with pytest.raises(BadRequest):
        rules.verify(SECRET, "d", "t", "i", given=LinkParameters(expire, "s", "t"), now=NOW)


@pytest.mark.parametrize("kind", ["beagle bone", "a/b", "ü", "100%", "a?b&c=d", "a+b"])
def test_device_types_of_any_letters(configured: Configured, kind: str):
    configured.device.device_type = kind
    configured.set({"a": "b"})
    answer = fetch(configured.world, configured.link(configured.deploy()))
    assert answer.status_code == 200, answer.text
    assert parse_bytes(answer.content).device_types == (kind,)


def test_where_the_link_leads_and_how_long(configured: Configured, server):
    before = datetime.now(UTC)
    deployment = configured.deploy()
    source = serves(configured.device.poll(), deployment)["source"]
    assert source["uri"].startswith(f"{server.url}{DOWNLOAD}/")
    expire = datetime.fromisoformat(source["expire"])
    assert timedelta(seconds=898) <= expire - before <= timedelta(seconds=905)
    assert parse_qs(urlsplit(source["uri"]).query)["x-men-expire"] == [source["expire"]]


@pytest.mark.parametrize(
    ("headers", "begins"),
    [
        ({}, "http://localhost:"),
        ({"X-Forwarded-Host": "mender.example.com"}, "http://mender.example.com/"),
    ],
)
def test_without_a_public_url_the_link_leads_where_the_device_came(
    configured: Configured, monkeypatch, headers: dict[str, str], begins: str
):
    from chalicelib import settings

    known = replace(settings.current(), public_url="")
    monkeypatch.setattr(settings, "current", lambda: known)
    deployment = configured.deploy()
    configured.world.http.headers.update(headers)

    link = configured.link(deployment)

    assert link.startswith(begins)


def test_a_link_that_was_changed(configured: Configured, tenant):
    configured.set({"a": "b"})
    deployment = configured.deploy()
    link = configured.link(deployment)
    world = configured.world

    def refused(other: str, status: int, text: str) -> None:
        answer = fetch(world, other)
        assert (answer.status_code, answer.json()["error"]) == (status, text), other

    refused(link.replace("qemux86-64", "other"), 403, "signature invalid")
    refused(link.replace(configured.device.id, str(uuid.uuid4())), 403, "signature invalid")
    refused(link.replace(tenant.id, "other"), 403, "signature invalid")
    refused(link.replace("x-men-signature=", "x-men-signature=A"), 403, "signature invalid")
    refused(link.partition("?")[0], 400, "missing required query parameter: x-men-expire")
    old = link.replace("x-men-expire=20", "x-men-expire=19")
    refused(old, 403, "URL expired")
    refused(link.replace("x-men-expire=", "x-men-expire=x"), 400, "invalid x-men-expire: not a time")


def test_a_good_link_to_nothing(configured: Configured, tenant, server):
    from chalicelib.aws import link_secret

    soon = (datetime.now(UTC) + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world = configured.world
    world.upload("software")
    for deployment in (str(uuid.uuid4()), world.deploy("software", [configured.device.id])):
        link = rules.link(link_secret.get(), deployment, "t", configured.device.id, expire=soon, tenant=tenant.id)
        assert fetch(world, link).status_code == 404


def test_a_new_secret_ends_links_and_the_next_poll_brings_another(configured: Configured):
    from chalicelib.aws import link_secret

    deployment = configured.deploy()
    link = configured.link(deployment)
    link_secret.replace()

    assert fetch(configured.world, link).json()["error"] == "signature invalid"
    assert fetch(configured.world, configured.link(deployment)).status_code == 200


def test_fetched_twice_and_in_parts(configured: Configured):
    world = configured.world
    configured.set({"a": "b"})
    link = configured.link(configured.deploy())
    whole = fetch(world, link).content
    assert fetch(world, link).content == whole

    for asked, part, told in (
        ("bytes=0-99", whole[:100], f"bytes 0-99/{len(whole)}"),
        ("bytes=5000-", whole[5000:], f"bytes 5000-{len(whole) - 1}/{len(whole)}"),
        ("bytes=-10", whole[-10:], f"bytes {len(whole) - 10}-{len(whole) - 1}/{len(whole)}"),
        ("bytes=9000-999999", whole[9000:], f"bytes 9000-{len(whole) - 1}/{len(whole)}"),
    ):
        answer = fetch(world, link, Range=asked)
        assert (answer.status_code, answer.content, answer.headers["Content-Range"]) == (206, part, told)
    for asked in ("bytes=1-2,5-6", "lines=1-2", "bytes=-", "bytes=x-"):
        assert fetch(world, link, Range=asked).content == whole
    for asked in (f"bytes={len(whole)}-", "bytes=7-3", "bytes=-0"):
        answer = fetch(world, link, Range=asked)
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


# --- races and crashes ----------------------------------------------------------------------------


def test_what_is_wanted_changes_while_it_is_deployed(configured: Configured, monkeypatch):
    from chalicelib.deployments import service as deployments

    configured.set({"a": "old"})
    real = deployments.deploy_configuration
    calls: list[Any] = []

    def slowly(*arguments: Any, **more: Any) -> None:
        if not calls:
            configured.set({"a": "new"})
        calls.append(arguments)
        real(*arguments, **more)

    monkeypatch.setattr(deployments, "deploy_configuration", slowly)
    deployment = configured.deploy()

    assert len(calls) == 2
    link = configured.link(deployment)
    assert parse_bytes(fetch(configured.world, link).content).payloads[0].metadata == {"a": "new"}
    assert configured.world.api.get(DEPLOYMENTS).headers["X-Total-Count"] == "1"


def test_it_dies_at_any_call_and_is_asked_again(configured: Configured, tenant):
    from chalicelib.deviceconfig import service
    from chalicelib.deviceconfig.shapes import NewConfigurationDeployment

    configured.set({"a": "b"})
    api, device = configured.world.api, configured.device
    deploy = partial(service.deploy, tenant.id, device.id, NewConfigurationDeployment())
    deaths = 0
    for _ in each_crash(deploy):
        deaths += 1
        newest = deploy()
        # However it went: what is noted is whole, and counted once.
        assert configured.shown()["deployment_id"] == newest
        answer = api.get(DEPLOYMENTS, params={"per_page": 500})
        assert all("configuration" in each for each in answer.json())
        assert answer.headers["X-Total-Count"] == str(len(answer.json()))
        # And in line: each is served, and ends.
        for waiting in reversed([each["id"] for each in answer.json() if each["status"] != "finished"]):
            serves(device.poll(), waiting)
            assert device.report(waiting, "success").status_code == 204
        serves_nothing(device.poll())
    assert deaths >= 6
