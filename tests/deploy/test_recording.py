"""What is noted of resources while they are made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chalice.deploy import models
from chalice.utils import UI

from infra.deploy.plan import Recording


def test_no_half_of_a_resource_is_noted() -> None:
    """A record without the queue of a mapping was one that the second run broke off at."""
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
