"""Serving the API's description."""

from __future__ import annotations

import httpx2

from tests.support.api_description import FILE

PLACE = "/api/openapi.json"


def test_anyone_gets_the_description(http: httpx2.Client):
    answer = http.get(PLACE)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.text == FILE.read_text()


def test_an_unchanged_description_gets_304(http: httpx2.Client):
    tag = http.get(PLACE).headers["etag"]

    again = http.get(PLACE, headers={"If-None-Match": tag})
    other = http.get(PLACE, headers={"If-None-Match": '"another"'})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert "public" in again.headers["cache-control"]
    assert other.status_code == 200
