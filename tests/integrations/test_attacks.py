"""Attacks with webhooks: URLs of internal servers, and malicious receivers."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from chalicelib import clock
from chalicelib.outbound import client
from tests.integrations.conftest import BASE, Hooks, register, webhook
from tests.simulator.device import new_identity
from tests.support.receivers import Listener, answer, says

if TYPE_CHECKING:
    import httpx2

URLS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://127.0.0.1.:80/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[fe80::1%25lo]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://\u0661\u0662\u0667.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://\u24de\u24dd\u24d4.example/",
    "http://example.com:22/",
    "http://example.com:6379/",
    "http://user:secret@example.com/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com#@127.0.0.1\\/",
    "http://example.com/\r\nHost: inside",
    "http://exam\tple.com/",
    "http://example.com/ HTTP/1.1\r\n\r\n",
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://example.com/",
    "//example.com/",
    "http:example.com",
    "http://",
    "http:///",
    "HTTP+UNIX://x/",
    "http://[::1",
    "http://%31%32%37.0.0.1/",
]


def test_forbidden_urls_are_never_called(api: httpx2.Client) -> None:
    good = register(api, "https://hooks.example.com/")
    for url in URLS:
        assert api.post(f"{BASE}/integrations", json=webhook(url)).status_code == 400, url
        credentials = {"type": "http", "http": {"url": url}}
        changed = api.put(f"{BASE}/integrations/{good}/credentials", json=credentials)
        assert changed.status_code == 400, url
    [shown] = api.get(f"{BASE}/integrations").json()
    assert shown["credentials"]["http"]["url"] == "https://hooks.example.com/"


def test_a_host_name_that_later_resolves_to_an_internal_address_is_not_called(hooks: Hooks, world, monkeypatch) -> None:
    """DNS rebinding: the name resolves to a public address at creation, and to an internal one at delivery."""
    hook = hooks()
    answers = [["127.0.0.1"]]
    monkeypatch.setattr(client, "resolve", lambda _host, _port: answers[-1])
    with Listener(host="127.0.0.2", port=hook.listener.port):
        place = f"{BASE}/integrations/{hook.id}/credentials"
        url = f"http://rebinding.example:{hook.listener.port}/"
        body = {"type": "http", "http": {"url": url}}
        assert hook.api.put(place, json=body).status_code == 204
        world.device()
        told = len(hook.posted())
        assert told >= 3

        for inside in (["::ffff:127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["::1"]):
            answers.append(inside)
            world.device()
            with time_machine.travel(clock.now() + timedelta(hours=len(answers))):
                hook.server.workers.run_once()
            assert len(hook.listener.received) == told, inside
        assert "not public" in hook.statuses()[-1]["error"]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_redirects_to_internal_addresses_are_not_followed(hooks: Hooks, world, status: str) -> None:
    hook = hooks()
    with Listener() as inside:
        hook.listener.answering = says(answer(status, b"", f"Location: {inside.url}/admin"))
        world.device()
        assert hook.posted() != []

        assert inside.received == []
        assert {each["success"] for each in hook.statuses() if each} == {False}


def test_texts_of_devices_cannot_inject_headers(hooks: Hooks, world) -> None:
    hook = hooks(secret="00" * 16)
    evil = "x\r\nX-Evil: 1\r\n\r\nPOST /evil HTTP/1.1"
    world.device(identity=new_identity() | {evil: evil})

    assert hook.posted() != []
    known = {"accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
    known |= {"x-men-algorithm", "x-men-requestid", "x-men-signature"}
    for sent in hook.listener.received:
        assert set(sent.headers) == known
        assert sent.line == "POST /hook HTTP/1.1"


@pytest.mark.parametrize(
    "evil",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 8_000_000,
        b"HTTP/1.1 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"\x00" * 100_000,
    ],
    ids=["negative chunk", "endless chunk", "no status", "header", "zeros"],
)
def test_invalid_answers_do_not_stop_the_worker(hooks: Hooks, world, evil: bytes) -> None:
    """The event counts as not delivered and is retried; later events are not blocked."""
    hook = hooks()
    hook.listener.answering = says(evil)
    world.device()
    assert hook.posted() != []
    assert hook.statuses()[0]["success"] is False

    hook.listener.answering = says(answer())
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        hook.server.workers.run_once()
        assert [each["success"] for each in hook.statuses()] == [True] * 3


def test_answers_of_receivers_are_not_shown(hooks: Hooks, world) -> None:
    """Otherwise a webhook could be used to read answers of internal servers."""
    hook = hooks()
    hook.listener.answering = says(answer("500 hidden-reason", b"hidden body", "X-More: hidden"))
    world.device()
    assert hook.posted() != []

    assert "hidden" not in json.dumps(hook.events())
