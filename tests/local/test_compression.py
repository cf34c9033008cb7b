"""Answers from API Gateway's minimum size on are compressed for clients that accept it; nothing else changes."""

from __future__ import annotations

import gzip

import httpx2
import pytest

from infra.local import compression
from infra.local.compression import MINIMUM_COMPRESSION_SIZE, compressed, takes_gzip
from infra.local.rules import Reply
from infra.scripts.chalice_config import config

LARGE = b"x" * MINIMUM_COMPRESSION_SIZE
JSON = (b"content-type", b"application/json")


def test_the_minimum_size_is_the_deployed_one() -> None:
    assert config()["minimum_compression_size"] == MINIMUM_COMPRESSION_SIZE


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("deflate, br", False),
        ("gzippy", False),
    ],
)
def test_clients_that_accept_gzip(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


@pytest.mark.parametrize("status", [200, 404, 500])
def test_large_answers_are_compressed(status: int) -> None:
    found = compressed(Reply(status, [JSON], LARGE), "gzip")

    assert gzip.decompress(found.body) == LARGE
    assert (found.status, found.headers) == (status, [JSON, (b"content-encoding", b"gzip")])


@pytest.mark.parametrize(
    ("headers", "body", "accepted"),
    [
        ([JSON], LARGE[1:], "gzip"),
        ([JSON], LARGE, ""),
        ([JSON], b"", "gzip"),
        # A file that a device takes in parts says so: compressed, it would come without its length.
        ([JSON, (b"content-encoding", b"identity")], LARGE, "gzip"),
    ],
    ids=["small", "not wanted", "nothing", "encoded already"],
)
def test_other_answers_are_unchanged(headers: list[tuple[bytes, bytes]], body: bytes, accepted: str) -> None:
    reply = Reply(200, headers, body)

    assert compressed(reply, accepted) is reply


def test_immutable_files_are_compressed_once() -> None:
    compression._once.cache_clear()
    forever = [(b"cache-control", b"public, max-age=31536000, immutable")]
    for _ in range(3):
        compressed(Reply(200, forever, LARGE), "gzip")
        compressed(Reply(200, [(b"cache-control", b"no-store")], LARGE), "gzip")

    assert compression._once.cache_info().misses == compression._once.cache_info().currsize == 1


@pytest.fixture
def lists(client: httpx2.Client) -> httpx2.Client:
    """A client of the stub, which echoes requests."""
    client.headers.pop("accept-encoding")
    return client


def test_a_client_gets_the_encoding_it_asked_for(lists: httpx2.Client) -> None:
    body = {"key": "é" * 2000}
    plain = lists.put("/api/devices/a/echo", json=body, headers={"Accept-Encoding": "identity"})
    packed = lists.put("/api/devices/a/echo", json=body, headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    assert packed.json()["event"]["body"] == plain.json()["event"]["body"]
