"""What callers may write into a request, at a cheaper door: it is answered as any other, and no one takes its word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.events import CLIENT, Sent
from tests.http.test_front_doors import through

Event = dict[str, Any]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.lists(text, max_size=3)
forwarded = st.sampled_from(
    ["x-forwarded-for", "X-Forwarded-For", "cookie", "Cookie", "x-lamplighter-client", "accept"]
)
names = text | forwarded
paths = text | st.lists(
    st.sampled_from(
        ["api", "devices", "special", "groups", "..", ".", "", ";a=b", "%2F", "%", "%zz", "%ff", "%00", "é"]
    ),
    max_size=6,
).map(lambda parts: "/" + "/".join(parts))
verbs = st.sampled_from(["GET", "HEAD", "OPTIONS", "PATCH", "POST", "TRACE", "get", "PROPFIND"])
several = st.none() | st.dictionaries(names, values, max_size=4)
single = st.none() | st.dictionaries(names, text, max_size=4)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    """Events that have only some of these."""
    return st.fixed_dictionaries({}, optional=fields)


common = optional(
    body=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    isBase64Encoded=st.just(value=False),
)
by_balancer = optional(
    multiValueHeaders=several,
    headers=single,
    multiValueQueryStringParameters=several,
    queryStringParameters=single,
)
by_http_api = optional(
    headers=single,
    multiValueHeaders=several,
    queryStringParameters=single,
    multiValueQueryStringParameters=st.none() | st.dictionaries(names, st.lists(text, min_size=1), max_size=3),
    pathParameters=st.none(),
    stageVariables=st.none(),
)
contexts = {
    "balancer": {"elb": {"targetGroupArn": "arn"}},
    "http_api": {"resourcePath": "$default", "identity": {"sourceIp": CLIENT}, "requestId": "x", "stage": "$default"},
}


def is_answer(result: Event) -> bool:
    """Whether a door can hand this on."""
    lines = result.get("multiValueHeaders") or {}
    json.dumps(result)
    return (
        isinstance(result["statusCode"], int)
        and result["statusCode"] < 500
        and isinstance(result["body"], str)
        and all(isinstance(each, str) for each in (result.get("headers") or {}).values())
        and all(isinstance(each, str) for values in lines.values() for each in values)
    )


@given(path=paths, verb=verbs, more=common, own=by_balancer)
def test_whatever_a_load_balancer_hands_on_is_answered(path: str, verb: str, more: Event, own: Event) -> None:
    event = {"requestContext": contexts["balancer"], "httpMethod": verb, "path": path, **more, **own}

    result = through(event)

    assert is_answer(result)
    assert ("multiValueHeaders" in result) is ("headers" not in own)


@given(path=paths, verb=verbs, more=common, own=by_http_api)
def test_whatever_an_http_api_hands_on_is_answered(path: str, verb: str, more: Event, own: Event) -> None:
    event = {"requestContext": contexts["http_api"], "httpMethod": verb, "path": path, "version": "1.0", **more, **own}

    assert is_answer(through(event))


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["192.0.2.1"], "192.0.2.1"),
        (["203.0.113.66, 192.0.2.1"], "192.0.2.1"),
        (["203.0.113.66,192.0.2.1"], "192.0.2.1"),
        (["192.0.2.1:4321"], "192.0.2.1"),
        (["2001:db8::7"], "2001:db8::7"),
        (["2001:DB8:0::7"], "2001:db8::7"),
        (["[2001:db8::7]:4321"], "2001:db8::7"),
        (["203.0.113.66", "192.0.2.1"], ""),
        (["203.0.113.66, 192.0.2.1", "203.0.113.67"], ""),
        (["somewhere"], ""),
        (["192.0.2.1, "], ""),
        (["[2001:db8::7"], "2001:db8::7"),
        (["9" * 3000], ""),
        ([], ""),
    ],
)
def test_the_caller_is_whom_the_load_balancer_saw(lines: list[str], client: str) -> None:
    """What was there before it is the caller's own word, and so are further lines."""
    event = Sent("GET", "/devices/a").balancer()
    for name in ("x-forwarded-for", "X-Forwarded-For"):
        event["multiValueHeaders"] = {name: lines, "x-real-ip": ["203.0.113.66"]}

        assert json.loads(through(event)["body"])["client"] == client


def test_a_browser_may_send_its_cookies_one_by_one() -> None:
    event = Sent("GET", "/devices/a", headers={"cookie": ["JWT=token", "theme=dark"]}).balancer()

    assert json.loads(through(event)["body"])["headers"]["cookie"] == "JWT=token; theme=dark"
