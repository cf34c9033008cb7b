"""Checks that devices report, and mails about alerts (``docs/behaviour.md#alerts``)."""

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
from tests.devicemonitor.monitored import Monitored, alert
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


def check(monitored: Monitored, body: Any) -> int:
    status: int = monitored.device.call("POST", "/v1/devicemonitor/config", body).status_code
    return status


def test_the_checks_of_a_device_are_shown(monitored: Monitored):
    assert monitored.get("config").json() == []
    assert check(monitored, CHECKS) == 204
    assert monitored.get("config").json() == CHECKS
    assert check(monitored, [{"name": "a", "type": "b", "status": "c", "unknown": 1}]) == 204
    assert monitored.get("config").json() == [{"name": "a", "type": "b", "status": "c"}]


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
def test_invalid_lists_of_checks_are_refused(monitored: Monitored, body: Any):
    assert check(monitored, body) == 400


def addresses(monitored: Monitored) -> list[str]:
    return [str(user["email"]) for user in monitored.world.api.get("/api/management/v1/useradm/users").json()]


def test_every_user_gets_one_mail_for_each_change(server, monitored: Monitored, tenant, mailbox: Mailbox):
    service.create_user(tenant.id, f"{tenant.id}@example.com", PASSWORD, by=EVERYTHING)
    monitored.sent(alert(details={"description": "it is gone", "line_matching": {"line_number": 7, "data": "fatal"}}))
    # Unchanged; repeated; older; and another subject that is OK from the start.
    monitored.sent(alert(minute=1))
    monitored.sent(alert(minute=1))
    monitored.sent(alert(level="OK", minute=0, details={"description": "late"}))
    monitored.sent(alert("other", "OK"))
    server.drain()

    everyone = addresses(monitored)
    assert len(everyone) == 2
    assert sorted(to for (to,) in mailbox.recipients) == sorted(everyone)
    mail = mailbox.mails[0]
    assert mail["Subject"] == f"CRITICAL: sshd service on {monitored.device.id}"
    text = mail.get_content()
    for fact in (
        monitored.device.identity["mac"],
        "sshd service",
        "CRITICAL",
        "2024-03-01T10:00:00Z",
        "it is gone",
        "fatal",
    ):
        assert fact in text

    monitored.sent(alert(level="OK", minute=2))
    server.drain()
    assert [each["Subject"] for each in mailbox.mails[2:]] == [f"OK: sshd service on {monitored.device.id}"] * 2


def test_several_changes_of_one_report_are_one_mail(server, monitored: Monitored, mailbox: Mailbox):
    monitored.sent(alert("a"), alert("b"), alert("c", "OK"))
    server.drain()

    (mail,) = mailbox.mails
    assert mail["Subject"] == f"2 alerts on {monitored.device.id}"
    assert all(fact in mail.get_content() for fact in ("CRITICAL: a service", "CRITICAL: b service"))


def test_alert_texts_cannot_inject_headers(server, monitored: Monitored, mailbox: Mailbox):
    odd = "Ü\r\nBcc: everyone@example.com {0} {name}" + "x" * 900
    monitored.sent(alert(odd, details={"description": odd * 20}))
    server.drain()

    (mail,) = mailbox.mails
    assert "Bcc" not in mail
    assert len(mail["Subject"]) <= 120
    assert "{name}" in mail.get_content()


def test_the_largest_report_fits_into_a_message(server, monitored: Monitored, mailbox: Mailbox):
    long = "y" * 2000
    monitored.sent(*(alert(f"s{number}", details={"description": long}) for number in range(limits.ALERTS)))
    server.drain()

    assert len(mailbox.mails) == 2  # one per transaction
    assert monitored.counted() == (limits.ALERTS, True)


def test_mails_can_be_turned_off_and_on(server, monitored: Monitored, mailbox: Mailbox):
    api = monitored.world.api
    assert api.get(f"{CHANNEL}/email/status").json() == {"enabled": True}
    answer = api.put(f"{CHANNEL}/email/status", json={"enabled": False})
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(f"{CHANNEL}/email/status").json() == {"enabled": False}
    assert api.get(f"{CHANNEL}/sms/status").status_code == 404
    monitored.sent(alert())
    server.drain()
    assert mailbox.mails == []
    assert monitored.counted() == (1, True)

    assert api.put(f"{CHANNEL}/email/status", json={"enabled": True}).status_code == 204
    monitored.sent(alert(level="OK", minute=1))
    server.drain()
    assert len(mailbox.mails) == 1
    entries = api.get("/api/management/v1/auditlogs/logs", params={"object_type": "settings"}).json()
    assert [each["change"] for each in entries] == ["Alerts by email: on", "Alerts by email: off"]


def test_a_user_can_turn_off_their_own_mails(server, monitored: Monitored, tenant, mailbox: Mailbox):
    (mine,) = addresses(monitored)
    other = f"other-{tenant.id}@example.com"
    service.create_user(tenant.id, other, PASSWORD, by=EVERYTHING)

    def choose(notifications: Any) -> None:
        body = {"notifications": notifications, "theme": "dark"}
        assert monitored.world.api.post("/api/management/v1/useradm/settings/me", json=body).status_code == 201

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
        monitored.sent(alert(f"subject {minute}", minute=minute))
        server.drain()
        assert sorted(to for (to,) in mailbox.recipients) == sorted([mine, other] if gets else [other])


@pytest.mark.parametrize(
    ("name", "body"),
    [("sms", {"enabled": True}), ("email", {}), ("email", {"enabled": "yes"}), ("email", []), ("email", None)],
)
def test_invalid_channel_settings_are_refused(monitored: Monitored, name: str, body: Any):
    assert monitored.world.api.put(f"{CHANNEL}/{name}/status", json=body).status_code == 400


def test_only_users_who_may_see_the_device_get_mails(server, monitored: Monitored, tenant, mailbox: Mailbox):
    api = monitored.world.api
    lamps = {"type": "DeviceGroups", "value": ["lamps"]}
    for name, rights in (("lamp", {"name": "ReadDevices", "scope": lamps}), ("releases", {"name": "ReadReleases"})):
        role = {"name": name, "permission_sets_with_scope": [rights]}
        assert api.post("/api/management/v1/useradm/roles", json=role).status_code == 201
        body = {"email": f"{name}-{tenant.id}@example.com", "password": PASSWORD, "roles": [name]}
        assert api.post("/api/management/v1/useradm/users", json=body).status_code == 201
    everyone = addresses(monitored)
    admin = next(each for each in everyone if tenant.id not in each)

    monitored.sent(alert())
    server.drain()
    assert [to for (to,) in mailbox.recipients] == [admin]

    api.put(f"/api/management/v1/inventory/devices/{monitored.device.id}/group", json={"group": "lamps"})
    monitored.sent(alert(level="OK", minute=1))
    server.drain()
    assert sorted(to for (to,) in mailbox.recipients[1:]) == sorted([admin, f"lamp-{tenant.id}@example.com"])


def test_alerts_are_stored_even_if_the_queue_fails(monitored: Monitored, mailbox: Mailbox, monkeypatch):
    def down(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(queues, "send", down)
    monitored.sent(alert())
    assert monitored.counted() == (1, True)


def test_a_server_without_mail_queues_none(server, monitored: Monitored):
    monitored.sent(alert())
    assert server.drain() == 0


def test_no_mails_are_sent_about_a_decommissioned_device(server, monitored: Monitored, mailbox: Mailbox):
    monitored.sent(alert())
    monitored.world.api.delete(f"/api/management/v2/devauth/devices/{monitored.device.id}")
    decommissioning.clear_out(monitored.device.claims["mender.tenant"], monitored.device.id)
    server.drain()
    assert mailbox.mails == []


def mails_about(monitored: Monitored, mailbox: Mailbox) -> list[EmailMessage]:
    """The mails about this device; the schedule also sends those of other tests."""
    return [each for each in mailbox.mails if monitored.device.id in each["Subject"]]


def flip(monitored: Monitored, times: int, start: int = 0) -> None:
    for number in range(start, start + times):
        monitored.sent(alert(level="OK" if number % 2 else "CRITICAL", minute=number))


def test_above_the_hourly_limit_mails_are_combined_in_a_digest(
    server, monitored: Monitored, mailbox: Mailbox, monkeypatch
):
    moment = Clock(monkeypatch)
    flip(monitored, 11)
    server.drain()
    assert len(mails_about(monitored, mailbox)) == limits.ALERT_MAILS

    moment.move(minutes=59)
    devicemonitor_service.tick(moment.time)
    assert server.drain() == 0
    moment.move(minutes=2)
    devicemonitor_service.tick(moment.time)
    devicemonitor_service.tick(moment.time)
    server.drain()

    *_, digest = mails_about(monitored, mailbox)
    assert len(mails_about(monitored, mailbox)) == limits.ALERT_MAILS + 1
    assert digest["Subject"] == f"6 more alerts on {monitored.device.id}"
    text = digest.get_content()
    assert f"In the last hour the state of alerts of device {monitored.device.id}" in text
    assert text.count("sshd service") == 6
    # The digest counts as the first mail of the next hour.
    flip(monitored, limits.ALERT_MAILS, start=11)
    server.drain()
    assert len(mails_about(monitored, mailbox)) == limits.ALERT_MAILS + 1 + limits.ALERT_MAILS - 1
    # All alerts are stored, whether mailed or not.
    assert len(monitored.alerts()) == 11 + limits.ALERT_MAILS


def test_an_hour_later_changes_are_mailed_immediately_again(
    server, monitored: Monitored, mailbox: Mailbox, monkeypatch
):
    moment = Clock(monkeypatch)
    flip(monitored, limits.ALERT_MAILS)
    server.drain()
    moment.move(hours=1)
    flip(monitored, 2, start=limits.ALERT_MAILS)
    server.drain()
    assert len(mails_about(monitored, mailbox)) == limits.ALERT_MAILS + 2


def test_a_digest_lists_the_newest_changes(server, monitored: Monitored, mailbox: Mailbox, monkeypatch):
    monkeypatch.setattr(limits, "ALERT_MAILS", 1)
    monkeypatch.setattr(limits, "ALERT_DIGEST", 3)
    moment = Clock(monkeypatch)
    flip(monitored, 6)
    server.drain()
    moment.move(hours=1)
    devicemonitor_service.tick(moment.time)
    server.drain()

    _, digest = mails_about(monitored, mailbox)
    assert digest["Subject"] == f"5 more alerts on {monitored.device.id}"
    text = digest.get_content()
    assert "The 2 oldest of these changes are left out." in text
    assert [f"10:0{minute}:00" in text for minute in range(6)] == [False, False, False, True, True, True]


def test_devices_are_counted_separately(server, monitored: Monitored, mailbox: Mailbox):
    other = Monitored(monitored.world, monitored.world.device())
    flip(monitored, limits.ALERT_MAILS + 2)
    flip(other, 1)
    server.drain()
    assert len(mails_about(other, mailbox)) == 1


def test_no_digest_is_sent_about_a_decommissioned_device(server, monitored: Monitored, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(monitored, limits.ALERT_MAILS + 2)
    server.drain()
    monitored.world.api.delete(f"/api/management/v2/devauth/devices/{monitored.device.id}")
    server.drain()
    moment.move(hours=1)
    devicemonitor_service.tick(moment.time)
    server.drain()
    assert [each["Subject"] for each in mails_about(monitored, mailbox)[limits.ALERT_MAILS :]] == []


def test_a_digest_stays_due_if_the_queue_fails(server, monitored: Monitored, mailbox: Mailbox, monkeypatch):
    moment = Clock(monkeypatch)
    flip(monitored, limits.ALERT_MAILS + 1)
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
    assert len(mails_about(monitored, mailbox)) == limits.ALERT_MAILS + 1
