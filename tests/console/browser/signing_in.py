"""Signing in and out in the browser, and an authenticator app for the second factor."""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from chalicelib.useradm import service
from chalicelib.useradm.service import totp
from tests.console.browser.fleet import PASSWORD

if TYPE_CHECKING:
    from infra.local.testing import LocalServer
    from tests.console.browser.checked_page import Console
    from tests.support.mailbox import Mailbox

LOGIN, SESSION = r"/auth/login$", r"/console/session$"


@dataclass
class Phone:
    """An authenticator app with a key. No code is shown twice."""

    key: str
    last: int = 0

    def code(self) -> str:
        """The next code, which is valid now and for the next 30 seconds."""
        self.last = max(self.last + 1, int(time.time()) // totp.STEP)
        return totp.code(base64.b32decode(self.key), self.last)

    def wrong(self) -> str:
        """A code that it does not show."""
        now = int(time.time()) // totp.STEP
        shown = {totp.code(base64.b32decode(self.key), now + drift) for drift in range(-3, 4)}
        return next(f"{number:06}" for number in range(10) if f"{number:06}" not in shown)


def outside(console: Console, path: str = "/") -> Console:
    """Show the sign-in page."""
    with console.refused("GET", SESSION, 401):
        console.show(path)
    return console


def sign_in(console: Console, email: str, password: str = PASSWORD) -> None:
    """Fill the form and send it."""
    console.page.get_by_label("E-mail address").fill(email)
    console.page.get_by_label("Password", exact=True).fill(password)
    console.button("Sign in").click()


def is_in(console: Console) -> None:
    """Wait until a user is signed in."""
    expect(console.page.get_by_role("navigation").first).to_be_visible()
    console.settle()


def sign_out(console: Console) -> None:
    """Sign out by the menu."""
    console.page.get_by_role("button", name="Account").click()
    with console.refused("GET", SESSION, 401):
        console.page.get_by_role("menuitem", name="Sign out").click()
        expect(console.button("Sign in")).to_be_visible()


def follow(console: Console, box: Mailbox, page: str, email: str, server: LocalServer) -> None:
    """Open the link of the newest mail to an address, which leads to this page of the console."""
    server.drain()
    text = box.to(email)[-1].get_content()
    [link] = re.findall(rf"{re.escape(console.root)}#/{page}/\S+", text)
    console.page.goto("about:blank")
    console.page.goto(link)
    expect(console.page.get_by_role("heading", level=1)).to_be_visible()


def begin_two_factor(console: Console, person: str) -> Phone:
    """Sign in and start setting up the second factor; returns the app with the key."""
    service.verify(person)
    outside(console, "/settings/profile")
    sign_in(console, person)
    is_in(console)
    console.button("Set up").click()
    expect(console.page.get_by_role("img", name="QR code")).to_be_visible()
    return Phone(console.page.get_by_role("region", name="Key").inner_text().replace(" ", ""))


def switch_on(console: Console, code: str) -> list[str]:
    """Enter the first code; returns the displayed recovery codes."""
    console.page.get_by_label("Code from the app").fill(code)
    console.button("Switch on").click()
    console.says("Your second factor is on.")
    return recovery_codes(console)


def recovery_codes(console: Console) -> list[str]:
    """Save the recovery codes that are shown."""
    dialog = console.page.get_by_role("dialog", name="Your recovery codes")
    codes = dialog.get_by_role("region", name="Recovery codes").inner_text().split()
    with console.page.expect_download() as saved:
        dialog.get_by_role("button", name="Download").click()
    assert set(codes) <= set(Path(saved.value.path()).read_text(encoding="utf-8").split())
    dialog.get_by_role("button", name="I have saved them").click()
    return codes
