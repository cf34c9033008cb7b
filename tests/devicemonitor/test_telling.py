"""What devices watch, and who is told of alerts (behaviour notes I)."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import limits
from chalicelib.aws import queues
from chalicelib.errors import Unavailable
from tests.conftest import PASSWORD
from tests.devicemonitor.watched import Watched, alert
from tests.support.mailbox import Mailbox

CHANNEL = "/api/management/v1/devicemonitor/settings/global/channel/alerts"
CHECKS = [
    {"name": "ssh", "type": "service", "status": "enabled", "service": {"name": "sshd", "type": "systemd"}},
    {"name": "disk", "type": "log", "status": "enabled", "log": {"pattern": "full", "path": "@dmesg"}},
    {"name": "bus", "type": "dbus", "status": "disabled", "dbus": {"name": "a", "watch_expression": "b"}},
]


def check(watched: Watched, body: Any) -> int:
    status: int = watched.device.call("POST", "/v1/devicemonitor/config", body).status_code
    return status


def test_what_a_device_watches(watched: Watched):
    assert watched.get("config").json() == []
    assert check(watched, CHECKS) == 204
    assert watched.get("config").json() == CHECKS
    assert check(watched, [{"name": "a", "type": "b", "status": "c", "unknown": 1}]) == 204
    assert watched.get("config").json() == [{"name": "a", "type": "b", "status": "c"}]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        None,
        [{"name": "a", "type": "b"}],
        [{"name": "", "type": "b", "status": "c"}],
        [{"name": "a", "type": "log", "status": "c", "log": "x"}],
        CHECKS * 43,
        [{"name": "a", "type": "log", "status": "c", "log": {"pattern": "x" * limits.CHECKS_SIZE}}],
    ],
    ids=["empty", "object", "null", "part", "no name", "text", "many", "large"],
)
def test_what_is_no_list_of_checks(watched: Watched, body: Any):
    assert check(watched, body) == 400


def addresses(watched: Watched) -> list[str]:
    return [str(user["email"]) for user in watched.world.api.get("/api/management/v1/useradm/users").json()]


def test_every_user_is_told_once_of_each_change(server, watched: Watched, tenant, mailbox: Mailbox):
    from chalicelib.rights import EVERYTHING
    from chalicelib.useradm import service

    service.create_user(tenant.id, f"{tenant.id}@example.com", PASSWORD, by=EVERYTHING)
    watched.sent(alert(details={"description": "it is gone", "line_matching": {"line_number": 7, "data": "fatal"}}))
    # As before; the same report again; older; another that is well from the start.
    watched.sent(alert(minute=1))
    watched.sent(alert(minute=1))
    watched.sent(alert(level="OK", minute=0, details={"description": "late"}))
    watched.sent(alert("other", "OK"))
    server.drain()

    everyone = addresses(watched)
    assert len(everyone) == 2
    assert sorted(to for (to,) in mailbox.recipients) == sorted(everyone)
    mail = mailbox.mails[0]
    assert mail["Subject"] == f"CRITICAL: sshd service on {watched.device.id}"
    text = mail.get_content()
    for fact in (
        watched.device.identity["mac"],
        "sshd service",
        "CRITICAL",
        "2024-03-01T10:00:00Z",
        "it is gone",
        "fatal",
    ):
        assert fact in text

    watched.sent(alert(level="OK", minute=2))
    server.drain()
    assert [each["Subject"] for each in mailbox.mails[2:]] == [f"OK: sshd service on {watched.device.id}"] * 2


def test_several_changes_of_one_report_are_one_mail(server, watched: Watched, mailbox: Mailbox):
    watched.sent(alert("a"), alert("b"), alert("c", "OK"))
    server.drain()

    (mail,) = mailbox.mails
    assert mail["Subject"] == f"2 alerts on {watched.device.id}"
    assert all(fact in mail.get_content() for fact in ("CRITICAL: a service", "CRITICAL: b service"))


def test_texts_of_any_kind(server, watched: Watched, mailbox: Mailbox):
    odd = "Ü\r\nBcc: everyone@example.com {0} {name}" + "x" * 900
    watched.sent(alert(odd, details={"description": odd * 20}))
    server.drain()

    (mail,) = mailbox.mails
    assert "Bcc" not in mail
    assert len(mail["Subject"]) <= 120
    assert "{name}" in mail.get_content()


def test_the_largest_report_fits_into_a_message(server, watched: Watched, mailbox: Mailbox):
    long = "y" * 2000
    watched.sent(*(alert(f"s{number}", details={"description": long}) for number in range(limits.ALERTS)))
    server.drain()

    assert len(mailbox.mails) == 2  # one a transaction
    assert watched.counted() == (limits.ALERTS, True)


def test_mails_can_be_turned_off_and_on(server, watched: Watched, mailbox: Mailbox):
    api = watched.world.api
    answer = api.put(f"{CHANNEL}/email/status", json={"enabled": False})
    assert (answer.status_code, answer.content) == (204, b"")
    watched.sent(alert())
    server.drain()
    assert mailbox.mails == []
    assert watched.counted() == (1, True)

    assert api.put(f"{CHANNEL}/email/status", json={"enabled": True}).status_code == 204
    watched.sent(alert(level="OK", minute=1))
    server.drain()
    assert len(mailbox.mails) == 1
    entries = api.get("/api/management/v1/auditlogs/logs", params={"object_type": "settings"}).json()
    assert [each["change"] for each in entries] == ["Alerts by email: on", "Alerts by email: off"]


@pytest.mark.parametrize(
    ("name", "body"),
    [("sms", {"enabled": True}), ("email", {}), ("email", {"enabled": "yes"}), ("email", []), ("email", None)],
)
def test_what_no_channel_takes(watched: Watched, name: str, body: Any):
    assert watched.world.api.put(f"{CHANNEL}/{name}/status", json=body).status_code == 400


def test_only_who_may_see_the_device_is_told(server, watched: Watched, tenant, mailbox: Mailbox):
    api = watched.world.api
    lamps = {"type": "DeviceGroups", "value": ["lamps"]}
    for name, rights in (("lamp", {"name": "ReadDevices", "scope": lamps}), ("releases", {"name": "ReadReleases"})):
        role = {"name": name, "permission_sets_with_scope": [rights]}
        assert api.post("/api/management/v1/useradm/roles", json=role).status_code == 201
        body = {"email": f"{name}-{tenant.id}@example.com", "password": PASSWORD, "roles": [name]}
        assert api.post("/api/management/v1/useradm/users", json=body).status_code == 201
    everyone = addresses(watched)
    admin = next(each for each in everyone if tenant.id not in each)

    watched.sent(alert())
    server.drain()
    assert [to for (to,) in mailbox.recipients] == [admin]

    api.put(f"/api/management/v1/inventory/devices/{watched.device.id}/group", json={"group": "lamps"})
    watched.sent(alert(level="OK", minute=1))
    server.drain()
    assert sorted(to for (to,) in mailbox.recipients[1:]) == sorted([admin, f"lamp-{tenant.id}@example.com"])


def test_without_the_queue_alerts_are_taken_all_the_same(watched: Watched, mailbox: Mailbox, monkeypatch):
    def down(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(queues, "send", down)
    watched.sent(alert())
    assert watched.counted() == (1, True)


def test_a_server_that_sends_no_mails_orders_none(server, watched: Watched):
    watched.sent(alert())
    assert server.drain() == 0


def test_a_device_that_is_gone_is_told_of_to_nobody(server, watched: Watched, mailbox: Mailbox):
    watched.sent(alert())
    watched.world.api.delete(f"/api/management/v2/devauth/devices/{watched.device.id}")
    from chalicelib.devauth import service

    service.clear_out(watched.device.claims["mender.tenant"], watched.device.id)
    server.drain()
    assert mailbox.mails == []
