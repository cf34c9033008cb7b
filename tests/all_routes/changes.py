"""For each route that changes something, how to make a call that succeeds; and why some write no audit entry.

Used by ``test_audit.py``, which says what to add here for a new route, and by ``test_repeated_calls.py``.
"""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chalicelib.storage.keys import TenantId
from chalicelib.useradm import service
from chalicelib.useradm.service import totp, twofactor
from tests.all_routes.tenants import public_key
from tests.conftest import PASSWORD
from tests.deployments.world import DEVAUTH, serves
from tests.simulator.artifacts import build_artifact
from tests.simulator.device import Device

if TYPE_CHECKING:
    from tests.all_routes.tenants import Tenant

V1, V2 = "/management/v1", "/management/v2"

Values = dict[str, str]
Case = Callable[["Tenant"], tuple[Values, dict[str, Any]]]
"""Prepares a change that can succeed; returns the path variables and the other arguments of the request."""


def json(body: Any) -> dict[str, Any]:
    return {"json": body}


def upload(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {}, {"files": {"artifact": ("a.mender", build_artifact(f"new-{uuid.uuid4().hex[:6]}", ("pi",)))}}


def trusted_key(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {}, json({"name": uuid.uuid4().hex, "pem": public_key()})


def own_trusted_key(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    made = mine.world.api.post(f"/api{V1}/deployments/trust/keys", **trusted_key(mine)[1])
    assert made.status_code == 201, made.text
    return {"id": made.headers["Location"].rsplit("/", 1)[-1]}, {}


def file_of_an_artifact(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    form = {"name": uuid.uuid4().hex, "device_types_compatible": "pi", "type": "single_file"}
    args = '{"filename": "a", "dest_dir": "/"}'
    return {}, {"data": form | {"args": args}, "files": {"file": ("a", b"content")}}


def spare_artifact(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {"id": mine.world.upload(f"spare-{uuid.uuid4().hex[:6]}")}, json({"description": "described"})


def spare_release(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    name = f"spare-{uuid.uuid4().hex[:6]}"
    mine.world.upload(name)
    return {}, {"params": {"name": name}}


def deployment(mine: Tenant, **more: Any) -> dict[str, Any]:
    return json({"name": uuid.uuid4().hex, "artifact_name": mine.release, **more})


def open_deployment(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    made = mine.world.deploy(mine.release, [str(uuid.uuid4())], name=uuid.uuid4().hex)
    return {"id": made}, json({"status": "aborted"})


def waiting_deployment(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    """A deployment of a colleague that waits for approval."""
    api, place = mine.world.api, f"/api{V2}/tenantadm/settings"
    before = api.get(place).json()
    assert api.put(place, json=before | {"approval_devices": 1}).status_code == 204
    email = api.get(f"/api{V1}/useradm/users/{mine.colleague}").json()["email"]
    token = mine.world.http.post(f"/api{V1}/useradm/auth/login", auth=(email, PASSWORD)).text
    wanted = deployment(mine, devices=[str(uuid.uuid4()), str(uuid.uuid4())])
    headers = {"Authorization": f"Bearer {token}"}
    made = mine.world.http.post(f"/api{V1}/deployments/deployments", headers=headers, **wanted)
    assert made.status_code == 201, made.text
    assert api.put(place, json=before).status_code == 204
    return {"id": made.headers["Location"].rsplit("/", 1)[-1]}, json({"approve": True, "comment": "Seen."})


def deployed_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = mine.world.device()
    mine.world.deploy(mine.release, [device.id], name=uuid.uuid4().hex)
    return {"id": device.id}, {}


def failed_deployment(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = mine.world.device()
    made = mine.world.deploy(mine.release, [device.id], name=uuid.uuid4().hex)
    serves(device.poll(), made)
    assert device.report(made, "failure").status_code == 204
    return {"id": made}, json({"name": uuid.uuid4().hex, "statuses": ["failure"], "retries": 0})


def updated_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = mine.world.device()
    made = mine.world.deploy(mine.release, [device.id], name=uuid.uuid4().hex)
    serves(device.poll(), made)
    assert device.report(made, "success").status_code == 204
    return {"id": device.id}, {}


def to_no_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    """A deployment to a filter that no device matches."""
    terms = [{"scope": "tags", "attribute": uuid.uuid4().hex, "type": "$exists", "value": True}]
    made = mine.world.api.post(f"/api{V2}/inventory/filters", json={"name": uuid.uuid4().hex, "terms": terms})
    assert made.status_code == 201, made.text
    return {}, deployment(mine, filter_id=made.headers["Location"].rsplit("/", 1)[-1])


ACCEPTANCE = f"/api{V2}/devauth/acceptance"


def acceptance_rule(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    new = {
        "name": uuid.uuid4().hex,
        "type": "pattern",
        "pattern": {uuid.uuid4().hex: "a"},
        "enabled": True,
        "max_per_day": 1,
    }
    made = mine.world.api.post(f"{ACCEPTANCE}/rules", json=new)
    assert made.status_code == 201, made.text
    return {"id": made.headers["Location"].rsplit("/", 1)[-1]}, json(new | {"name": uuid.uuid4().hex})


def identity(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    values = {"identity_data": {"serial": uuid.uuid4().hex}}
    made = mine.world.api.post(f"{ACCEPTANCE}/identities", json=[values])
    assert made.status_code == 200, made.text
    found = mine.world.api.get(f"{ACCEPTANCE}/identities").json()
    return {"id": found[0]["id"]}, json([{"identity_data": {"serial": uuid.uuid4().hex}}])


def accepted_group(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {"name": grouped(mine)[0]["name"]}, deployment(mine)


def grouped(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device, group = mine.world.device(), f"group-{uuid.uuid4().hex[:6]}"
    answer = mine.world.api.put(f"/api{V1}/inventory/devices/{device.id}/group", json={"group": group})
    assert answer.status_code == 204
    return {"id": device.id, "name": group}, json([device.id])


def reporting_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = mine.world.device()
    assert device.inventory().status_code == 200
    return {"id": device.id}, json([{"name": "a", "value": "b"}])


def new_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = mine.world.device()
    shown = mine.world.api.get(f"{DEVAUTH}/{device.id}").json()
    return {"id": device.id, "aid": shown["auth_sets"][0]["id"]}, json({"status": "rejected"})


def token_of_a_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {"id": new_device(mine)[0]["aid"]}, {}


def preauthorized(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    shown = mine.world.api.get(f"{DEVAUTH}/{mine.device.id}").json()
    identity = {"mac": uuid.uuid4().hex}
    return {}, json({"identity_data": identity, "pubkey": shown["auth_sets"][0]["pubkey"]})


def preauthorized_by_device(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    device = Device(mine.world.http, mine.world.token)
    raw = device.auth_body()
    return {}, {"content": raw, "headers": {"Content-Type": "application/json", "X-MEN-Signature": device.sign(raw)}}


def address() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def other_user(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    answer = mine.world.api.post(f"/api{V1}/useradm/users", json={"email": address(), "password": PASSWORD})
    assert answer.status_code == 201
    return {"id": answer.headers["Location"].rsplit("/", 1)[-1]}, json({"email": address()})


def invited_user(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    body = {"email": address(), "send_reset_password": True}
    answer = mine.world.api.post(f"/api{V1}/useradm/users", json=body)
    assert answer.status_code == 201
    return {"id": answer.headers["Location"].rsplit("/", 1)[-1]}, {}


def own_password(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {}, json({"current_password": PASSWORD, "password": PASSWORD})


def new_token(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    tokens = f"/api{V1}/useradm/settings/tokens"
    assert mine.world.api.post(tokens, json={"name": uuid.uuid4().hex, "expires_in": 86_400}).status_code == 200
    return {"id": mine.world.api.get(tokens).json()[-1]["id"]}, {}


def integration(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    credentials = {"type": "http", "http": {"url": f"https://{uuid.uuid4().hex[:6]}.example"}}
    return {}, json({"provider": "webhook", "credentials": credentials, "scopes": ["deviceauth"]})


def own_integration(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    made = mine.world.api.post(f"/api{V1}/iot-manager/integrations", **integration(mine)[1])
    assert made.status_code == 201, made.text
    return {"id": made.headers["Location"].rsplit("/", 1)[-1]}, {}


def event_to_send_again(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    mine.world.device()
    listed = mine.world.api.get(f"/api{V1}/iot-manager/events", params={"integration_id": mine.integration})
    event = listed.json()[0]
    wanted = {"integration_id": mine.integration, "event_id": event["id"], "event_time": event["time"]}
    return {}, json(wanted)


def saved_filter(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    terms = [{"scope": "identity", "attribute": "status", "type": "$eq", "value": "accepted"}]
    return {}, json({"name": uuid.uuid4().hex, "terms": terms})


def role_body(name: str, *sets: str) -> dict[str, Any]:
    scoped = [{"name": each} for each in sets or ("ReadReleases",)]
    return json({"name": name, "description": name, "permission_sets_with_scope": scoped})


def new_role(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {}, role_body(uuid.uuid4().hex)


def own_role(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    name = uuid.uuid4().hex
    assert mine.world.api.post(f"/api{V2}/useradm/roles", **role_body(name)).status_code == 201
    return {"id": name}, role_body(name, "ReadDevices")


def new_child(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    return {}, json({"name": "Child", "admin": {"email": address(), "password": PASSWORD}})


def child(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    answer = mine.world.api.post(f"/api{V2}/tenantadm/tenants", **new_child(mine)[1])
    assert answer.status_code == 202, answer.text
    return {"id": answer.headers["Location"].rsplit("/", 1)[-1]}, json(
        {"name": "renamed", "status": "suspended", "reason": "x"}
    )


def suspended_child(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    values, _ = child(mine)
    place = f"/api{V2}/tenantadm/tenants/{values['id']}/status"
    assert mine.world.api.put(place, json={"status": "suspended"}).status_code == 202
    return values, {}


def own_set(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    name = uuid.uuid4().hex
    made = mine.world.api.post(f"/api{V2}/useradm/permission_sets", json={"name": name, "permissions": []})
    assert made.status_code == 201, made.text
    return {"id": name}, json({"name": name, "description": "described", "permissions": []})


def without_codes(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    email = mine.world.api.get(f"/api{V1}/useradm/users/me").json()["email"]
    service.verify(email)
    twofactor.reset(email)
    return {"id": mine.user}, {}


def first_code(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    without_codes(mine)
    assert mine.world.api.post(f"/api{V1}/useradm/users/me/2fa/enable").status_code == 200
    secret = twofactor._secret(service.get_user(TenantId(mine.tenant), mine.user))
    return {}, json({"token2fa": totp.code(base64.b32decode(secret), int(time.time()) // 30)})


def with_codes(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    _, code = first_code(mine)
    assert mine.world.api.put(f"/api{V1}/useradm/2faverify", **code).status_code == 202
    # This session was signed in without a code.
    return {"id": mine.user}, json({"current_password": PASSWORD})


def address_change(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    mine.world.api.post(f"/api{V1}/useradm/users/me/email-change/cancel")
    return {}, json({"email": address(), "current_password": PASSWORD})


def pending_address(mine: Tenant) -> tuple[Values, dict[str, Any]]:
    _, body = address_change(mine)
    assert mine.world.api.post(f"/api{V1}/useradm/users/me/email-change/start", **body).status_code == 202
    return {}, {}


CASES: dict[str, Case] = {
    f"PUT {V1}/devicemonitor/settings/global/channel/alerts/{{name}}/status": lambda mine: (
        {"name": "email"},
        json({"enabled": False}),
    ),
    f"POST {V2}/deployments/deployments": to_no_device,
    f"POST {V1}/iot-manager/integrations": integration,
    f"DELETE {V1}/iot-manager/integrations/{{id}}": own_integration,
    f"POST {V1}/iot-manager/events": event_to_send_again,
    f"POST {V2}/inventory/filters": saved_filter,
    f"POST {V1}/useradm/roles": new_role,
    f"PUT {V1}/useradm/roles/{{id}}": own_role,
    f"DELETE {V1}/useradm/roles/{{id}}": own_role,
    f"POST {V2}/useradm/roles": new_role,
    f"PUT {V2}/useradm/roles/{{id}}": own_role,
    f"DELETE {V2}/useradm/roles/{{id}}": own_role,
    f"POST {V2}/useradm/permission_sets": lambda mine: ({}, json({"name": uuid.uuid4().hex, "permissions": []})),
    f"PUT {V2}/tenantadm/settings": lambda mine: ({}, json({"device_timeout": 3600})),
    f"POST {V2}/tenantadm/tenants": new_child,
    f"POST {V2}/tenantadm/tenants/{{id}}/cancel": child,
    f"POST {V2}/tenantadm/tenants/{{id}}/remove/start": child,
    f"DELETE {V2}/tenantadm/tenants/{{id}}": suspended_child,
    f"PUT {V2}/tenantadm/tenants/{{id}}/child": child,
    f"PUT {V2}/tenantadm/tenants/{{id}}/status": child,
    f"PUT {V2}/useradm/permission_sets/{{id}}": own_set,
    f"DELETE {V2}/useradm/permission_sets/{{id}}": own_set,
    f"POST {V1}/useradm/users/me/2fa/enable": without_codes,
    f"POST {V1}/useradm/users/me/2fa/disable": with_codes,
    f"POST {V1}/useradm/users/me/2fa/recovery-codes": with_codes,
    f"POST {V1}/useradm/users/{{id}}/2fa/enable": without_codes,
    f"POST {V1}/useradm/users/{{id}}/2fa/disable": with_codes,
    f"PUT {V1}/useradm/2faverify": first_code,
    f"POST {V1}/useradm/users/me/email-change/start": address_change,
    f"POST {V1}/useradm/users/me/email-change/cancel": pending_address,
    f"POST {V1}/deployments/artifacts": upload,
    f"POST {V1}/deployments/artifacts/generate": file_of_an_artifact,
    f"POST {V1}/deployments/trust/keys": trusted_key,
    f"DELETE {V1}/deployments/trust/keys/{{id}}": own_trusted_key,
    f"PUT {V1}/deployments/trust/policy": lambda mine: ({}, json({"signatures": "warn", "downgrades": "flag"})),
    f"PUT {V1}/deployments/artifacts/{{id}}": spare_artifact,
    f"DELETE {V1}/deployments/artifacts/{{id}}": spare_artifact,
    f"DELETE {V2}/deployments/deployments/releases": spare_release,
    f"POST {V1}/deployments/deployments": lambda mine: ({}, deployment(mine, devices=[str(uuid.uuid4())])),
    f"POST {V1}/deployments/deployments/group/{{name}}": accepted_group,
    f"POST {V1}/deployments/deployments/{{id}}/approval": waiting_deployment,
    f"POST {V1}/deployments/deployments/{{id}}/rollout": lambda mine: (
        open_deployment(mine)[0],
        json({"action": "pause"}),
    ),
    f"PUT {V1}/deployments/deployments/{{id}}/status": open_deployment,
    f"POST {V1}/deployments/deployments/{{id}}/retry": failed_deployment,
    f"DELETE {V1}/deployments/deployments/devices/{{id}}": deployed_device,
    f"DELETE {V1}/deployments/deployments/devices/{{id}}/history": updated_device,
    f"DELETE {V1}/inventory/devices/{{id}}": reporting_device,
    f"PUT {V1}/inventory/devices/{{id}}/tags": reporting_device,
    f"PATCH {V1}/inventory/devices/{{id}}/tags": reporting_device,
    f"DELETE {V1}/inventory/devices/{{id}}/group/{{name}}": grouped,
    f"DELETE {V1}/inventory/groups/{{name}}": grouped,
    f"DELETE {V1}/inventory/groups/{{name}}/devices": grouped,
    f"PATCH {V1}/inventory/groups/{{name}}/devices": lambda mine: ({"name": "new"}, grouped(mine)[1]),
    f"POST {V2}/devauth/acceptance/rules": acceptance_rule,
    f"PUT {V2}/devauth/acceptance/rules/{{id}}": acceptance_rule,
    f"DELETE {V2}/devauth/acceptance/rules/{{id}}": acceptance_rule,
    f"POST {V2}/devauth/acceptance/identities": identity,
    f"DELETE {V2}/devauth/acceptance/identities/{{id}}": identity,
    f"DELETE {V2}/devauth/acceptance/identities": identity,
    f"POST {V2}/devauth/devices": preauthorized,
    f"POST {V2}/devauth/auto-auth": preauthorized_by_device,
    f"DELETE {V2}/devauth/devices/{{id}}": new_device,
    f"PUT {V2}/devauth/devices/{{id}}/auth/{{aid}}/status": new_device,
    f"DELETE {V2}/devauth/devices/{{id}}/auth/{{aid}}": new_device,
    f"DELETE {V2}/devauth/tokens/{{id}}": token_of_a_device,
    f"POST {V1}/useradm/settings": lambda mine: ({}, json({"a": "b"})),
    f"POST {V1}/useradm/settings/tokens": lambda mine: ({}, json({"name": uuid.uuid4().hex, "expires_in": 86_400})),
    f"DELETE {V1}/useradm/settings/tokens/{{id}}": new_token,
    f"POST {V1}/useradm/users": lambda mine: ({}, json({"email": address(), "password": PASSWORD})),
    f"PUT {V1}/useradm/users/me": own_password,
    f"PUT {V1}/useradm/users/{{id}}": other_user,
    f"DELETE {V1}/useradm/users/{{id}}": other_user,
    f"POST {V1}/useradm/users/{{id}}/invitation": invited_user,
    f"PUT {V2}/useradm/users/me": own_password,
}
