"""A page of the console that fails the test on anything that a user should never see.

It checks errors in the browser's console (including violations of the content security policy), uncaught
exceptions, refused or failed requests, requests to other servers, and the number of calls of a screen.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from playwright.sync_api import ConsoleMessage, Locator, Request, Response

    from tests.console.browser.fleet import Fleet

AXE: Final = Path(__file__).parents[3] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
FIRST_SHOW: Final = 4
"""Most calls of the API that a screen makes until it is there; the session, which is loaded once, aside."""
REFRESH: Final = 1
"""Most calls that keep a screen fresh, each time."""
WIDE, NARROW = 1280, 360
_SESSION: Final = "GET /management/v1/console/session"
_WCAG: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_BUSY: Final = "[aria-busy=true], .skeleton"
"""What is on screen while something is loaded for the first time."""


@dataclass
class Console:
    """The console as one user sees it. ``page`` is Playwright's, for all that this class has no word for."""

    page: Page
    root: str
    """The console's URL: ``http://localhost:PORT/ui/``."""
    fleet: Fleet
    calls: list[str] = field(default_factory=list)
    """Calls of the API since the screen was first shown, as ``GET /management/v1/...``; the same call counts once.

    On a busy machine a screen may refresh itself before all of it is there.
    """
    others: set[str] = field(default_factory=set)
    """Other origins that may be opened, such as an identity provider's."""
    wrong: list[str] = field(default_factory=list)
    """The problems that were found."""
    _expected: list[tuple[str, re.Pattern[str], int]] = field(default_factory=list)
    _open: set[Request] = field(default_factory=set)
    _known: set[tuple[str, str | None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Start checking."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"exception: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfinished", self._finished)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    # --- Navigation

    def show(self, path: str = "/", *, budget: int = FIRST_SHOW, busy: bool = False) -> Console:
        """Load the console anew at a path of its own, such as ``/devices?status=pending``, and wait until it is there.

        Args:
            path: of the screen, with its query.
            budget: most calls that it may make.
            busy: parts of what is shown never stop loading.

        Raises:
            AssertionError: the screen made more calls than ``budget`` allows.
        """
        self.page.goto("about:blank")  # what the last screen still asks for is not this one's
        self._begin()
        self.page.goto(f"{self.root}#{path}")
        return self._shown(path, budget, busy=busy)

    def go(self, path: str, *, budget: int = FIRST_SHOW) -> Console:
        """Go on to another screen, as a link does: quicker than :meth:`show`, and with the same bound."""
        self.settle()
        self._begin()
        self.page.evaluate("path => { location.hash = path }", path)
        return self._shown(path, budget)

    def _begin(self) -> None:
        self.calls.clear()
        self._known.clear()

    def _shown(self, path: str, budget: int, *, busy: bool = False) -> Console:
        expect(self.page.get_by_role("heading", level=1).first).to_be_visible()
        if not busy:
            self.settle()
        assert len(self.calls) <= budget, f"{path} makes more than {budget} calls: {self.calls}"
        return self

    def settle(self) -> Console:
        """Wait until everything that was asked for is there, and shown."""
        expect(self.page.locator(_BUSY)).to_have_count(0)
        if self._open:
            self.page.wait_for_load_state("networkidle")
        return self

    def refresh(self, *, seconds: int = 120, budget: int = REFRESH) -> list[str]:
        """Let time pass for the page, so that it fetches what is new; the calls that it made.

        Raises:
            AssertionError: it made more than ``budget``.
        """
        self._begin()
        self.page.clock.fast_forward(seconds * 1000)
        # Requests are reported in their order: once this one is answered, those of the refresh are known.
        self.page.evaluate("root => fetch(root, {method: 'HEAD'}).then(() => undefined)", self.root)
        self.settle()
        assert len(self.calls) <= budget, f"a refresh makes more than {budget} calls: {self.calls}"
        return list(self.calls)

    # --- Appearance

    def look(self, *, dark: bool = False, width: int = WIDE, height: int = 800) -> Console:
        """Use the light or dark scheme, and a window of this width."""
        self.page.emulate_media(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.page.set_viewport_size({"width": width, "height": height})
        # Wait for the transition of colours.
        self.page.evaluate("() => document.getAnimations().forEach(a => a instanceof CSSTransition && a.finish())")
        return self

    def audit(self, *, ignore: Collection[str] = ()) -> Console:
        """Check the page against WCAG 2.2 AA with axe-core: light and dark on a desktop, light on a phone.

        Args:
            ignore: ids of axe-core's rules that a test has a reason not to apply.

        Raises:
            AssertionError: with each violation, the rule's page and the elements; or the page can be scrolled sideways.
        """
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(f"{AXE.read_text()}\n;undefined")
        found: list[str] = []
        # Dark changes nothing but colours, which a narrow window shows as a wide one does.
        for width, dark in ((WIDE, False), (WIDE, True), (NARROW, False)):
            self.look(dark=dark, width=width)
            found += self._violations(f"{'dark' if dark else 'light'}, {width} pixels", dark=dark, ignore=ignore)
            if self.page.evaluate("() => document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{width} pixels: the page can be scrolled sideways")
        self.look()
        assert not found, "\n".join([self.page.url, *found])
        return self

    def _violations(self, look: str, *, dark: bool, ignore: Collection[str]) -> list[str]:
        only = {"type": "rule", "values": ["color-contrast"]} if dark else {"type": "tag", "values": _WCAG}
        found: list[dict[str, Any]] = self.page.evaluate(
            "options => axe.run(document, options).then(found => found.violations)",
            {"runOnly": only, "rules": {rule: {"enabled": False} for rule in ignore}, "resultTypes": ["violations"]},
        )
        return [
            f"{look}: {each['id']}: {each['help']} ({each['helpUrl']})\n"
            f"  {node['html'][:300]}\n  {node['failureSummary']}"
            for each in found
            for node in each["nodes"][:5]
        ]

    def picture(self, file: Path, *, highest: int = 2400) -> Path:
        """Take a screenshot of the whole page, up to ``highest`` pixels."""
        size = self.page.viewport_size or {"width": WIDE, "height": 800}
        # A window of the page's height: tables draw the rows that are in sight.
        height = min(highest, int(self.page.evaluate("() => document.documentElement.scrollHeight")))
        self.page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
        self.settle()
        self.page.screenshot(path=file, animations="disabled")
        self.page.set_viewport_size(size)
        return file

    # --- Elements

    def button(self, name: str) -> Locator:
        """The button with this name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        """The link with this name."""
        return self.page.get_by_role("link", name=name, exact=True)

    def says(self, text: str) -> None:
        """Wait until a message, a dialog or any part of the page shows this text."""
        expect(self.page.get_by_text(text).first).to_be_visible()

    def place(self) -> str:
        """The current path in the console. Right after an action it may still be the previous one."""
        return urlsplit(self.page.url).fragment

    def arrives(self, path: str) -> Console:
        """Wait until the console is at a path, whatever it puts into its query by itself.

        Args:
            path: of the screen; with a query, exactly that one.
        """
        own_query = "" if "?" in path else r"(\?.*)?"
        self.page.wait_for_url(re.compile(f"#{re.escape(path)}{own_query}$"))
        return self

    # --- Expected problems

    @contextmanager
    def refused(self, method: str, path: str, status: int) -> Iterator[None]:
        """Inside, calls of ``method`` whose path fits the pattern ``path`` may be refused with ``status``.

        Raises:
            AssertionError: none was.
        """
        expected = (method, re.compile(path), status)
        self._expected.append(expected)
        before = len(self.wrong)
        yield
        self.settle()
        refusal = f"refused as expected: {method} {path} {status}"
        assert refusal in self.wrong[before:], f"nothing was {refusal.removesuffix(' as expected')}"
        self._expected.remove(expected)
        self.wrong = [each for each in self.wrong if each != refusal]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"} or message.text.startswith("Failed to load resource"):
            return  # refusals are checked in the answer
        self.wrong.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"data", "blob", "about"}:
            return
        origin = f"{parts.scheme}://{parts.netloc}"
        if f"{origin}/" not in self.root and origin not in self.others:
            self.wrong.append(f"a request to another host: {request.url}")
        self._open.add(request)
        call = f"{request.method} {parts.path.partition('/api')[2]}"
        asked = f"{call}{'?' if parts.query else ''}{parts.query}", request.post_data
        if "/api/" in parts.path and call != _SESSION and asked not in self._known:
            self._known.add(asked)
            self.calls.append(asked[0])

    def _finished(self, request: Request) -> None:
        self._open.discard(request)

    def _failed(self, request: Request) -> None:
        self._open.discard(request)
        if request.failure != "net::ERR_ABORTED":  # the page cancelled it
            self.wrong.append(f"{request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status < 400:
            return
        method, url = response.request.method, urlsplit(response.url).path
        for wanted, path, status in self._expected:
            if (method, response.status) == (wanted, status) and path.search(url):
                self.wrong.append(f"refused as expected: {method} {path.pattern} {status}")
                return
        self.wrong.append(f"{method} {url}: {response.status}")
