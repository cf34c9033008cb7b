"""Settings documents (``docs/behaviour.md#settings``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chalicelib import limits
from chalicelib.tenantadm import service

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import SignIn

GLOBAL = "/api/management/v1/useradm/settings"
OWN = "/api/management/v1/useradm/settings/me"


@pytest.mark.parametrize("path", [GLOBAL, OWN])
class TestSettings:
    """Settings of the tenant and of the user work the same."""

    def test_settings_are_empty_at_first(self, api: httpx2.Client, path: str):
        answer = api.get(path)

        assert (answer.status_code, answer.json()) == (200, {})
        assert "etag" not in answer.headers

    def test_a_document_is_replaced_as_a_whole(self, api: httpx2.Client, path: str):
        document = {"2fa": "enabled", "ü": [1, 2.5, None, {"deep": {"er": True}}], "big": 2**70, "empty": ""}
        assert api.post(path, json={"gone": 1}).status_code == 201

        answer = api.post(path, json=document)

        assert (answer.status_code, answer.content) == (201, b"")
        assert api.get(path).json() == document

    def test_versions(self, api: httpx2.Client, path: str):
        assert api.post(path, json={}, headers={"If-Match": "none yet"}).status_code == 412
        api.post(path, json={"version": 1})
        first = api.get(path).headers["etag"]
        assert '"' not in first

        assert api.post(path, json={"version": 2}, headers={"If-Match": first}).status_code == 201
        second = api.get(path).headers["etag"]
        stale = api.post(path, json={"version": 3}, headers={"If-Match": first})

        assert second != first
        assert (stale.status_code, stale.json()["error"]) == (412, "ETag does not match")
        assert api.get(path).json() == {"version": 2}
        assert api.post(path, json={"version": 4}, headers={"If-Match": f'"{second}"'}).status_code == 201
        assert api.post(path, json={"version": 5}, headers={"If-Match": "*"}).status_code == 201

    @pytest.mark.parametrize(
        "document",
        [
            {str(number): 0 for number in range(limits.SETTINGS_MEMBERS)},
            {"k" * limits.SETTINGS_KEY: 0},
            {"k": "v" * limits.SETTINGS_TEXT},
        ],
        ids=["members", "name", "text"],
    )
    def test_limits_of_a_document(self, api: httpx2.Client, path: str, document: dict[str, Any]):
        assert api.post(path, json=document).status_code == 201

        beyond = {f"{name}+": f"{value}+" for name, value in document.items()}
        if len(document) > 1:
            beyond |= {"one": "more"}
        assert api.post(path, json=beyond).status_code == 400

    @pytest.mark.parametrize("content", [b"", b"[]", b"null", b'"x"', b"{", b'{"a": NaN}'])
    def test_invalid_documents_are_refused(self, api: httpx2.Client, path: str, content: bytes):
        headers = {"Content-Type": "application/json"}
        assert api.post(path, content=content, headers=headers).status_code == 400

    def test_a_lone_surrogate_is_replaced(self, api: httpx2.Client, path: str):
        headers = {"Content-Type": "application/json"}
        assert api.post(path, content=b'{"a": "\\ud800"}', headers=headers).status_code == 201
        assert api.get(path).json() == {"a": "\ufffd"}

    def test_a_document_that_is_too_large_is_refused(self, api: httpx2.Client, path: str):
        document = {str(number): "v" * 4000 for number in range(70)}
        assert api.post(path, json=document).status_code == 413


def test_users_have_their_own_document_and_share_that_of_the_tenant(api: httpx2.Client, sign_in: SignIn, tenant):
    colleague = sign_in(tenant)
    api.post(GLOBAL, json={"of": "all"})
    api.post(OWN, json={"of": "one"})

    assert colleague.get(GLOBAL).json() == {"of": "all"}
    assert colleague.get(OWN).json() == {}


def test_settings_are_invisible_to_other_tenants(api: httpx2.Client, sign_in: SignIn):
    api.post(GLOBAL, json={"of": "all"})

    assert sign_in(service.create_tenant("Other")).get(GLOBAL).json() == {}
