"""A real SMTP server on loopback that stores mails, and the settings for using it."""

from __future__ import annotations

import re
from asyncio import Server
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from msgspec.structs import replace

from chalicelib import settings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import EmailMessage

    import pytest

    from infra.local.testing import LocalServer

SENDER = "Lamplighter <noreply@lamplighter.example>"
USER, PASSWORD = "post@office", "s3cret:with@signs"


@dataclass
class Mailbox:
    """Received mails in order, with the envelope's recipients. ``refuse`` maps an address to a reply."""

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    url: str = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Accept a recipient, unless it is in ``refuse``."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Store a mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 kept"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to an address."""
        return [mail for mail, whom in zip(self.mails, self.recipients, strict=True) if address in whom]

    def secret(self, address: str) -> str:
        """The last part of the link in the newest mail to an address."""
        found = re.findall(r"https?://\S+/([A-Za-z0-9_-]{20,})", self.to(address)[-1].get_content())
        assert found, "the mail holds no link"
        return str(found[-1])


def _allow(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (USER.encode(), PASSWORD.encode()), handled=False)


class _Server(Controller):
    def factory(self) -> SMTP:
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        # Port 0 means any free port; the controller connects to the real one.
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def listening(*, tls: ssl.SSLContext | None = None, login: bool = False) -> Iterator[Mailbox]:
    """A server on a free port; ``tls`` requires STARTTLS, ``login`` requires a user."""
    box = Mailbox()
    controller = _Server(
        box,
        hostname="127.0.0.1",
        port=0,
        tls_context=tls,
        require_starttls=tls is not None,
        auth_required=login,
        authenticator=_allow if login else None,
    )
    controller.start()
    try:
        user = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@" if login else ""
        box.url = f"{'smtp' if tls else 'smtp+plain'}://{user}localhost:{controller.port}"
        yield box
    finally:
        controller.stop()


@contextmanager
def of_server(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mailbox for all mails of a server during a test, without mails of other tests.

    Tests share the server and its queues, so leftovers of earlier tests are deleted first.
    """
    server.purge()
    with listening() as box:
        use(monkeypatch, mail_from=SENDER, mail_server=box.url)
        yield box
        server.drain()


def use(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Change settings during a test."""
    known = replace(settings.current(), **changed)
    monkeypatch.setattr(settings, "current", lambda: known)
