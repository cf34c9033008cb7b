"""Truncated deployment logs: complete messages are stored, and the log is marked as truncated."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.deployments.rules import cut_logs
from chalicelib.deployments.shapes.devices import Log
from tests.deployments.world import DEPLOYMENTS, World, serves

if TYPE_CHECKING:
    from tests.simulator.device import Device

NOW = "2026-01-02T03:04:05Z"
THEN = "2016-10-27T07:00:00Z"
Message = dict[str, str]


def message(text: str = "out of space", level: str = "error") -> Message:
    return {"timestamp": THEN, "level": level, "message": text}


def kept(raw: bytes) -> list[Message] | None:
    """The stored messages of a truncated log without the final mark; None if it is refused."""
    completed = cut_logs.completed(raw, timestamp=NOW)
    if completed is None:
        return None
    *whole, mark = msgspec.to_builtins(msgspec.json.decode(completed, type=Log).messages)
    assert mark == {"timestamp": NOW, "level": "warning", "message": cut_logs.MARK}
    return whole


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['"', "\\", '\\"}]}', "\u00e9\u20ac\U0001f525", "\n\t\0", "],}", '{"messages":[']
)
messages = st.builds(message, texts, texts)


@st.composite
def logs(draw: st.DrawFn) -> tuple[bytes, list[int], list[Message]]:
    """A log as clients write it, the end of each message in it, and the messages."""
    chosen = draw(st.lists(messages, min_size=1, max_size=4))
    plain, indent = draw(st.booleans()), draw(st.sampled_from([None, 1]))
    head, comma = (
        draw(st.sampled_from(['{"messages":[', ' { "Messages" : [\n'])),
        draw(st.sampled_from([",", " ,\r\n"])),
    )
    raw, ends = head.encode(), []
    for number, each in enumerate(chosen):
        raw += (comma if number else "").encode() + json.dumps(each, ensure_ascii=plain, indent=indent).encode()
        ends.append(len(raw))
    return raw + b"]}", ends, chosen


@given(log=logs(), data=st.data())
def test_complete_messages_of_a_truncated_log_are_kept(
    log: tuple[bytes, list[int], list[Message]], data: st.DataObject
) -> None:
    raw, ends, chosen = log
    length = data.draw(st.integers(len(raw[: raw.index(b"{") + 1]), len(raw) - 1), label="length")

    assert kept(raw[:length]) == chosen[: sum(end <= length for end in ends)]


@pytest.mark.parametrize("end", range(1, 13))
def test_a_log_may_be_truncated_inside_any_escape(end: int) -> None:
    raw = rb'{"messages":[{"timestamp": "\u001f", "level": "\ud800\udc00'

    assert kept(raw[:-end]) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"[",
        b"out of space",
        b'"messages',
        b'{"message": [',
        b'{"messages": {',
        b'{"messages": "out of space',
        b'{"messages": [out of space',
        b'{"messages": [{"timestamp"; "',
        b'{"messages": [{"timestamp": 12',
        b'{"messages": [{"timestamp": "\\x',
        b'{"messages": [{"timestamp": "\\u12x',
        b'{"messages": [{"timestamp": {"',
        b'{"messages": [{"timestamp" "',
        b'{"messages": [,',
        b'{"messages": [{"timestamp": "", }',
        b'{"messages": [] ]',
        b'{"messages": [[[[[[' + b"[" * 100_000,
    ],
)
def test_other_documents_are_refused(raw: bytes) -> None:
    assert kept(raw) is None


@given(st.binary(max_size=60) | st.text('{}[]:,"\\ messagu1', max_size=40).map(str.encode))
def test_any_bytes_are_refused_or_completed_to_json(raw: bytes) -> None:
    completed = cut_logs.completed(raw, timestamp=NOW)

    assert completed is None or json.loads(completed)["messages"][-1]["message"] == cut_logs.MARK


@pytest.fixture
def failed(world: World) -> tuple[Device, str]:
    """A device whose update failed, and its deployment."""
    world.upload("two")
    device = world.device()
    deployment = world.deploy("two")
    serves(device.poll(), deployment)
    assert device.report(deployment, "failure").status_code == 204
    return device, deployment


def send(failed: tuple[Device, str], raw: bytes) -> httpx2.Response:
    device, deployment = failed
    headers = {"Authorization": f"Bearer {device.token}", "Content-Type": "application/json"}
    path = f"/api/devices/v1/deployments/device/deployments/{deployment}/log"
    return device.http.put(path, content=raw, headers=headers)


def shown(world: World, failed: tuple[Device, str]) -> list[str]:
    device, deployment = failed
    answer = world.api.get(f"{DEPLOYMENTS}/{deployment}/devices/{device.id}/log")
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines()


def test_a_truncated_log_is_marked_and_replaced_by_a_complete_one(world: World, failed: tuple[Device, str]) -> None:
    raw = json.dumps({"messages": [message(), message("größer \U0001f525")]}, ensure_ascii=False).encode()
    first = "2016-10-27 07:00:00 +0000 UTC error: out of space"

    for length in (len(raw) - 3, raw.index(b"\xf0") + 2, raw.index(b"\xc3") + 1, len(raw) // 2 + 10):
        assert send(failed, raw[:length]).status_code == 204
        kept, mark = shown(world, failed)
        assert kept == first
        assert mark.endswith(f"warning: {cut_logs.MARK}")
    for length in (len(raw) - 2, len(raw) - 1):
        assert send(failed, raw[:length]).status_code == 204
        assert len(shown(world, failed)) == 3

    assert send(failed, raw).status_code == 204
    assert shown(world, failed) == [first, "2016-10-27 07:00:00 +0000 UTC error: größer \U0001f525"]


@pytest.mark.parametrize("raw", [b"", b"a log", b'{"messages": []}', b'{"messages": [{"level": "a"}, {', b'{"log": ['])
def test_invalid_logs_are_refused(world: World, failed: tuple[Device, str], raw: bytes) -> None:
    assert send(failed, raw).status_code == 400
    device, deployment = failed
    assert world.rows(deployment)[device.id]["log"] is False


def test_a_truncated_log_with_a_lone_surrogate_is_stored(world: World, failed: tuple[Device, str]) -> None:
    """The surrogate may be replaced, but must not cause a 500."""
    raw = json.dumps({"messages": [message("\\ud83d")]}).replace("\\\\", "\\").encode()

    assert send(failed, raw[:-2]).status_code in (204, 400)
