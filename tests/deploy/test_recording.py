"""Recording resources while they are created."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chalice.deploy import models
from chalice.utils import UI

from infra.deploy.plan import Recording


def test_incomplete_resources_are_not_recorded() -> None:
    """The second run used to fail on a record of a mapping without its queue."""
    made: list[str] = []
    noted: list[tuple[int, list[dict[str, Any]]]] = []
    client: Any = SimpleNamespace(live=str, make=lambda: made.append("made"))

    def value(resource: str, name: str) -> models.RecordResourceValue:
        return models.RecordResourceValue("sqs_event", resource, name, f"{resource}'s {name}")

    plan = models.Plan(
        [
            models.APICall("make", {}),
            value("one", "queue_arn"),
            value("one", "event_uuid"),
            value("one", "queue"),
            models.APICall("make", {}),
            value("two", "queue"),
        ],
        {},
    )
    Recording(client, UI(), lambda resources: noted.append((len(made), resources))).execute(plan)

    one = {"resource_type": "sqs_event", "name": "one"} | {
        name: f"one's {name}" for name in ("queue_arn", "event_uuid", "queue")
    }
    two = {"resource_type": "sqs_event", "name": "two", "queue": "two's queue"}
    assert noted == [(1, [one]), (2, [one, two])], "before anything else is made, and whole"
