"""Checks that devices report, and who is mailed about alerts (``docs/behaviour.md#alerts``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.aws import queues
from chalicelib.devicemonitor import service as devicemonitor_service
from chalicelib.errors import Unavailable
from chalicelib.events import decommissioning
from chalicelib.rights import EVERYTHING
from chalicelib.useradm import service
from tests.conftest import PASSWORD
from tests.devicemonitor.monitored import Watched, alert
from tests.support.mailbox import Mailbox
from tests.support.time import Clock

if TYPE_CHECKING:
    from email.message import EmailMessage

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
    assert api.get(f"{CHANNEL}/email/status").json() == {"enabled": True}
    answer = api.put(f"{CHANNEL}/email/status", json={"enabled": False})
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(f"{CHANNEL}/email/status").json() == {"enabled": False}
    assert api.get(f"{CHANNEL}/sms/status").status_code == 404
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


def test_a_user_turns_mails_off_for_oneself_alone(server, watched: Watched, tenant, mailbox: Mailbox):
    (mine,) = addresses(watched)
    other = f"other-{tenant.id}@example.com"
    service.create_user(tenant.id, other, PASSWORD, by=EVERYTHING)

    def choose(notifications: Any) -> None:
        body = {"notifications": notifications, "theme": "dark"}
        assert watched.world.api.post("/api/management/v1/useradm/settings/me", json=body).status_code == 201

    for minute, (chosen, gets) in enumerate(
        [
            ({"device_alerts": False}, False),
            ({"device_alerts": True}, True),
            ({"device_alerts": None}, True),
            (["device_alerts"], True),
        ]
    ):
        choose(chosen)
        mailbox.recipients.clear()
        watched.sent(alert(f"subject {minute}", minute=minute))
        server.drain()
        assert sorted(to for (to,) in mailbox.recipients) == sorted([mine, other] if gets else [other])


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
    decommissioning.clear_out(watched.device.claims["mender.tenant"], watched.device.id)
    server.drain()
    assert mailbox.mails == []


def told(watched: Watched, mailbox: Mailbox) -> list[EmailMessage]:
    """The mails about a device; a tick also tells of those of other tests."""
    return [each for each in mailbox.mails if watched.device.id in each["Subject"]]


def flip(watched: Watched, times: int, start: int = 0) -> None:
    for number in range(start, start + times):
        watched.sent(alert(level="OK" if number % 2 else "CRITICAL", minute=number))


def test_after_some_mails_in_an_hour_the_rest_comes_in_one(server, watched: Watched, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(watched, 11)
    server.drain()
    assert len(told(watched, mailbox)) == limits.ALERT_MAILS

    moment.move(minutes=59)
    devicemonitor_service.tick(moment.time)
    assert server.drain() == 0
    moment.move(minutes=2)
    devicemonitor_service.tick(moment.time)
    devicemonitor_service.tick(moment.time)
    server.drain()

    *_, digest = told(watched, mailbox)
    assert len(told(watched, mailbox)) == limits.ALERT_MAILS + 1
    assert digest["Subject"] == f"6 more alerts on {watched.device.id}"
    text = digest.get_content()
    assert f"In the last hour the state of alerts of device {watched.device.id}" in text
    assert text.count("sshd service") == 6
    # The digest is the first mail of another hour.
    flip(watched, limits.ALERT_MAILS, start=11)
    server.drain()
    assert len(told(watched, mailbox)) == limits.ALERT_MAILS + 1 + limits.ALERT_MAILS - 1
    # All alerts are there, told or not.
    assert len(watched.alerts()) == 11 + limits.ALERT_MAILS


def test_an_hour_later_changes_are_told_at_once_again(server, watched: Watched, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(watched, limits.ALERT_MAILS)
    server.drain()
    moment.move(hours=1)
    flip(watched, 2, start=limits.ALERT_MAILS)
    server.drain()
    assert len(told(watched, mailbox)) == limits.ALERT_MAILS + 2


def test_a_digest_lists_the_newest_changes(server, watched: Watched, mailbox: Mailbox, monkeypatch):
    monkeypatch.setattr(limits, "ALERT_MAILS", 1)
    monkeypatch.setattr(limits, "ALERT_DIGEST", 3)
    moment = Clock(monkeypatch)
    flip(watched, 6)
    server.drain()
    moment.move(hours=1)
    devicemonitor_service.tick(moment.time)
    server.drain()

    _, digest = told(watched, mailbox)
    assert digest["Subject"] == f"5 more alerts on {watched.device.id}"
    text = digest.get_content()
    assert "The 2 oldest of these changes are left out." in text
    assert [f"10:0{minute}:00" in text for minute in range(6)] == [False, False, False, True, True, True]


def test_other_devices_are_counted_apart(server, watched: Watched, mailbox: Mailbox):
    other = Watched(watched.world, watched.world.device())
    flip(watched, limits.ALERT_MAILS + 2)
    flip(other, 1)
    server.drain()
    assert len(told(other, mailbox)) == 1


def test_a_digest_is_for_no_device_that_is_gone(server, watched: Watched, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(watched, limits.ALERT_MAILS + 2)
    server.drain()
    watched.world.api.delete(f"/api/management/v2/devauth/devices/{watched.device.id}")
    server.drain()
    moment.move(hours=1)
    devicemonitor_service.tick(moment.time)
    server.drain()
    assert [each["Subject"] for each in told(watched, mailbox)[limits.ALERT_MAILS :]] == []


def test_without_the_queue_a_digest_stays_due(server, watched: Watched, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(watched, limits.ALERT_MAILS + 1)
    server.drain()
    moment.move(hours=1)

    def down(*_: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(queues, "send", down)
        with pytest.raises(ExceptionGroup):
            devicemonitor_service.tick(moment.time)
    devicemonitor_service.tick(moment.time)
    server.drain()
    assert len(told(watched, mailbox)) == limits.ALERT_MAILS + 1
