"""What operators see of calls: lines of the log, and numbers for CloudWatch.

Lines are JSON. They never hold a token, a key, a password or a device's identity data, and each has the id of its call
(``request_id``), which queue messages and webhooks carry on. Numbers are lines too, in CloudWatch's Embedded Metric
Format: one line for a call that counted something, none for any other. An idle poll writes no line at all.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from chalicelib import call, settings
from chalicelib.errors import SwitchedOff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.errors import DomainError

_NAMESPACE: Final = "Lamplighter"


class Metric(StrEnum):
    """Everything that is counted, in the namespace ``Lamplighter`` with the dimension ``Stage`` and no other.

    CloudWatch bills each metric by the month, so there is none for a tenant or device. What Lambda, API Gateway, SQS
    and DynamoDB count by themselves (calls, times, throttles, queues) is not counted again.
    """

    ASSIGNMENTS = "Assignments"
    """Devices that were given an update."""
    AUDIT_ENTRIES = "AuditEntries"
    DEPLOYMENTS_ABORTED = "DeploymentsAborted"
    DEPLOYMENTS_CREATED = "DeploymentsCreated"
    DEPLOYMENTS_FINISHED = "DeploymentsFinished"
    """Aborted ones are not among them."""
    DEVICES_ACCEPTED = "DevicesAccepted"
    LOGIN_FAILURES = "LoginFailures"
    MAIL_FAILURES = "MailFailures"
    """Attempts to hand a mail over."""
    PENDING_DEVICES_DROPPED = "PendingDevicesDropped"
    """Pending devices that made room for newer ones, since their tenant had as many as it may."""
    RATE_LIMITED = "RateLimited"
    """Calls that were answered with 429."""
    REPORTS_ALREADY_INSTALLED = "ReportsAlreadyInstalled"
    REPORTS_FAILURE = "ReportsFailure"
    REPORTS_PROGRESS = "ReportsProgress"
    """Reports of a step on the way."""
    REPORTS_SUCCESS = "ReportsSuccess"
    STRANGERS_REFUSED = "StrangersRefused"
    """Calls without an account that were refused, since their network or their tenant reached a limit."""
    UNAVAILABLE = "Unavailable"
    """Calls that were answered with 503: a store did not answer in time."""
    UNEXPECTED_ERRORS = "UnexpectedErrors"
    """Calls that were answered with 500; each has a line with its trace."""
    WEBHOOK_DELIVERIES = "WebhookDeliveries"
    """Posts that a receiver took."""
    WEBHOOK_FAILURES = "WebhookFailures"
    """Posts that a receiver did not take; they are tried again."""


class _OfItsCall(logging.Filter):
    """Gives each line the id of its call."""

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = call.request_id()
        if request_id:
            record.request_id = request_id
        return True


logger = Logger(service="lamplighter", level=settings.current().log_level, utc=True, use_rfc3339=True)
logging.getLogger("lamplighter").addFilter(_OfItsCall())


def count(metric: Metric) -> None:
    """Count something of the call that runs. For what a transaction does: by ``Transaction.then``."""
    running = call.current()
    if running is not None:
        running.counts[metric] += 1


_REFUSALS: Final = {429: Metric.RATE_LIMITED, 503: Metric.UNAVAILABLE}


def count_refusal(error: DomainError) -> None:
    """Count that the call that runs is refused, where its status is counted and nobody intended it."""
    if error.status in _REFUSALS and not isinstance(error, SwitchedOff):
        count(_REFUSALS[error.status])


@contextmanager
def observed(request_id: str, context: Any) -> Iterator[None]:
    """Run one call: its lines have its id, and in the end its numbers are written.

    ``context`` is Lambda's, a ``call.Context`` whatever Chalice's types say.
    """
    with call.running(request_id, context) as running:
        try:
            yield
        finally:
            if running.counts and settings.current().metrics:
                _write(running)


def _write(running: call.Call) -> None:
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    line = EphemeralMetrics(namespace=_NAMESPACE)
    line.add_dimension("Stage", settings.current().stage)
    for name, times in running.counts.items():
        line.add_metric(str(name), MetricUnit.Count, times)
    line.add_metadata("request_id", running.request_id)
    line.flush_metrics()
