"""Trusted keys, the trust policy, and which uploads it refuses or marks."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from chalicelib import limits
from chalicelib.artifacts import service
from chalicelib.artifacts.container import signatures
from chalicelib.artifacts.service import trust
from chalicelib.artifacts.tables import trust as trust_table
from chalicelib.errors import Unprocessable
from chalicelib.fleet import control
from chalicelib.storage import dynamodb
from chalicelib.tenantadm import service as tenants
from tests.artifacts.catalog import ARTIFACTS, RELEASES, V1, Catalog
from tests.artifacts.signers import EC, ED25519, RSA, SIGNERS
from tests.artifacts.test_direct import complete, put, request, result, uploaded
from tests.artifacts.test_generate import generate
from tests.simulator.artifacts import PayloadSpec, build_artifact
from tests.support import probe

if TYPE_CHECKING:
    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.conftest import SignIn

KEYS = f"{V1}/trust/keys"
POLICY = f"{V1}/trust/policy"
AUDIT = "/api/management/v1/auditlogs/logs"
NOT_SIGNED = "it has no signature"
OTHER = "none of the trusted keys has made its signature"


def add(catalog: Catalog, pem: str, name: str = "release key") -> httpx2.Response:
    return catalog.api.post(KEYS, json={"name": name, "pem": pem})


def added(catalog: Catalog, pem: str, name: str = "release key") -> str:
    answer = add(catalog, pem, name)
    assert answer.status_code == 201, answer.text
    place, _, key_id = answer.headers["Location"].rpartition("/")
    assert place == KEYS
    return str(key_id)


def set_policy(catalog: Catalog, signatures: str, downgrades: str = "allow") -> None:
    answer = catalog.api.put(POLICY, json={"signatures": signatures, "downgrades": downgrades})
    assert answer.status_code == 204, answer.text


def error(answer: httpx2.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"])


def audited(catalog: Catalog, kind: str) -> list[dict[str, Any]]:
    entries = catalog.get(AUDIT, per_page=100)
    return [entry for entry in entries if entry["object"]["type"] == kind]


def made(catalog: Catalog, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = catalog.get(f"{ARTIFACTS}/{answer.headers['Location'].rpartition('/')[2]}")
    return shown


@pytest.fixture
def demanding(catalog: Catalog) -> Catalog:
    """A tenant that demands signatures and trusts the key of ``EC``."""
    added(catalog, EC.public)
    set_policy(catalog, "demand")
    return catalog


# --- keys


@pytest.mark.parametrize("name", SIGNERS)
def test_a_key_is_listed_and_deleted(catalog, name):
    key_id = added(catalog, SIGNERS[name].public, f"  {name}\t")

    (shown,) = catalog.get(KEYS)
    created = shown.pop("created")
    fingerprint = shown.pop("fingerprint")
    assert shown == {"id": key_id, "name": name, "pem": SIGNERS[name].public, "algorithm": name}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", created)
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint)

    assert catalog.api.delete(f"{KEYS}/{key_id}").status_code == 204
    assert catalog.get(KEYS) == []
    assert "not found" in error(catalog.api.delete(f"{KEYS}/{key_id}"), 404)
    told = [(entry["action"], entry["object"]["id"], entry["change"]) for entry in audited(catalog, "trusted_key")]
    said = f"{name}, fingerprint {fingerprint}"
    assert told == [("delete", key_id, said), ("create", key_id, said)]


def test_a_private_key_is_refused_and_nowhere_to_be_found(catalog, caplog):
    text = error(add(catalog, RSA.private), 400)

    secret = RSA.private.splitlines()[1]
    assert "this is a private key" in text
    assert secret not in text
    assert secret not in caplog.text
    assert catalog.get(KEYS) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "", "pem": "PEM"}, "name: must be 1 to 100"),
        ({"name": "n" * 101, "pem": "PEM"}, "name: must be 1 to 100"),
        ({"name": "a\nb", "pem": "PEM"}, "name: must be 1 to 100"),
        ({"name": "a", "pem": "no key"}, "not a public key in PEM"),
        ({"name": "a"}, "pem"),
        ({"pem": "PEM"}, "name"),
        ({"name": "a", "pem": 1}, "pem"),
    ],
)
def test_a_wrong_key_is_a_400(catalog, body, text):
    if body.get("pem") == "PEM":
        body = body | {"pem": EC.public}
    assert text in error(catalog.api.post(KEYS, json=body), 400)


@pytest.mark.parametrize(
    "point", ["00" * 32, "01" + "00" * 30 + "80", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"]
)
def test_a_key_that_anybody_can_sign_for_is_refused(catalog, point):
    """Points with a small order. For the first one, OpenSSL takes one in four of these signatures."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(point))
    assert "anybody can make signatures" in error(add(catalog, signatures.canonical(key)), 400)

    points = ["00" * 32, "00" * 31 + "80", "01" + "00" * 31, "ec" + "ff" * 30 + "7f"]
    forged = [bytes.fromhex(each) + bytes(32) for each in points]
    manifests = [b"%d" % number for number in range(64)]
    assert not any(signatures.is_signed_by(key, each, manifest) for each in forged for manifest in manifests)


def test_a_key_and_a_name_are_there_only_once(catalog):
    added(catalog, EC.public, "first")
    assert "trusted already, as 'first'" in error(add(catalog, EC.public, "second"), 409)
    assert "name 'first' already" in error(add(catalog, RSA.public, "first"), 409)


def test_the_number_of_keys_is_limited(catalog, monkeypatch):
    monkeypatch.setattr(limits, "TRUSTED_KEYS", 2)
    added(catalog, EC.public, "1")
    added(catalog, RSA.public, "2")
    assert "too many trusted keys (max: 2)" in error(add(catalog, ED25519.public, "3"), 422)


def test_keys_that_are_added_at_once_are_all_there(catalog):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda each: added(catalog, SIGNERS[each].public, each), SIGNERS))
    assert sorted(key["name"] for key in catalog.get(KEYS)) == sorted(SIGNERS)


def test_only_users_who_manage_settings_change_keys_and_policy(catalog, sign_in: SignIn, tenant: Tenant):
    key_id = added(catalog, EC.public)
    for role in ("RBAC_ROLE_CI", "RBAC_ROLE_OBSERVER"):
        user = sign_in(tenant, role)
        assert user.get(KEYS).status_code == 200
        assert user.get(POLICY).status_code == 200
        assert user.post(KEYS, json={"name": "b", "pem": RSA.public}).status_code == 403
        assert user.delete(f"{KEYS}/{key_id}").status_code == 403
        assert user.put(POLICY, json={"signatures": "off", "downgrades": "allow"}).status_code == 403
    assert [key["id"] for key in catalog.get(KEYS)] == [key_id]


# --- policy


def test_a_tenant_without_a_policy_asks_for_nothing(catalog):
    assert catalog.get(POLICY) == {"signatures": "off", "downgrades": "allow"}


def test_a_policy_is_set_and_audited_once(catalog):
    for _ in range(2):
        set_policy(catalog, "demand", "flag")
    assert catalog.get(POLICY) == {"signatures": "demand", "downgrades": "flag"}
    set_policy(catalog, "demand", "refuse")

    told = [(entry["action"], entry["change"]) for entry in audited(catalog, "settings")]
    assert told == [
        ("update", "downgrades: flag -> refuse"),
        ("update", "signatures: off -> demand\ndowngrades: allow -> flag"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"signatures": "demand"},
        {"signatures": "no", "downgrades": "allow"},
        {"signatures": "off", "downgrades": ""},
        {"signatures": None, "downgrades": "allow"},
        [],
    ],
)
def test_a_wrong_policy_is_a_400(catalog, body):
    error(catalog.api.put(POLICY, json=body), 400)
    assert catalog.get(POLICY) == {"signatures": "off", "downgrades": "allow"}


def test_settings_of_the_tenant_do_not_change_the_policy(catalog):
    set_policy(catalog, "warn", "flag")
    answer = catalog.api.put("/api/management/v2/tenantadm/settings", json={"device_timeout": 3600})
    assert answer.status_code == 204
    assert catalog.get(POLICY) == {"signatures": "warn", "downgrades": "flag"}


# --- uploads


def test_without_a_policy_signatures_are_not_looked_at(catalog):
    added(catalog, EC.public)
    assert "signature" not in made(catalog, catalog.send(build_artifact("app", ["pi"], signed=EC)))
    assert "signature" not in made(catalog, catalog.send(build_artifact("app-2", ["pi"])))


@pytest.mark.parametrize("signatures", ["warn", "demand"])
@pytest.mark.parametrize("name", SIGNERS)
@pytest.mark.parametrize("version", [2, 3])
def test_an_artifact_shows_the_key_that_has_signed_it(catalog, signatures, name, version):
    for each, signer in SIGNERS.items():
        added(catalog, signer.public, f"key {each}")
    set_policy(catalog, signatures)
    data = build_artifact("app", ["pi"], b"new", type="rootfs-image", version=version, signed=SIGNERS[name])
    shown = made(catalog, catalog.send(data))

    fingerprints = {key["name"]: key["fingerprint"] for key in catalog.get(KEYS)}
    found = {"trusted": True, "key_name": f"key {name}", "fingerprint": fingerprints[f"key {name}"]}
    assert shown["signature"] == found
    assert shown["signed"] is True
    assert catalog.get(f"{RELEASES}/app")["artifacts"][0]["signature"] == found
    assert catalog.get(f"{ARTIFACTS}/list")[0]["signature"] == found


BAD: dict[str, tuple[Any, str]] = {
    "not signed": (False, NOT_SIGNED),
    "signed with another key": (RSA, OTHER),
    "forged": (lambda manifest: EC(manifest + b"\n"), OTHER),
    "cut": (lambda manifest: base64.b64encode(EC.raw(manifest)[:-1]), OTHER),
    "empty": (lambda manifest: b"", OTHER),
    "not base64": (lambda manifest: b"#" + EC(manifest), "its signature is not in base64"),
}


@pytest.mark.parametrize("kind", BAD)
def test_other_artifacts_are_marked(catalog, kind):
    signed, reason = BAD[kind]
    added(catalog, EC.public)
    set_policy(catalog, "warn")
    shown = made(catalog, catalog.send(build_artifact("app", ["pi"], signed=signed)))
    assert shown["signature"] == {"trusted": False, "reason": reason}


@pytest.mark.parametrize("kind", BAD)
def test_other_artifacts_are_refused_where_signatures_are_demanded(demanding, kind):
    signed, reason = BAD[kind]
    text = error(demanding.send(build_artifact("app", ["pi"], signed=signed)), 422)
    assert text.startswith("the artifact was refused, because")
    assert text.endswith(f": {reason}; sign it with a trusted key, and upload it again")
    assert demanding.objects() == set()
    assert demanding.usage() == 0
    assert demanding.names() == []


def test_what_is_added_to_a_signed_artifact_is_not_trusted(demanding):
    spec = PayloadSpec(files={"more.bin": b"more"}, provides={"app.version": "9"})
    data = build_artifact("app", ["pi"], signed=EC, augment=spec)
    assert "manifest-augment" in error(demanding.send(data), 422)
    set_policy(demanding, "warn")
    assert made(demanding, demanding.send(data))["signature"]["trusted"] is False


def test_nothing_is_trusted_without_keys(catalog):
    set_policy(catalog, "demand")
    assert OTHER in error(catalog.send(build_artifact("app", ["pi"], signed=EC)), 422)


def test_a_deleted_key_no_longer_counts_but_its_artifacts_stay(demanding):
    kept = made(demanding, demanding.send(build_artifact("app-1", ["pi"], signed=EC)))
    (key,) = demanding.get(KEYS)
    assert demanding.api.delete(f"{KEYS}/{key['id']}").status_code == 204

    assert OTHER in error(demanding.send(build_artifact("app-2", ["pi"], signed=EC)), 422)
    assert demanding.get(f"{ARTIFACTS}/{kept['id']}")["signature"]["key_name"] == "release key"


def test_a_key_that_is_deleted_during_an_upload_does_not_count(demanding, monkeypatch):
    real = dynamodb.shared().call
    deleted: list[str] = []
    (key,) = demanding.get(KEYS)

    def call(operation: str, *arguments: Any) -> Any:
        if operation == "TransactWriteItems" and not deleted:
            deleted.append(key["id"])
            trust.delete_key(demanding.tenant, key["id"])
        return real(operation, *arguments)

    monkeypatch.setattr(dynamodb.shared(), "call", call)
    with pytest.raises(Unprocessable, match=OTHER):
        service.upload(demanding.tenant, {}, [build_artifact("app", ["pi"], signed=EC)])
    assert demanding.objects() == set()


def test_direct_uploads_are_checked(demanding: Catalog, server: LocalServer):
    good = uploaded(demanding, server, build_artifact("app", ["pi"], signed=EC))
    assert demanding.get(f"{ARTIFACTS}/{good['id']}")["signature"]["key_name"] == "release key"

    bad = uploaded(demanding, server, build_artifact("app", ["pi"], signed=RSA))
    found = result(demanding, bad)
    assert (found["status"], found["refusal"]["status"]) == ("refused", 422)
    assert OTHER in found["refusal"]["error"]
    assert demanding.api.get(f"{ARTIFACTS}/{bad['id']}").status_code == 404
    assert len(demanding.objects()) == 1


def test_a_direct_upload_follows_the_policy_at_its_verification(catalog: Catalog, server: LocalServer):
    link = request(catalog)
    put(link, build_artifact("app", ["pi"]))
    set_policy(catalog, "demand")
    assert complete(catalog, link).status_code == 202
    server.drain()
    assert result(catalog, link)["status"] == "refused"


def test_generated_artifacts_have_no_signature(catalog: Catalog):
    set_policy(catalog, "warn")
    assert made(catalog, generate(catalog))["signature"] == {"trusted": False, "reason": NOT_SIGNED}
    set_policy(catalog, "demand")
    assert "the server has no key to sign" in error(generate(catalog, name="motd-2"), 422)
    assert catalog.names() == ["motd-1"]


def test_keys_of_one_tenant_mean_nothing_to_another(demanding, sign_in: SignIn):
    other = tenants.create_tenant("Other")
    theirs = Catalog(sign_in(other), other.id)
    set_policy(theirs, "demand")
    assert theirs.get(KEYS) == []
    assert OTHER in error(theirs.send(build_artifact("app", ["pi"], signed=EC)), 422)


# --- stored data and cost


def test_the_policy_and_keys_survive_an_old_version_of_the_code(demanding):
    """An earlier version ignores what it does not know, and keeps it when it changes other attributes."""
    answer = demanding.api.put("/api/management/v2/tenantadm/settings", json={"device_timeout": 60})
    assert answer.status_code == 204
    stored = control.find(demanding.tenant)
    assert stored is not None
    assert stored.trust == {"signatures": "demand"}


@pytest.mark.usefixtures("warm")
def test_a_check_of_an_upload_costs_one_read(catalog):
    def spent(name: str, **more: Any) -> probe.Cost:
        catalog.put(f"{name}-warm", **more)
        with probe.counted() as counted:
            catalog.put(name, **more)
        return counted

    before = spent("plain")
    added(catalog, EC.public)
    set_policy(catalog, "demand")
    after = spent("signed", signed=EC)

    assert after.by_operation["GetItem"] == before.by_operation["GetItem"] + 1
    assert after.write_units == before.write_units + 2  # that the keys are unchanged is a part of the transaction
    assert trust_table.find(catalog.tenant).version == 1
