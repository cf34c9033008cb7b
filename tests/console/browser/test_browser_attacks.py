"""Attacks on users of the console, through names of devices and artifacts, and pages of other sites."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from playwright.sync_api import expect

from chalicelib.rights import EVERYTHING
from chalicelib.tenantadm import service as tenants
from chalicelib.useradm import service as users
from tests.console.browser import fleet as fleets
from tests.console.browser import running
from tests.console.browser.checked_page import Console
from tests.console.browser.fleet import Fleet
from tests.deployments.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from infra.local.testing import LocalServer

SCRIPT = '"><img src=x onerror="window.hit=1"><svg/onload=window.hit=1>\'`<script>window.hit=1</script>'
LINK = "javascript:window.hit=1"
NAMES = (SCRIPT, LINK, "\u202eevil", "{{constructor.constructor('window.hit=1')()}}", "../../ui/?x#/y")
TOKENS = "/api/management/v1/useradm/settings/tokens"


@pytest.fixture(scope="module")
def target(server: LocalServer) -> Iterator[Fleet]:
    """A tenant whose device, artifact and deployment have malicious names."""
    tenant = tenants.create_tenant(SCRIPT[:60])
    email = f"target@{tenant.id}.example"
    users.create_user(tenant.id, email, fleets.PASSWORD, by=EVERYTHING)
    with httpx2.Client(base_url=server.url) as plain, httpx2.Client(base_url=server.url) as api:
        login = plain.post("/api/management/v1/useradm/auth/login", auth=(email, fleets.PASSWORD))
        api.headers["Authorization"] = f"Bearer {login.text}"
        world = World(api, plain, tenant.tenant_token)
        device = world.device(identity={"serial": SCRIPT, "mac": LINK})
        values: dict[str, Any] = {f"value_{number}": name for number, name in enumerate(NAMES)}
        values |= {"artifact_name": SCRIPT, "device_type": "qemux86-64", "hostname": SCRIPT, SCRIPT: [LINK, SCRIPT]}
        assert device.inventory(values).status_code == 200
        subject = {"name": LINK, "type": SCRIPT, "status": SCRIPT}
        alert = {"name": SCRIPT, "level": "CRITICAL", "subject": subject, "timestamp": "2026-03-01T10:00:00Z"}
        assert device.call("POST", "/v1/devicemonitor/alert", [alert]).status_code == 204
        tags = [{"name": "name", "value": SCRIPT}, {"name": "link", "value": LINK}]
        place = f"/api/management/v1/inventory/devices/{device.id}/tags"
        assert api.patch(place, json=tags, headers={"User-Agent": SCRIPT}).status_code == 200
        world.upload(SCRIPT, ("qemux86-64", SCRIPT), metadata={SCRIPT: SCRIPT}, provides={SCRIPT: LINK})
        deployment = world.deploy(SCRIPT, [device.id], name=SCRIPT)
        assert device.poll().status_code == 200
        assert device.report(deployment, "downloading", substate=SCRIPT).status_code == 204
        server.drain()
        yield Fleet(world, tenant, email, [device], [SCRIPT], {"running": deployment})


@pytest.fixture
def victim(browser: Browser, server: LocalServer, target: Fleet) -> Iterator[BrowserContext]:
    """A browser in which the tenant's administrator has signed in."""
    context = running.window(browser, running.signed_in(browser, server.url, target.email))
    yield context
    context.close()


@pytest.fixture
def elsewhere() -> Iterator[Callable[[str], str]]:
    """Serves a page of another site; its address."""
    pages: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1].encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()

        def serve(page: str) -> str:
            pages.append(f"<!doctype html><title>Elsewhere</title>{page}")
            return f"http://127.0.0.1:{site.server_port}/"

        yield serve
        site.shutdown()


def test_names_are_not_executed(victim: BrowserContext, target: Fleet, server: LocalServer) -> None:
    console = Console(victim.new_page(), f"{server.url}/ui/", target)
    page = console.page
    (device,), running_one = target.devices, target.deployments["running"]

    console.show("/")
    expect(page.get_by_text(SCRIPT).first).to_be_visible()
    for path in (
        "/auditlogs",
        "/devices",
        f"/devices/{device.id}",
        "/deployments",
        f"/deployments/{running_one}",
        "/releases",
    ):
        console.go(path, budget=9)
        assert page.evaluate("() => window.hit") is None, path
    console.go("/auditlogs")
    page.get_by_role("row").filter(has_text=SCRIPT[:20]).first.click()
    expect(page.get_by_role("dialog")).to_contain_text(SCRIPT[:20])
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill("onerror")
    expect(page.get_by_role("option").filter(has_text="onerror").first).to_be_visible()
    assert page.evaluate("() => [...document.links].filter(link => !link.protocol.startsWith('http')).length") == 0
    assert page.evaluate("() => window.hit") is None
    assert console.wrong == []


def test_urls_cannot_inject_code(victim: BrowserContext, server: LocalServer) -> None:
    page = victim.new_page()
    root = f"{server.url}/ui/"
    for address in (
        f"#/devices/{SCRIPT}",
        f"#{LINK}",
        f"#/auditlogs?object_id={SCRIPT}&entry={SCRIPT}",
        "#//evil.example/",
        "#https://evil.example/",
        "#/\\evil.example",
        f"?next=https://evil.example&return_to={LINK}#/",
    ):
        page.goto("about:blank")
        page.goto(root + address)
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        assert page.evaluate("() => window.hit") is None, address
        assert page.url.startswith(root), address


def test_signing_in_does_not_redirect_to_other_sites(browser: Browser, target: Fleet, server: LocalServer) -> None:
    with running.window(browser, None) as context:
        page = context.new_page()
        page.goto(f"{server.url}/ui/?next=//evil.example#//evil.example/%2F..")
        page.get_by_label("E-mail address").fill(target.email)
        page.get_by_label("Password", exact=True).fill(fleets.PASSWORD)
        page.get_by_label("Password", exact=True).press("Enter")
        expect(page.get_by_role("navigation", name="Main")).to_be_visible()
        assert page.url.startswith(f"{server.url}/ui/")
        assert (
            page.evaluate("() => [document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)]")[
                0
            ]
            == ""
        )


def test_other_sites_cannot_act_for_the_user(
    victim: BrowserContext, target: Fleet, server: LocalServer, elsewhere: Callable[[str], str]
) -> None:
    page: Page = victim.new_page()
    api = f"{server.url}/api/management/v1"
    calls = f"""
      <iframe name=sink></iframe>
      <form id=out method=post target=sink action="{api}/useradm/auth/logout?everywhere=true"></form>
      <script>
        document.getElementById("out").submit();
        const body = '{{"name":"theirs","expires_in":600}}', headers = {{"Content-Type": "application/json"}};
        const ask = (path, init) => fetch("{api}" + path, {{credentials: "include", ...init}})
          .then(answer => answer.text(), () => "refused");
        Promise.all([
          ask("/console/session"),
          ask("/useradm/settings/tokens", {{method: "POST", body, headers}}),
          ask("/useradm/settings/tokens", {{method: "POST", mode: "no-cors", body}}),
        ]).then(answers => {{ window.answers = answers; }});
      </script>"""
    page.goto(elsewhere(calls))
    page.wait_for_function("() => window.answers")

    answers = page.evaluate("() => window.answers")
    assert target.email not in "".join(answers)
    assert [each["name"] for each in target.api.get(TOKENS).json()] == []
    mine = victim.new_page()
    mine.goto(f"{server.url}/ui/")
    expect(mine.get_by_role("heading", level=1)).to_have_text("Overview")


def test_other_pages_cannot_embed_the_console(
    victim: BrowserContext, server: LocalServer, elsewhere: Callable[[str], str]
) -> None:
    page = victim.new_page()
    page.goto(elsewhere(f'<iframe src="{server.url}/ui/"></iframe><iframe src="{server.url}/ui/index.html"></iframe>'))

    assert len(page.frames) == 3
    for frame in page.frames[1:]:
        frame.wait_for_url("chrome-error://chromewebdata/", wait_until="commit")
