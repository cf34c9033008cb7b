"""Short calls of a device and its operators for alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

    from tests.deployments.world import World
    from tests.simulator.device import Device

PLACE = "/api/management/v1/devicemonitor/devices"


def alert(subject: str = "sshd", level: str = "CRITICAL", minute: int = 0, **more: Any) -> dict[str, Any]:
    """An alert, at a ``minute`` of a fixed hour in the past."""
    details = more.pop("details", None)
    about = {"name": subject, "type": "systemd.unit", "status": "not-running"}
    return {
        "name": f"{subject} service",
        "level": level,
        "subject": about | ({"details": details} if details else {}),
        "timestamp": f"2024-03-01T10:{minute:02d}:00Z",
        **more,
    }


@dataclass
class Monitored:
    """A device of ``world`` and its alerts."""

    world: World
    device: Device

    def send(self, *alerts: Any) -> httpx2.Response:
        """The device sends a report."""
        return self.device.call("POST", "/v1/devicemonitor/alert", list(alerts))

    def sent(self, *alerts: Any) -> None:
        """The device sends a report, which is accepted."""
        answer = self.send(*alerts)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def get(self, what: str, **query: Any) -> httpx2.Response:
        """Read alerts as an operator."""
        return self.world.api.get(f"{PLACE}/{self.device.id}/{what}", params=query)

    def alerts(self, what: str = "alerts", **query: Any) -> list[str]:
        """Alerts as ``subject level minute``."""
        answer = self.get(what, **query)
        assert answer.status_code == 200, answer.text
        return [f"{each['subject']['name']} {each['level']} {each['timestamp'][14:16]}" for each in answer.json()]

    def latest(self, **query: Any) -> list[str]:
        """The newest alert of each subject, as ``subject level minute``."""
        return self.alerts("alerts/latest", **query)

    def counted(self) -> tuple[int, bool] | None:
        """``alert_count`` and ``alerts`` in the inventory; None if missing."""
        answer = self.world.api.get(f"/api/management/v1/inventory/devices/{self.device.id}")
        assert answer.status_code == 200, answer.text
        found = {each["name"]: each["value"] for each in answer.json()["attributes"] if each["scope"] == "monitor"}
        return (found["alert_count"], found["alerts"]) if found else None
