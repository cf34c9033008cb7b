"""The texts of account mails, and the links in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib import settings
from chalicelib.aws.mail import Mail
from chalicelib.useradm.rules import Purpose

if TYPE_CHECKING:
    from datetime import timedelta

_PLACES = {
    Purpose.PASSWORD_RESET: "password",
    Purpose.VERIFY_EMAIL: "activate",
    Purpose.EMAIL_CHANGE: "email-change",
    Purpose.INVITATION: "password",
}
"""Paths of the web UI's pages, which continue with the secret."""

_SUBJECTS = {
    Purpose.PASSWORD_RESET: "Reset your password",
    Purpose.VERIFY_EMAIL: "Confirm your e-mail address",
    Purpose.EMAIL_CHANGE: "Confirm your new e-mail address",
    Purpose.INVITATION: "You are invited to Lamplighter",
}
_WISHES = {
    Purpose.PASSWORD_RESET: "to set a new password for",
    Purpose.VERIFY_EMAIL: "to confirm the e-mail address of",
    Purpose.EMAIL_CHANGE: "to use this e-mail address for",
}
_INVITED = """\
You are invited to Lamplighter, where devices are managed and updated. Your account is {account}.
Choose a password for it.

{link}Where you are asked for a code, it is

{secret}

Both are good for {hours}, and once. After that, ask whoever invited you to send another invitation.
If you expected none, ignore this mail.
"""
_TEXT = """\
Somebody, probably you, asked {wish} the account {account}.

{link}Where you are asked for a code, it is

{secret}

Both are good for {hours}, and once. If it was not you, nothing has happened and nothing will: ignore this mail.
"""
_LINK = """\
To go on, open

{link}

"""
_CHANGED = """\
The {what} of the account {account} was changed. If it was not you, tell the administrator of your server at once.
"""
_RECOVERED = """\
A recovery code of the account {account} was used in place of a code of its authenticator app. {left}

If it was not you, change your password, make new recovery codes, and tell the administrator of your server at once.
"""


def link(purpose: Purpose, secret: str) -> str:
    """The link with a secret; empty if the server does not know its public address.

    It depends on the settings only, because a request's host could send the secret anywhere.
    """
    base = ui_url()
    # A first password has the same page as a new one, which Mender's UI has too; the console then words it differently.
    marked = "?invited=1" if purpose is Purpose.INVITATION else ""
    return f"{base}/#/{_PLACES[purpose]}/{secret}{marked}" if base else ""


def ui_url() -> str:
    """The address of the web UI; empty if the server does not know it."""
    return settings.current().ui_url.rstrip("/") or console_url()


def console_url() -> str:
    """The address of the console; empty if the server does not know it.

    On AWS it is below the API's stage, which every gateway serves; the edge and one machine also have it at ``/ui``.
    """
    base = settings.current().public_url.rstrip("/")
    if not base:
        return ""
    return f"{base}/api/ui" if settings.aws().on_lambda else f"{base}/ui"


def confirm(purpose: Purpose, account: str, to: str, secret: str) -> Mail:
    """The mail with a secret for the address that it verifies."""
    where = link(purpose, secret)
    text = (_INVITED if purpose is Purpose.INVITATION else _TEXT).format(
        wish=_WISHES.get(purpose),
        account=account,
        link=_LINK.format(link=where) if where else "",
        secret=secret,
        hours=_duration(purpose.life),
    )
    return Mail(to, _SUBJECTS[purpose], text)


def _duration(life: timedelta) -> str:
    hours = int(life.total_seconds()) // 3600
    if hours > 24:
        return f"{hours // 24} days"
    return f"{hours} hours" if hours > 1 else "an hour"


def changed(what: str, account: str) -> Mail:
    """The mail to an account's address after its credentials have changed."""
    return Mail(account, f"Your {what} was changed", _CHANGED.format(what=what, account=account))


def recovery_code_used(account: str, left: int) -> Mail:
    """The mail to an account's address after one of its recovery codes was used."""
    codes = f"{left} more {'is' if left == 1 else 'are'} left" if left else "It was the last one: make new ones"
    return Mail(account, "A recovery code was used", _RECOVERED.format(account=account, left=f"{codes}."))
