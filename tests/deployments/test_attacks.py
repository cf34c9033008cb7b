"""A device cannot affect deployments of other devices, whatever ids and tokens it knows."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from chalicelib.tenantadm import service
from tests.deployments.world import World, serves
from tests.devauth.fleet import DEVICES, decide, device_path, find, set_of
from tests.deviceconfig.operator import Configured, fetch
from tests.simulator.device import AUTH_REQUESTS, Device

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from tests.conftest import SignIn


@pytest.fixture
def other(http: httpx2.Client, sign_in: SignIn) -> World:
    """Another tenant."""
    tenant = service.create_tenant("Other")
    return World(sign_in(tenant), http, tenant.tenant_token)


def test_reports_for_deployments_of_other_devices_are_refused(world: World, other: World) -> None:
    mine, neighbour, stranger = world.device(), world.device(), other.device()
    world.upload("next")
    deployment = world.deploy("next", [mine.id])
    serves(mine.poll(), deployment)

    log = {"messages": [{"timestamp": "2026-01-01T00:00:00Z", "level": "error", "message": "evil"}]}
    for evil in (neighbour, stranger):
        for status in ("downloading", "success", "failure", "already-installed"):
            assert evil.report(deployment, status).status_code == 404, status
        path = f"/v1/deployments/device/deployments/{deployment}/log"
        assert evil.call("PUT", path, log).status_code == 404
    assert world.numbers(deployment) == {"pending": 1}
    assert list(world.rows(deployment)) == [mine.id]


def test_the_body_of_a_poll_cannot_name_another_device(world: World) -> None:
    """The token identifies the device; the body only describes its software."""
    mine, evil = world.device(), world.device()
    world.upload("next")
    world.deploy("next", [mine.id])

    for said in ({"device_id": mine.id}, {"id": mine.id}, {"tenant_id": "x"}, {"mender.tenant": "x"}):
        assert evil.poll(**said).status_code == 204


def test_a_preauthorized_identity_is_accepted_with_its_own_key_only(
    api: httpx2.Client, http: httpx2.Client, tenant: Tenant
) -> None:
    """Identities are not secret, so only the preauthorized key is accepted at once."""
    honest = Device(http, tenant.tenant_token)
    made = api.post(DEVICES, json={"identity_data": honest.identity, "pubkey": honest.pubkey})
    assert made.status_code == 201
    thief = Device(http, tenant.tenant_token, identity=honest.identity)

    assert thief.auth().status_code == 401
    stolen = thief.auth_body().replace(
        thief.pubkey.replace("\n", "\\n").encode(), honest.pubkey.replace("\n", "\\n").encode()
    )
    assert thief.auth(stolen).status_code == 401, "the public key of another device, signed with the own key"
    assert honest.auth().status_code == 200
    assert thief.auth().status_code == 401
    assert [item["status"] for item in find(api, honest)["auth_sets"]].count("accepted") == 1


def test_a_tenant_token_of_another_tenant_leads_to_a_pending_device(world: World, other: World) -> None:
    """The same identity and key are another device there, pending like any other."""
    mine = world.device()
    there = Device(world.http, other.token, identity=mine.identity, key=mine.key)

    assert there.auth().status_code == 401
    assert find(other.api, there)["id"] != mine.id
    assert decide(other.api, there, "accepted").status_code == 204
    assert there.auth().status_code == 200
    assert there.claims["mender.tenant"] != mine.claims["mender.tenant"]
    assert world.api.get(device_path(there.id)).status_code == 404


def test_old_device_tokens_get_401(world: World, server) -> None:
    """After decommissioning, with another key, or after rejecting and accepting again."""
    gone, moved, back = (world.device() for _ in range(3))
    old = {device.id: device.token for device in (gone, moved, back)}
    assert world.api.delete(device_path(gone.id)).status_code == 204
    again = Device(world.http, world.token, identity=gone.identity, key=gone.key)
    assert gone.poll().status_code == 401
    server.drain()
    assert again.auth().status_code == 401
    device_id, set_id = set_of(world.api, again)
    world.accept(device_id, set_id)
    assert gone.poll().status_code == 401, "the device has a new id when it returns"

    newer = Device(world.http, world.token, identity=moved.identity)
    assert newer.auth().status_code == 401
    assert decide(world.api, newer, "accepted").status_code == 204
    assert moved.poll().status_code == 401, "the other key is accepted instead"

    for status in ("rejected", "accepted"):
        assert decide(world.api, back, status).status_code == 204
    assert old[back.id] == back.token
    assert back.poll().status_code == 401, "a revoked token stays revoked"
    assert back.auth().status_code == 200
    assert back.poll().status_code == 204


@pytest.mark.parametrize("change", ["signature", "body", "none", "of another body", "of another key"])
def test_requests_with_a_wrong_signature_are_refused(world: World, change: str) -> None:
    device, evil = world.device(), Device(world.http, world.token)
    raw = device.auth_body()
    signature = {
        "signature": device.sign(raw)[:-4] + "AAAA",
        "body": device.sign(raw),
        "none": "",
        "of another body": device.sign(b"{}"),
        "of another key": evil.sign(raw),
    }[change]
    sent = raw.rstrip() + b" \n" if change == "body" else raw
    headers = {"Content-Type": "application/json", "X-MEN-Signature": signature}

    answer = world.http.post(AUTH_REQUESTS, content=sent, headers=headers)

    assert answer.status_code in {400, 401}
    assert device.poll().status_code == 204


def test_a_configuration_link_is_valid_for_its_device_only(world: World, other: World) -> None:
    mine, neighbour = Configured(world, world.device()), world.device()
    assert mine.set({"key": "secret"}).status_code == 204
    deployment = mine.deploy()
    link = serves(mine.device.poll(), deployment)["source"]["uri"]
    tenant, elsewhere = mine.device.claims["mender.tenant"], other.device().claims["mender.tenant"]

    assert fetch(world, link).status_code == 200
    for wrong in (
        link.replace(mine.device.id, neighbour.id),
        link.replace(deployment, str(uuid.uuid4())),
        link.replace(tenant, elsewhere),
        link.replace("x-men-signature=", "x-men-signature=A"),
        link.partition("?")[0],
    ):
        assert fetch(world, wrong).status_code in {400, 403, 404}, wrong
    assert neighbour.poll().status_code == 204
