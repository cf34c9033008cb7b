"""Every answer has the request id in a header: the client's, or a new one if that is not valid in a header."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.deviceconnect.relay import RelayProcess

if TYPE_CHECKING:
    from infra.local.testing import LocalServer

DOWNLOAD = "/api/management/v1/deviceconnect/devices/x/download?path=/f"
UNFIT = [b"\xe9", b"\xff\xfe", "\U0001f600".encode(), b"a\tb", b"\x01", b"x" * 129, b""]


def given(url: str, place: str, sent: bytes) -> bytes:
    answer = httpx2.get(url + place, headers={b"X-MEN-RequestID": sent})
    assert 400 <= answer.status_code < 500, (place, sent)
    found = [value for name, value in answer.headers.raw if name.lower() == b"x-men-requestid"]
    assert len(found) == 1
    assert answer.json()["request_id"] == found[0].decode("latin-1")
    return found[0]


@pytest.mark.parametrize("sent", UNFIT, ids=repr)
def test_an_id_that_is_invalid_in_a_header_is_replaced(server: LocalServer, sent: bytes):
    for place in ("/", "/api/nowhere", "/api/management/v1/useradm/users", DOWNLOAD):
        assert uuid.UUID(given(server.url, place, sent).decode())
        assert given(server.url, place, b"mine, #1") == b"mine, #1"


def test_the_relay_replaces_invalid_request_ids_too(server: LocalServer):
    with RelayProcess(server.url) as relay:
        for sent in UNFIT:
            assert uuid.UUID(given(relay.url, DOWNLOAD, sent).decode())
        assert given(relay.url, DOWNLOAD, b"mine, #1") == b"mine, #1"
