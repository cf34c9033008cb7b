"""Malicious answers and metadata of an identity provider: no other server is called, and nothing breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from chalicelib import cache, limits
from tests.support.mailbox import use
from tests.support.provider import Provider
from tests.support.receivers import Listener, answer
from tests.useradm.browser import BASE, Browser
from tests.useradm.conftest import METADATA, Person, wanted

if TYPE_CHECKING:
    pass


from tests.useradm.attacks import refused

# --- Answers


def _huge(kind: str) -> bytes:
    line = b'{"keys":[' + b'{"kid":"x"},' * (limits.PROVIDER_ANSWER // 8)
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        + {
            "length": b"Content-Length: 99999999999\r\n\r\n" + line,
            "until closed": b"Connection: close\r\n\r\n" + line,
            "headers": b"X: y\r\n" * 100_000,
        }[kind]
    )


LIES = {
    "huge": _huge("length"),
    "huge without an end": _huge("until closed"),
    "huge headers": _huge("headers"),
    "a page": answer("200 OK", b"<html>hello</html>", "Content-Type: text/html"),
    "nothing": answer("200 OK"),
    "no content": answer("204 No Content"),
    "an error": answer("500 Oops", b"{}", "Content-Type: application/json"),
    "deep": answer("200 OK", b'{"keys":' * 20_000, "Content-Type: application/json"),
    "text that is none": answer("200 OK", b'{"issuer":"\xff"}', "Content-Type: application/json"),
    "another shape": answer("200 OK", b'{"keys":{},"id_token":1,"issuer":[]}', "Content-Type: application/json"),
    "half of it": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "no HTTP": b"hello\r\n\r\n",
    "compressed": answer("200 OK", b"\x1f\x8b\x08\x00", "Content-Encoding: gzip"),
}


DESCRIPTION = "/.well-known/openid-configuration"
at_every_call = pytest.mark.parametrize("where", [DESCRIPTION, "/token", "/jwks"])


@pytest.fixture
def fails(browser: Browser, provider: Provider, set_up, person: Person) -> Callable[[str], None]:
    """Try a login that must fail because of the malicious answer."""
    identity = set_up()

    def run(where: str) -> None:
        cache.forget_all()
        if where == DESCRIPTION:
            assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 503
            return
        back = provider.log_in(browser.begin(identity), email=person.email)
        refused(browser.come_back(identity, back), 503)

    return run


@at_every_call
def test_malformed_answers_are_refused(api, provider: Provider, fails, where: str) -> None:
    for lie in LIES.values():
        provider.raw[where] = lie
        fails(where)
        if where == DESCRIPTION:
            assert api.post(METADATA, json=wanted(provider)).status_code == 400


@at_every_call
def test_redirects_are_not_followed(provider: Provider, fails, where: str) -> None:
    """They could lead to internal servers, or send the client secret to another server."""
    with Listener() as inside:
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
            provider.raw[where] = answer(status, b"", f"Location: {inside.url}/")
            fails(where)
        assert inside.received == []


@at_every_call
def test_a_provider_that_answers_very_slowly(provider: Provider, fails, where: str, monkeypatch) -> None:
    monkeypatch.setattr(limits, "PROVIDER_TIME", 0.3)
    over = threading.Event()

    def drip(call: BaseHTTPRequestHandler) -> None:
        call.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not over.wait(0.02):
            call.wfile.write(b"y")

    provider.raw[where] = drip
    fails(where)
    over.set()


# --- Metadata

INSIDE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.2:{port}/",
    "http://[::ffff:169.254.169.254]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://10.0.0.1/",
    "http://localhost:22/",
    "http://user:secret@localhost:{port}/",
    "file:///etc/passwd",
    "gopher://localhost:{port}/",
    "javascript:alert(1)",
    "//localhost:{port}/",
    "/token",
    "http://localhost:{port}/\r\nX: y",
]


@pytest.mark.parametrize("member", ["token_endpoint", "jwks_uri", "authorization_endpoint"])
def test_internal_endpoints_are_not_called(
    api, browser: Browser, provider: Provider, set_up, monkeypatch, member: str
) -> None:
    """They are refused when the provider is configured, and not called if the metadata names them later."""
    use(monkeypatch, outbound_networks="127.0.0.1/32,::1/128", outbound_ports=str(provider.port))
    identity = set_up()
    for url in INSIDE:
        cache.forget_all()
        provider.document[member] = url.format(port=provider.port)
        assert api.post(METADATA, json=wanted(provider)).status_code == 400, url
        assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 503, url


def test_metadata_of_another_issuer_is_refused(api, provider: Provider) -> None:
    """OpenID Connect Discovery, section 4.3: the document has to contain its issuer."""
    for issuer in ("https://accounts.example.com", f"http://LOCALHOST:{provider.port}", ""):
        provider.document["issuer"] = issuer
        assert api.post(METADATA, json=wanted(provider)).status_code == 400, issuer
    assert api.get(METADATA).json() == []


def test_an_issuer_that_changes_later_is_refused(browser: Browser, provider: Provider, set_up, person: Person) -> None:
    identity = set_up()
    back = provider.log_in(browser.begin(identity), email=person.email)
    cache.forget_all()
    provider.document["issuer"] = "https://accounts.example.com"

    refused(browser.come_back(identity, back), 503)
    assert browser.http.get(f"{BASE}/oidc/{identity}/start").status_code == 503
