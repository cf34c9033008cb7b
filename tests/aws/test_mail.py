"""Mails by SES and SMTP: they reach one recipient, never delay a caller, and allow no header injection."""

from __future__ import annotations

import json
import logging
import ssl
from typing import TYPE_CHECKING

import boto3
import pytest

from chalicelib.aws import mail
from chalicelib.aws.client import AwsError
from chalicelib.aws.mail import Mail
from infra.local import certs
from tests.support.aws import sent_mails
from tests.support.mailbox import SENDER, Mailbox, listening, of_server, use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.testing import LocalServer

TEXT = Mail("pat@example.com", "Größe?", "First line.\n\nhttps://host/ui/password/abc\n")


@pytest.fixture
def box(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with of_server(server, monkeypatch) as opened:
        yield opened


def test_a_mail_arrives_as_it_was_written(server: LocalServer, box: Mailbox) -> None:
    assert mail.send(TEXT)
    assert box.mails == [], "the caller does not wait for the mail server"

    server.drain()

    [arrived] = box.to("pat@example.com")
    assert arrived["From"] == SENDER
    assert arrived["Subject"] == "Größe?"
    assert arrived.get_content().replace("\r\n", "\n") == TEXT.text
    assert box.recipients == [["pat@example.com"]]


@pytest.mark.parametrize(
    "injected",
    [
        Mail("pat@example.com\nBcc: eve@example.com", "hello", "text"),
        Mail("pat@example.com, eve@example.com", "hello", "text"),
        Mail("pat@example.com", "hello\r\nBcc: eve@example.com", "text"),
        Mail("nobody", "hello", "text"),
        Mail('"pat, eve"@example.com', "hello", "text"),
        Mail("pat@example.com eve@example.com", "hello", "text"),
    ],
)
def test_addresses_and_subjects_cannot_inject_headers(server: LocalServer, box: Mailbox, injected: Mail) -> None:
    with pytest.raises(ValueError, match=r".+"):
        mail.send(injected)

    assert server.drain() == 0


@pytest.mark.parametrize("unusual", ["a..b@example.com", ".a@example.com", "a.@example.com", "o'neil+x%y@example.com"])
def test_unusual_addresses_get_their_mail(server: LocalServer, box: Mailbox, unusual: str) -> None:
    assert mail.send(Mail(unusual, "hello", "text"))
    server.drain()

    [[recipient]] = box.recipients
    assert recipient.replace('"', "") == unusual


def test_a_permanently_refused_address_is_not_retried(server: LocalServer, box: Mailbox) -> None:
    box.refuse["pat@example.com"] = "550 no such mailbox"
    mail.send(TEXT)

    assert server.drain() == 1, "not tried again"


def test_a_temporarily_refused_mail_is_retried_and_ends_in_the_dead_letter_queue(
    server: LocalServer, box: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.CRITICAL, logger="mail.log")  # the mail server's own
    box.refuse["pat@example.com"] = "450 come back later"
    mail.send(TEXT)

    assert server.drain() == 5
    assert "pat@example.com" not in caplog.text
    sqs = boto3.client("sqs")
    dead = sqs.get_queue_url(QueueName="lamplighter-local-mails-dead")["QueueUrl"]
    [message] = sqs.receive_message(QueueUrl=dead)["Messages"]
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
    sqs.close()
    assert json.loads(message["Body"])["to"] == "pat@example.com"


def test_without_a_sender_nothing_is_sent_and_the_log_says_so(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert not mail.configured()
    assert not mail.send(TEXT)

    assert server.drain() == 0
    assert "LAMPLIGHTER_MAIL_FROM" in caplog.text
    assert TEXT.text not in caplog.text


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """TLS settings of a server whose certificate this process trusts."""
    tls = certs.ensure(tmp_path / "trusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    return _context(tls)


def _context(tls: certs.Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def test_smtp_sends_the_password_over_tls_only(trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(tls=trusted, login=True) as box:
        use(monkeypatch, mail_from=SENDER, mail_server=box.url)
        mail.deliver(TEXT)

    assert len(box.mails) == 1


def test_a_server_without_tls_gets_no_mail_unless_the_setting_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as box:
        use(monkeypatch, mail_from=SENDER, mail_server=box.url.replace("smtp+plain", "smtp"))
        with pytest.raises(OSError, match="STARTTLS"):
            mail.deliver(TEXT)

    assert box.mails == []


def test_a_server_with_an_untrusted_certificate_gets_no_mail(
    trusted: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = _context(certs.ensure(tmp_path / "stranger"))
    with listening(tls=stranger) as box:
        use(monkeypatch, mail_from=SENDER, mail_server=box.url)
        with pytest.raises(ssl.SSLCertVerificationError):
            mail.deliver(TEXT)

    assert box.mails == []


@pytest.mark.parametrize("address", ["mail.example.com", "http://mail.example.com", "smtp://"])
def test_an_invalid_smtp_setting_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    use(monkeypatch, mail_from=SENDER, mail_server=address)

    with pytest.raises(ValueError, match="LAMPLIGHTER_MAIL_SERVER"):
        mail.deliver(TEXT)


def test_mail_is_sent_by_ses_without_an_smtp_server(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = "noreply@ses.example"
    ses = boto3.client("sesv2")
    ses.create_email_identity(EmailIdentity=sender)
    ses.close()
    use(monkeypatch, mail_from=sender)

    mail.send(TEXT)
    server.drain()

    assert TEXT.text in json.dumps(sent_mails(server.engine), ensure_ascii=False).replace("\\n", "\n")


def test_a_mail_that_ses_refuses_is_retried(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, mail_from="someone@not-verified.example")

    with pytest.raises(AwsError, match="MessageRejected"):
        mail.deliver(TEXT)
