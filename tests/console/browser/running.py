"""The browser, its windows and signed-in users, for tests and screenshots."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING, Final

from chalicelib.console import files
from tests.console.browser.checked_page import WIDE
from tests.console.browser.fleet import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, StorageState

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu"]
"""Root may not use the sandbox, and nothing is loaded but from this server."""


def missing() -> str:
    """Why the console cannot be shown; empty if it can."""
    if CHROMIUM is None:
        return "no chromium here"
    return "" if files.page() else "the console is not built: make ui"


def signed_in(browser: Browser, server: str, email: str) -> StorageState:
    """Sign a user in; returns the browser's state."""
    secret = base64.b64encode(f"{email}:{PASSWORD}".encode()).decode()
    context = browser.new_context()
    answer = context.request.post(
        f"{server}/api/management/v1/useradm/auth/login",
        headers={"Authorization": f"Basic {secret}", "X-Session": "cookie"},
    )
    assert answer.status == 204, answer.text()
    state = context.storage_state()
    context.close()
    return state


def window(browser: Browser, state: StorageState | None) -> BrowserContext:
    """A window that shares nothing with others; without a state nobody is signed in there."""
    return browser.new_context(
        viewport={"width": WIDE, "height": 800},
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Oslo",
        storage_state=state,
    )
