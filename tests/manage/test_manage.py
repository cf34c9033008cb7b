"""The admin's command, as a separate program with a running engine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import bcrypt
import pytest

from chalicelib import cache
from chalicelib.auditlogs.tables import EntryItem
from chalicelib.aws import signing_keys
from chalicelib.fleet import control
from chalicelib.fleet.switches import Switch
from chalicelib.storage import keys
from infra.manage.connect import Place, connect
from infra.manage.switches import NAMES
from infra.paths import ROOT
from tests.conftest import PASSWORD
from tests.manage.conftest import Manage, run
from tests.useradm.conftest import LOGIN, ME, bearer

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    import httpx2


def new_email() -> str:
    return f"{uuid.uuid4().hex}@example.com"


def test_from_an_empty_server_to_a_login(done, http: httpx2.Client):
    tenant = done("tenant", "create", "Acme")
    email = new_email()
    user = done("user", "create", "--tenant", tenant, email, "--password", "-", typed=f"{PASSWORD}\n")

    answer = http.post(LOGIN, auth=(email, PASSWORD))
    shown = http.get(ME, headers=bearer(answer.text)).json()
    assert (shown["id"], shown["tenant_id"]) == (user, tenant)


def test_a_tenant_with_limits(document, done):
    made = document("tenant", "create", "Small", "--plan", "os", "--max-devices", "5", "--storage-limit", "1000")

    assert {name: made[name] for name in ("name", "plan", "max_devices", "storage_limit", "status")} == {
        "name": "Small",
        "plan": "os",
        "max_devices": 5,
        "storage_limit": 1000,
        "status": "active",
    }
    shown = document("tenant", "show", made["id"])
    assert shown.pop("settings")["device_timeout"] == 0
    assert shown == made
    assert f"tenant_token: {made['tenant_token']}" in done("tenant", "show", made["id"]).splitlines()
    assert made in document("tenant", "list")
    assert f"{made['id']}  active  os  Small" in done("tenant", "list").splitlines()


def test_limits_can_be_changed_separately(document, done, tenant):
    assert done("tenant", "set-limits", tenant.id, "--max-devices", "7") == tenant.id

    changed = document("tenant", "set-limits", tenant.id, "--storage-limit", "9")

    assert (changed["max_devices"], changed["storage_limit"]) == (7, 9)


def test_suspending_and_activating(document, tenant, api: httpx2.Client):
    assert document("tenant", "suspend", tenant.id)["status"] == "suspended"
    control.forget(tenant.id)  # other processes notice after the cache time
    assert api.get(ME).status_code == 401

    assert document("tenant", "activate", tenant.id)["status"] == "active"
    control.forget(tenant.id)
    assert api.get(ME).status_code == 200


def test_users(document, done, manage: Manage, http: httpx2.Client, tenant):
    email = new_email()
    made = document("user", "create", "--tenant", tenant.id, email, "--generate")
    assert http.post(LOGIN, auth=(email, made["password"])).status_code == 200

    shown = manage("user", "set-password", email, "--generate")
    assert shown.stdout.strip() == made["id"]
    generated = shown.stderr.strip().removeprefix("password: ")

    assert http.post(LOGIN, auth=(email, made["password"])).status_code == 401
    assert http.post(LOGIN, auth=(email, generated)).status_code == 200
    [listed] = document("user", "list", "--tenant", tenant.id)
    assert (listed["id"], listed["email"]) == (made["id"], email)
    assert "password" not in listed
    assert done("user", "list", "--tenant", tenant.id) == f"{made['id']}  {email}  RBAC_ROLE_PERMIT_ALL"


def test_roles(document, done, http: httpx2.Client, tenant):
    admin, observer = new_email(), new_email()
    done("user", "create", "--tenant", tenant.id, admin, "--generate")
    words = ("--password", PASSWORD, "--role", "RBAC_ROLE_OBSERVER", "--role", "RBAC_ROLE_CI")
    made = document("user", "create", "--tenant", tenant.id, observer, *words)
    assert made["roles"] == ["RBAC_ROLE_OBSERVER", "RBAC_ROLE_CI"]
    assert done("user", "roles", admin) == "RBAC_ROLE_PERMIT_ALL"
    listed = {each["email"]: each["roles"] for each in document("user", "list", "--tenant", tenant.id)}
    assert listed[observer] == made["roles"]

    token = bearer(http.post(LOGIN, auth=(observer, PASSWORD)).text)
    users = "/api/management/v1/useradm/users"
    assert http.get(users, headers=token).status_code == 403
    assert done("user", "roles", observer, "RBAC_ROLE_PERMIT_ALL") == "RBAC_ROLE_PERMIT_ALL"
    shown = http.get(users, headers=token)
    assert {each["email"]: each["roles"] for each in shown.json()}[observer] == ["RBAC_ROLE_PERMIT_ALL"]


def test_importing_a_user_of_another_server(done, http: httpx2.Client, tenant):
    email, hashed = new_email(), bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()

    done("user", "create", "--tenant", tenant.id, email, "--password-hash", hashed)

    assert http.post(LOGIN, auth=(email, PASSWORD)).status_code == 200


def test_rotating_signing_keys(done, http: httpx2.Client, tenant, api: httpx2.Client):
    before = signing_keys.active().kid
    name = done("signing-key", "rotate")
    cache.forget_all()

    assert signing_keys.active().kid == name != before
    assert api.get(ME).status_code == 200

    withdrawn = done("signing-key", "rotate", "--withdraw-old")
    cache.forget_all()

    assert signing_keys.active().kid == withdrawn
    assert api.get(ME).status_code == 401


class TestRefusals:
    """Errors are one line on standard error, with an exit code and nothing on standard output."""

    def check(self, result: subprocess.CompletedProcess[str], code: int, text: str) -> None:
        assert (result.returncode, result.stdout) == (code, ""), result.stderr
        assert text in result.stderr
        assert "Traceback" not in result.stderr

    def test_wrong_usage(self, manage: Manage, tenant):
        self.check(manage("tenant", "create"), 2, "Missing argument 'NAME'")
        self.check(manage("tenant", "set-limits", tenant.id), 2, "--max-devices, --storage-limit or both")
        self.check(manage("user", "create", "--tenant", tenant.id, new_email()), 2, "--generate")
        both = ("--generate", "--password", PASSWORD)
        self.check(manage("user", "create", "--tenant", tenant.id, new_email(), *both), 2, "either")

    def test_not_found(self, manage: Manage):
        unknown = "f" * 24
        for words in (
            ("tenant", "show", unknown),
            ("tenant", "suspend", unknown),
            ("user", "list", "--tenant", unknown),
            ("user", "create", "--tenant", unknown, new_email(), "--generate"),
            ("user", "set-password", new_email(), "--generate"),
            ("user", "roles", new_email()),
        ):
            self.check(manage(*words), 3, "not found. `tenant list`")

    def test_invalid_roles_are_refused(self, manage: Manage, done: Callable[..., str], tenant):
        nobodys = ("--generate", "--role", "Nobody's")
        self.check(manage("user", "create", "--tenant", tenant.id, new_email(), *nobodys), 4, "Nobody's")
        email = new_email()
        done("user", "create", "--tenant", tenant.id, email, "--generate")
        self.check(manage("user", "roles", email, "Nobody's"), 4, "Nobody's")
        self.check(manage("user", "roles", email, "RBAC_ROLE_CI"), 4, "last administrator")

    def test_refused(self, manage: Manage, tenant):
        self.check(manage("tenant", "create", ""), 4, "name: must be between")
        short = ("--password", "short")
        self.check(manage("user", "create", "--tenant", tenant.id, new_email(), *short), 4, "minimum 8")

    def test_no_server(self, tmp_path: Path):
        result = run({}, "--data", str(tmp_path), "tenant", "list")
        self.check(result, 5, "Start one with `make run`")
        key = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
        silent = run({"AWS_ENDPOINT_URL": "http://127.0.0.1:9", **key}, "tenant", "list")
        self.check(silent, 5, "does not answer")

    def test_no_stage(self, manage: Manage):
        self.check(manage("--stage", "nowhere", "tenant", "list"), 5, "there are: local")

    def test_a_stage_on_aws_cannot_be_reset(self, manage: Manage):
        self.check(manage("--stage", "dev", "reset", "--yes"), 2, "only a local server")
        elsewhere = run({"AWS_ENDPOINT_URL": "https://dynamodb.eu-west-1.amazonaws.com"}, "reset", "--yes")
        self.check(elsewhere, 2, "only a local server")


def test_a_stage_on_aws_uses_the_variables_of_its_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    variables = {"LAMPLIGHTER_BUCKET": "mine", "AWS_REGION": "eu-west-1"}
    monkeypatch.setattr(os, "environ", variables)

    connect(Place("prod", tmp_path))

    assert variables == {
        "LAMPLIGHTER_STAGE": "prod",
        "LAMPLIGHTER_TABLE_PREFIX": "lamplighter-prod-",
        "LAMPLIGHTER_QUEUE_PREFIX": "lamplighter-prod-",
        "LAMPLIGHTER_BUCKET": "mine",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


def test_no_command_module_imports_the_settings_early():
    """Importing a table or a queue of the app reads them: the command would then use the local server's."""
    code = (
        "import sys; from unittest.mock import patch; import infra.manage.program as program\n"
        "with patch.object(program, 'manage'), patch.object(sys, 'exit'): program.main()\n"
        "from chalicelib.settings import current\n"
        "print(current.cache_info().currsize, sys.modules.keys() & {'pynamodb'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "0 set()", done.stderr


def test_the_command_has_the_switches_of_the_server():
    assert [str(each) for each in Switch] == list(NAMES)


class TestAuditLogs:
    """``audit verify`` finds changed entries."""

    def test_of_one_tenant_and_of_all(self, manage: Manage, done, document, tenant, api: httpx2.Client):
        assert api.post("/api/management/v1/useradm/settings", json={"a": 1}).status_code == 201

        [found] = document("audit", "verify", tenant.id)
        assert (found["tenant"], found["findings"]) == (tenant.id, [])
        assert all(len(chain["hash"]) == 64 for chain in found["chains"])
        assert sum(chain["entries"] for chain in found["chains"]) >= 1
        assert done("audit", "verify", tenant.id).startswith(f"{tenant.id}  chain ")
        assert manage("audit", "verify", "nobody").returncode == 3

    def test_an_altered_entry(self, manage: Manage, tenant, api: httpx2.Client):
        assert api.post("/api/management/v1/useradm/settings", json={"a": 1}).status_code == 201
        row = next(EntryItem.by_time.query(keys.partition(tenant.id)))
        row.update([EntryItem.content.set(row.content.replace(b'"time":1', b'"time":2'))])

        result = manage("audit", "verify", tenant.id)

        assert result.returncode == 6
        assert f"{tenant.id}  chain" in result.stdout
        assert "was altered" in result.stdout


def test_helping_users_without_mail(done, http: httpx2.Client, tenant):
    email = new_email()
    user = done("user", "create", "--tenant", tenant.id, email, "--generate")
    reset = "/api/management/v1/useradm/auth/password-reset/complete"

    # The server's URL is unknown here, so it prints only the secret.
    code = done("user", "reset-link", email).rpartition("/")[2]
    assert http.post(reset, json={"secret_hash": code, "password": PASSWORD}).status_code == 202
    assert done("user", "verify", email) == user
    assert done("user", "reset-2fa", email) == user

    shown = http.get(ME, headers=bearer(http.post(LOGIN, auth=(email, PASSWORD)).text)).json()
    assert (shown["verified"], shown["tfa_status"]) == (True, "disabled")
