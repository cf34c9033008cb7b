"""The signed link to the artifact of a configuration, and its download (``docs/behaviour.md#configuration-links``)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chalicelib import settings
from chalicelib.aws import link_secret
from chalicelib.deployments.rules import configuration as rules
from chalicelib.deployments.rules.configuration import LinkParameters
from chalicelib.errors import BadRequest, Forbidden
from tests.artifacts.container.build import parse_bytes
from tests.deployments.world import serves
from tests.deviceconfig.operator import Configured, fetch

DOWNLOAD = "/api/devices/v1/deployments/download/configuration"


def test_the_signature_equals_that_of_menders_server():
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
def test_a_link_is_valid_for_one_configuration_and_device_only(names, others, secret):
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
def test_invalid_expiry_times_are_refused(expire):
    with pytest.raises(BadRequest):
        rules.verify(SECRET, "d", "t", "i", given=LinkParameters(expire, "s", "t"), now=NOW)


@pytest.mark.parametrize("kind", ["beagle bone", "a/b", "ü", "100%", "a?b&c=d", "a+b"])
def test_device_types_of_any_characters(configured: Configured, kind: str):
    configured.device.device_type = kind
    configured.set({"a": "b"})
    answer = fetch(configured.world, configured.link(configured.deploy()))
    assert answer.status_code == 200, answer.text
    assert parse_bytes(answer.content).device_types == (kind,)


def test_the_host_and_lifetime_of_the_link(configured: Configured, server):
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
def test_without_a_public_url_the_link_has_the_host_of_the_request(
    configured: Configured, monkeypatch, headers: dict[str, str], begins: str
):
    known = replace(settings.current(), public_url="")
    monkeypatch.setattr(settings, "current", lambda: known)
    deployment = configured.deploy()
    configured.world.http.headers.update(headers)

    link = configured.link(deployment)

    assert link.startswith(begins)


def test_a_modified_link_is_refused(configured: Configured, tenant):
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


def test_a_valid_link_to_a_deleted_configuration(configured: Configured, tenant, server):
    soon = (datetime.now(UTC) + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world = configured.world
    world.upload("software")
    for deployment in (str(uuid.uuid4()), world.deploy("software", [configured.device.id])):
        link = rules.link(link_secret.get(), deployment, "t", configured.device.id, expire=soon, tenant=tenant.id)
        assert fetch(world, link).status_code == 404


def test_a_new_secret_invalidates_links_and_the_next_poll_has_a_new_one(configured: Configured):
    deployment = configured.deploy()
    link = configured.link(deployment)
    link_secret.replace()

    assert fetch(configured.world, link).json()["error"] == "signature invalid"
    assert fetch(configured.world, configured.link(deployment)).status_code == 200


def test_downloading_twice_and_in_ranges(configured: Configured):
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
