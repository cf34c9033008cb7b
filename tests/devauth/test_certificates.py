"""Devices with a certificate of the tenant's CA: accepted with its key only, while it is valid, for one identity."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.devauth.rules import certificates
from chalicelib.events import decommissioning
from tests.artifacts.signers import EC
from tests.devauth.acceptance import PREVIEW, RULES, create, rule
from tests.devauth.authority import NOW, ONLY_SIGNATURES, Ca, a_key, pem, text
from tests.devauth.fleet import decide, device_path, find
from tests.simulator.device import Device, PrivateKey, new_key
from tests.support.probe import counted
from tests.support.time import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from chalicelib.tenantadm.service import Tenant


@pytest.fixture(scope="module")
def ca() -> Ca:
    return Ca()


def trusting(ca: Ca, **more: Any) -> dict[str, Any]:
    """A rule that accepts the devices of a CA."""
    return {"name": "by certificate", "type": "certificate", "certificates": [ca.pem]} | more


@pytest.fixture
def certified(http: httpx2.Client, tenant: Tenant, ca: Ca) -> Callable[..., Device]:
    """Create a device with a certificate of the CA for its key."""

    def make(key: PrivateKey | None = None, name: str = "device-1", issuer: Ca = ca, **about: Any) -> Device:
        own = key or new_key()
        shown = text(issuer.sign(name, own, **about))
        return Device(http, tenant.tenant_token, identity={"serial": name, "certificate": shown}, key=own)

    return make


class TestAccepting:
    @pytest.mark.parametrize(
        "make", [new_key, a_key, lambda: rsa.generate_private_key(65537, 2048)], ids=["Ed25519", "ECDSA", "RSA"]
    )
    def test_a_device_with_a_certificate_gets_its_token(self, api, ca, certified, make):
        rule_id = create(api, trusting(ca))
        assert certified(make()).auth().status_code == 200
        assert rule(api, rule_id)["accepted_today"] == 1

    def test_the_certificate_may_be_in_pem(self, api, http, tenant, ca):
        create(api, trusting(ca))
        key = new_key()
        identity = {"certificate": pem(ca.sign("a", key))}
        assert Device(http, tenant.tenant_token, identity=identity, key=key).auth().status_code == 200

    def test_a_chain_over_another_ca(self, api, http, tenant, ca):
        create(api, trusting(ca))
        line = Ca("line 4", ca)
        key = new_key()
        leaf = line.sign("a", key)
        alone = Device(http, tenant.tenant_token, identity={"certificate": text(leaf)}, key=key)
        chain = Device(
            http, tenant.tenant_token, identity={"certificate": [text(leaf), text(line.certificate)]}, key=key
        )
        assert (alone.auth().status_code, chain.auth().status_code) == (401, 200)

    def test_a_ca_in_between_may_be_trusted_alone(self, api, ca, certified):
        line, other = Ca("line 4", ca), Ca("line 5", ca)
        create(api, trusting(line))
        assert certified(issuer=line).auth().status_code == 200
        assert certified(issuer=other).auth().status_code == 401

    def test_the_common_name_may_have_to_be_an_attribute(self, api, certified, ca):
        create(api, trusting(ca, common_name="serial"))
        device, lying = certified(), certified(name="device-2")
        lying.identity["serial"] = "device-3"
        missing = certified()
        del missing.identity["serial"]
        assert [each.auth().status_code for each in (device, lying, missing)] == [200, 401, 401]

    def test_patterns_must_match_too(self, api, certified, ca):
        create(api, trusting(ca, pattern={"serial": "device-1*"}))
        assert [certified(name=name).auth().status_code for name in ("device-1", "device-2")] == [200, 401]

    def test_the_preview_verifies_certificates(self, api, certified, ca):
        devices = [certified(), certified(issuer=Ca()), certified(name="device-2")]
        for device in devices:
            device.auth()
        found = api.post(PREVIEW, json=trusting(ca)).json()["devices"]
        assert {each["id"] for each in found} == {find(api, devices[0])["id"], find(api, devices[2])["id"]}

    def test_another_pending_key_does_not_prevent_it(self, api, certified, ca):
        device = certified()
        stranger = Device(device.http, device.tenant_token, identity=device.identity)
        stranger.auth()
        create(api, trusting(ca))
        assert stranger.auth().status_code == 401
        assert device.auth().status_code == 200


class TestRefusing:
    def test_a_copied_identity_without_the_key(self, api, certified, ca):
        create(api, trusting(ca))
        device = certified()
        copied = Device(device.http, device.tenant_token, identity=device.identity)
        assert copied.auth().status_code == 401
        assert find(api, copied)["status"] == "pending"
        assert device.auth().status_code == 200
        assert copied.auth().status_code == 401

    def test_one_certificate_is_for_one_identity(self, api, certified, ca):
        create(api, trusting(ca))
        device = certified()
        assert device.auth().status_code == 200
        again = Device(device.http, device.tenant_token, identity=device.identity | {"serial": "x"}, key=device.key)
        assert again.auth().status_code == 401
        with counted() as cost:
            assert again.auth().status_code == 401
        assert cost.write_units == 0

    def test_a_decommissioned_device_does_not_return_with_another_identity(self, api, certified, ca, tenant):
        create(api, trusting(ca))
        device = certified()
        device.auth()
        api.delete(device_path(device.id))
        decommissioning.clear_out(tenant.id, device.id)
        assert device.auth().status_code == 401
        device.identity["serial"] = "x"
        assert device.auth().status_code == 401

    @pytest.mark.parametrize(
        "about",
        [
            {"until": timedelta(seconds=-1)},
            {"since": timedelta(days=1)},
            {"extensions": [x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x")]},
        ],
        ids=["expired", "not yet valid", "with an unknown critical extension"],
    )
    def test_a_certificate_that_is_not_valid(self, api, certified, ca, about):
        create(api, trusting(ca))
        assert certified(**about).auth().status_code == 401

    @pytest.mark.parametrize(
        "about",
        [{"ca": False}, {"usage": ONLY_SIGNATURES}, {"until": timedelta(seconds=-1)}],
        ids=["no CA", "may not sign certificates", "expired"],
    )
    def test_an_issuer_in_between_that_is_not_one(self, api, http, tenant, ca, about):
        create(api, trusting(ca))
        line, key = Ca("line 4", ca, **about), new_key()
        identity = {"certificate": [text(line.sign("a", key)), text(line.certificate)]}
        assert Device(http, tenant.tenant_token, identity=identity, key=key).auth().status_code == 401

    def test_a_path_that_is_longer_than_the_ca_allows(self, api, http, tenant):
        short = Ca(path=0)
        create(api, trusting(short))
        line, key = Ca("line 4", short), new_key()
        identity = {"certificate": [text(line.sign("a", key)), text(line.certificate)]}
        assert Device(http, tenant.tenant_token, identity=identity, key=key).auth().status_code == 401

    def test_another_ca_of_the_same_name(self, api, certified, ca):
        create(api, trusting(ca))
        assert certified(issuer=Ca()).auth().status_code == 401

    def test_a_rejected_device_with_its_certificate(self, api, certified, ca):
        device = certified()
        device.auth()
        decide(api, device, "rejected")
        create(api, trusting(ca))
        assert device.auth().status_code == 401

    def test_a_ca_that_expired_after_the_rule_was_made(self, api, certified, monkeypatch):
        moment = Clock(monkeypatch)
        short = Ca(until=timedelta(hours=1))
        create(api, trusting(short))
        assert certified(issuer=short, name="before").auth().status_code == 200
        moment.move(hours=2)
        assert certified(issuer=short, name="after").auth().status_code == 401

    @given(
        shown=st.recursive(
            st.none()
            | st.booleans()
            | st.floats()
            | st.text()
            | st.binary().map(lambda raw: base64.b64encode(raw).decode()),
            st.lists,
            max_leaves=6,
        )
    )
    def test_nothing_else_is_a_certificate(self, ca, shown):
        assert not certificates.is_certified([ca.pem], shown, "key", None, NOW)

    # The changed bit may be the sign of the serial number.
    @pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
    @given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
    def test_no_changed_certificate_is_accepted(self, ca, place, bit):
        key = a_key()
        device = Device(None, key=key)  # type: ignore[arg-type]  # only its key is used
        good = ca.sign("a", key).public_bytes(Encoding.DER)
        assert certificates.is_certified([ca.pem], base64.b64encode(good).decode(), device.pubkey, None, NOW)
        bad = bytearray(good)
        bad[place % len(bad)] ^= 1 << bit
        assert not certificates.is_certified([ca.pem], base64.b64encode(bad).decode(), device.pubkey, None, NOW)


class TestRules:
    def test_the_rule_shows_what_its_certificates_are(self, api, ca):
        shown = rule(api, create(api, trusting(ca)))
        assert shown["certificates"] == [ca.pem]
        assert shown["authorities"][0]["subject"] == "CN=factory"
        assert shown["authorities"][0]["not_after"][:10] == f"{NOW + timedelta(days=365):%Y-%m-%d}"

    def test_what_the_api_shows_can_be_sent_back(self, api, ca):
        rule_id = create(api, trusting(ca))
        shown = rule(api, rule_id)
        assert api.put(f"{RULES}/{rule_id}", json=shown | {"name": "other"}).status_code == 204
        assert rule(api, rule_id)["name"] == "other"

    def test_a_rule_can_be_disabled_after_its_ca_has_expired(self, api, monkeypatch):
        moment = Clock(monkeypatch)
        short = trusting(Ca(until=timedelta(hours=1)))
        rule_id = create(api, short)
        moment.move(hours=2)
        assert api.put(f"{RULES}/{rule_id}", json=short | {"enabled": False}).status_code == 204
        assert api.post(RULES, json=short | {"name": "new"}).status_code == 400

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda: Ca(ca=False).pem, "it is no CA"),
            (lambda: Ca(usage=ONLY_SIGNATURES).pem, "it is no CA"),
            (lambda: pem(Ca().sign("a", a_key())), "no basic constraints"),
            (lambda: Ca(key=new_key()).pem, "must be RSA with"),
            (lambda: Ca(key=ec.generate_private_key(ec.SECP256K1())).pem, "or ECDSA on P-256"),
            (lambda: Ca(key=rsa.generate_private_key(65537, 1024)).pem, "2048 bits or more"),  # noqa: S505  # that is the point
            (lambda: Ca().pem + Ca().pem, "several certificates"),
            (lambda: EC.private + Ca().pem, "contains a private key"),
            (lambda: Ca(until=timedelta(seconds=-1)).pem, "has expired"),
            (lambda: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "cannot decode"),
            (lambda: "x" * 9000, "too large"),
        ],
        ids=[
            *("no CA", "key usage", "a device's", "Ed25519", "another curve", "short", "several", "private key"),
            *("expired", "cut off", "too large"),
        ],
    )
    def test_other_certificates_are_refused(self, api, make, reason):
        answer = api.post(RULES, json={"name": "x", "type": "certificate", "certificates": [make()]})
        assert answer.status_code == 400
        assert reason in answer.json()["error"]

    def test_a_ca_without_key_usage_is_accepted(self, api, certified):
        """As ``openssl req -x509`` makes them."""
        plain = Ca(usage=None)
        create(api, trusting(plain))
        assert certified(issuer=plain).auth().status_code == 200
