"""Mails: queued by the call and sent by a worker, so that a slow mail server never delays a request.

They are sent by Amazon SES, or the SMTP server of ``private_settings``. Without ``settings.mail_from`` no mail is sent.
A mail may be sent twice: a worker that is interrupted after sending leaves its message in the queue.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import settings
from chalicelib.aws import client, private_settings, queues
from chalicelib.observability import Metric, count, logger

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

_ONE_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\]+@[A-Za-z0-9.-]+")
_SILENCE = 10.0
"""Maximum silence of SES in seconds. Long, because a retried mail may arrive twice."""
_TIMEOUT = 20
"""Maximum seconds for each answer of an SMTP server."""
_BAD_SERVER = (
    "LAMPLIGHTER_MAIL_SERVER, or the secret mail-server, has to be "
    "smtp://, smtps:// or smtp+plain://[user:password@]host[:port]"
)
_PERMANENT = 500
"""SMTP: from this reply code on, retrying will not help."""


class Mail(msgspec.Struct, frozen=True, tag="mail"):
    """A plain text to one address."""

    to: str
    subject: str
    text: str


class NotTakenError(Exception):
    """The mail server does not accept the mail now."""


def configured() -> bool:
    """Whether this server can send mails at all."""
    return bool(settings.current().mail_from)


def send(mail: Mail) -> bool:
    """Queue a mail; False, with a line in the log, if this server cannot send mails.

    Raises:
        ValueError: there is not exactly one address, or the subject has more than one line.
        Unavailable: the queue did not accept it.
    """
    _compose(mail)  # so that an invalid mail fails here and not later in the worker
    if not configured():
        logger.warning("mail not sent: LAMPLIGHTER_MAIL_FROM is not set", extra={"subject": mail.subject})
        return False
    queues.send(queues.Queue.MAILS, mail)
    return True


def deliver(mail: Mail) -> None:
    """Send a mail through SES or the SMTP server; called by the worker.

    Raises:
        AwsError, NotTakenError, OSError: it was not accepted; the queue tries again.
        Unavailable: the mail server's address cannot be read; the queue tries again.
        ValueError: it is not the address of an SMTP server.
    """
    if not configured():
        logger.warning("mail dropped: LAMPLIGHTER_MAIL_FROM is no longer set")
        return
    try:
        if server := private_settings.mail_server():
            _by_smtp(mail, server)
        else:
            _by_ses(mail)
    except Exception:
        count(Metric.MAIL_FAILURES)
        raise


def _compose(mail: Mail) -> EmailMessage:
    # email.message refuses line breaks in headers, and quotes unusual local parts (two dots, a dot at an end).
    # Imported here: of the functions that queue mails, none writes one.
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    message = EmailMessage()
    sender = settings.current().mail_from
    if sender:
        message["From"] = sender
        message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2].rstrip("> ") or "localhost")
    if not _ONE_ADDRESS.fullmatch(mail.to):
        raise ValueError("a mail goes to one address")
    name, _, domain = mail.to.partition("@")
    message["To"] = Address(username=name, domain=domain)
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _by_ses(mail: Mail) -> None:
    text = {"Data": mail.text, "Charset": "UTF-8"}
    document = {
        "FromEmailAddress": settings.current().mail_from,
        "Destination": {"ToAddresses": [mail.to]},
        "Content": {"Simple": {"Subject": {"Data": mail.subject, "Charset": "UTF-8"}, "Body": {"Text": text}}},
    }
    request = AWSRequest(
        "POST",
        client.endpoint("email") + "/v2/email/outbound-emails",
        data=msgspec.json.encode(document),
        headers={"Content-Type": "application/json"},
    )
    answer = client.send(SigV4Auth(client.credentials(), "ses", settings.aws().region), request, silence=_SILENCE)
    if answer.status >= 400:  # HTTP
        code = answer.headers.get("x-amzn-errortype", "SendEmail").partition(":")[0]
        raise client.AwsError(code, answer.status, answer.data.decode(errors="replace")[:200])


def _by_smtp(mail: Mail, url: str) -> None:
    # Imported here: most servers send by SES.
    import smtplib
    import ssl

    where = urlsplit(url)
    if where.scheme not in private_settings.MAIL_PORTS or not where.hostname:
        raise ValueError(_BAD_SERVER)
    try:
        with _connected(where) as server:
            if where.scheme == "smtp":
                # TLS is required, not optional: an attacker who can remove the offer must not get the mail.
                server.starttls(context=ssl.create_default_context())
            if where.username:
                server.login(unquote(where.username), unquote(where.password or ""))
            server.send_message(_compose(mail))
    except smtplib.SMTPRecipientsRefused as error:
        replies = [code for code, _ in error.recipients.values()]
        if min(replies) < _PERMANENT:
            # Not the error itself: its text contains the address and would be logged.
            raise NotTakenError(f"the mail server answered {replies}") from None
        count(Metric.MAIL_FAILURES)
        logger.warning("the mail server permanently rejected an address", extra={"replies": replies})


def _connected(where: SplitResult) -> smtplib.SMTP:
    # Imported here: most servers send by SES.
    import smtplib
    import ssl

    host, port = str(where.hostname), where.port or private_settings.MAIL_PORTS[where.scheme]
    if where.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=_TIMEOUT)
