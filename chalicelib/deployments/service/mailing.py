"""Queues mails about deployments, which a worker writes and sends (``service/workers``)."""

from __future__ import annotations

from chalicelib.aws import client, mail, queues
from chalicelib.errors import DomainError
from chalicelib.observability import logger


def order(notice: queues.ApprovalNotice | queues.StopNotice) -> None:
    """Queue mails, if the server sends any. If that fails, the change that they are about is stored nevertheless."""
    if not mail.configured():
        return
    try:
        queues.send(queues.Queue.MAILS, notice)
    except (DomainError, client.AwsError):
        logger.exception("mail about a deployment not queued", extra={"deployment": notice.deployment})
