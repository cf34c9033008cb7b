"""A browser that logs in at an identity provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

BASE = "/api/management/v1/useradm"

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


class Browser:
    """Keeps cookies, and follows no redirects by itself."""

    def __init__(self, server: LocalServer) -> None:
        self.http = httpx2.Client(base_url=server.url, timeout=30)

    def begin(self, provider_id: str) -> str:
        """Begin a login; returns the URL to which the server redirects."""
        answer = self.http.get(f"{BASE}/oidc/{provider_id}/start")
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def come_back(self, provider_id: str, answer: dict[str, str]) -> httpx2.Response:
        """Return from the provider with its answer."""
        return self.http.get(f"{BASE}/oidc/{provider_id}/callback", params=answer)


def token_of(answer: httpx2.Response) -> str:
    """The session's JWT after a successful login."""
    assert answer.status_code == 302, answer.text
    [cookie] = [each for each in answer.headers.get_list("set-cookie") if each.startswith("JWT=")]
    return cookie.removeprefix("JWT=").partition(";")[0]
