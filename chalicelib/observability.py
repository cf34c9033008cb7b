"""Logs and metrics of calls.

Log lines are JSON. They never contain tokens, keys, passwords or identity data of devices, and each has the id of its
call (``request_id``), which queue messages and webhooks carry too. Metrics are log lines too, in CloudWatch's Embedded
Metric Format: one line for a call that counted something. A poll without an update writes no line.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from chalicelib import call, settings
from chalicelib.errors import SwitchedOff, TooManyRequests, Unavailable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from chalicelib.errors import DomainError

_NAMESPACE: Final = "Lamplighter"


class Metric(StrEnum):
    """All metrics, in the namespace ``Lamplighter`` with ``Stage`` as the only dimension.

    CloudWatch bills each metric by the month, so there are none per tenant or device. What Lambda, API Gateway, SQS and
    DynamoDB count themselves (calls, times, throttles, queues) is not counted again.
    """

    ASSIGNMENTS = "Assignments"
    """Devices that were assigned an update."""
    AUDIT_ENTRIES = "AuditEntries"
    DEPLOYMENTS_ABORTED = "DeploymentsAborted"
    DEPLOYMENTS_CREATED = "DeploymentsCreated"
    DEPLOYMENTS_FINISHED = "DeploymentsFinished"
    """Without aborted ones."""
    DEPLOYMENTS_STOPPED = "DeploymentsStopped"
    """Deployments that their failures have paused or aborted."""
    DEVICES_ACCEPTED = "DevicesAccepted"
    LOGIN_FAILURES = "LoginFailures"
    MAIL_FAILURES = "MailFailures"
    """Failed attempts to send a mail."""
    PENDING_DEVICES_DROPPED = "PendingDevicesDropped"
    """Pending devices that were replaced by newer ones, because their tenant had reached its limit."""
    RATE_LIMITED = "RateLimited"
    """Calls that were answered with 429."""
    REPORTS_ALREADY_INSTALLED = "ReportsAlreadyInstalled"
    REPORTS_FAILURE = "ReportsFailure"
    REPORTS_PROGRESS = "ReportsProgress"
    """Reports of progress."""
    REPORTS_SUCCESS = "ReportsSuccess"
    STRANGERS_REFUSED = "StrangersRefused"
    """Calls without an account that were refused because of a limit of their network or tenant."""
    UNAVAILABLE = "Unavailable"
    """Calls answered with 503, because a store did not answer in time."""
    UNEXPECTED_ERRORS = "UnexpectedErrors"
    """Calls answered with 500; each has a line with its traceback."""
    UNTRUSTED_UPLOADS = "UntrustedUploads"
    """Artifacts that were refused, because their tenant demands a signature by one of its trusted keys."""
    WEBHOOK_DELIVERIES = "WebhookDeliveries"
    """Delivered webhook events."""
    WEBHOOK_FAILURES = "WebhookFailures"
    """Failed attempts to deliver a webhook event; they are retried."""


class _OfItsCall(logging.Filter):
    """Adds the id of the call to each line."""

    def filter(self, record: logging.LogRecord) -> bool:
        request_id = call.request_id()
        if request_id:
            record.request_id = request_id
        return True


class _Lines:
    """The logger, which is made when the first line is written, because most calls of devices write none.

    Importing and making it takes 40 ms.
    """

    def __getattr__(self, name: str) -> Any:
        # The attribute of the logger becomes one of this object, so that it is looked up only once.
        found = getattr(_logger(), name)
        setattr(self, name, found)
        return found


@cache
def _logger() -> Logger:
    # Imported here: see above.
    from aws_lambda_powertools import Logger

    made = Logger(service="lamplighter", level=settings.current().log_level, utc=True, use_rfc3339=True)
    logging.getLogger("lamplighter").addFilter(_OfItsCall())
    return made


logger: Logger = _Lines()  # type: ignore[assignment]  # it has all attributes of one


def count(metric: Metric) -> None:
    """Count something for the running call. For effects of a transaction use ``Transaction.then``."""
    running = call.current()
    if running is not None:
        running.counts[metric] += 1


def count_refusal(error: DomainError) -> None:
    """Count an error of the running call, if its kind is counted and it is not intended."""
    match error:
        case TooManyRequests():
            count(Metric.RATE_LIMITED)
        case Unavailable() if not isinstance(error, SwitchedOff):
            count(Metric.UNAVAILABLE)


class Observed(call.Running):
    """A block that runs as one call: its log lines have its id, and its metrics are written at the end.

    ``context`` is Lambda's, a ``call.Context`` whatever Chalice's types say.
    """

    __slots__ = ()

    def __init__(self, request_id: str, context: Any) -> None:
        super().__init__(request_id, context)

    def __exit__(self, *about: object) -> None:
        try:
            if self._call.counts and settings.current().metrics:
                _write(self._call)
        finally:
            super().__exit__(*about)


def _write(running: call.Call) -> None:
    # Imported here: most calls count nothing.
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    line = EphemeralMetrics(namespace=_NAMESPACE)
    line.add_dimension("Stage", settings.current().stage)
    for name, times in running.counts.items():
        line.add_metric(str(name), MetricUnit.Count, times)
    line.add_metadata("request_id", running.request_id)
    line.flush_metrics()
