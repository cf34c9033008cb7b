"""Signatures of AWS's own client are accepted, and no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import pytest
import time_machine
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from infra.local.signatures import (
    InvalidSignatureError,
    Key,
    Request,
    check_link,
    check_request,
    claimed,
    object_path,
    signed,
)

KEY = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = Key("ASIASESSION", "another/secret", "a+token/of=a session")
REGION = "eu-west-1"
NOW = datetime(2026, 2, 28, 23, 59, 58, tzinfo=UTC)
HOST = "localhost:8443"
PARAMETERS = ("response-content-disposition", "response-content-type", "versionId")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(lambda text: text.strip("/") != "")
keys = st.sampled_from([KEY, SESSION])


def key_of(name: str) -> Key | None:
    return {KEY.id: KEY, SESSION.id: SESSION}.get(name)


def as_sent(request: AWSRequest) -> Request:
    prepared = request.prepare()
    url = urlsplit(prepared.url)
    found = [
        (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in prepared.headers.items()
    ]
    if not any(name == b"host" for name, _ in found):
        found.append((b"host", url.netloc.encode()))
    return Request(prepared.method, url.path.encode(), url.query.encode(), found)


def link(
    name: str, values: dict[str, str], key: Key, life: int = 900, headers: dict[str, str] | None = None
) -> Request:
    query = "&".join(f"{each}={quote(value, safe='')}" for each, value in values.items())
    url = f"https://{HOST}/bucket/{quote(name, safe='/~')}" + (f"?{query}" if query else "")
    request = AWSRequest("GET", url, headers={"Host": HOST, **(headers or {})})
    with time_machine.travel(NOW, tick=False):
        S3SigV4QueryAuth(Credentials(key.id, key.secret, key.token or None), "s3", REGION, expires=life).add_auth(
            request
        )
    return as_sent(request)


def checked(request: Request, now: datetime = NOW) -> dict[str, str]:
    return check_link(request, key_of, region=REGION, parameters=PARAMETERS, headers=("range",), now=now)


@given(names, st.dictionaries(st.sampled_from(PARAMETERS), texts), keys)
def test_links_of_botocore_are_accepted(name: str, values: dict[str, str], key: Key) -> None:
    assert checked(link(name, values, key)) == values


@settings(max_examples=300)
@given(names, st.dictionaries(st.sampled_from(PARAMETERS), texts), keys, st.data())
def test_a_link_with_any_byte_changed_is_refused(
    name: str, values: dict[str, str], key: Key, data: st.DataObject
) -> None:
    whole = link(name, values, key)
    part = data.draw(st.sampled_from(["path", "query"]))
    old: bytes = getattr(whole, part)
    at = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.binary(max_size=2).filter(lambda new: new != old[at : at + 1]))
    changed = old[:at] + new + old[at + 1 :]
    other = replace(whole, path=changed) if part == "path" else replace(whole, query=changed)
    # Another spelling of the same names and values is an equal link.
    assume(other.parameters() != whole.parameters() or object_path(other.path) != object_path(whole.path))

    with pytest.raises(InvalidSignatureError):
        checked(other)


@given(st.integers(1, 604_800), st.integers(-1_000_000, 1_000_000))
def test_a_link_is_valid_from_its_date_until_it_expires(life: int, later: int) -> None:
    request = link("name", {}, KEY, life)
    if -900 <= later <= life:
        assert checked(request, NOW + timedelta(seconds=later)) == {}
    else:
        with pytest.raises(InvalidSignatureError, match=r"expired|not yet"):
            checked(request, NOW + timedelta(seconds=later))


def test_a_signed_header_must_be_present_once_and_unchanged() -> None:
    whole = link("name", {}, KEY, headers={"Range": "bytes=0-1"})
    assert checked(whole) == {}

    host, span = (b"host", HOST.encode()), (b"range", b"bytes=0-1")
    for headers in ([host], [host, (b"range", b"bytes=0-2")], [host, span, span], [span], [host, host, span]):
        with pytest.raises(InvalidSignatureError):
            checked(replace(whole, headers=headers))
    with pytest.raises(InvalidSignatureError):
        checked(link("name", {}, KEY, headers={"Cookie": "x"}))


def check(request: Request, services: set[str], body: bytes | None) -> None:
    check_request(request, claimed(request, key_of, services), body)


@given(
    st.sampled_from(["dynamodb", "sqs", "lambda", "s3"]),
    names,
    st.dictionaries(texts.filter(bool), texts, max_size=3),
    st.binary(max_size=50),
    keys,
)
def test_requests_of_botocore_are_accepted_with_their_body_only(
    service: str, name: str, values: dict[str, str], body: bytes, key: Key
) -> None:
    query = "&".join(f"{quote(each, safe='')}={quote(value, safe='')}" for each, value in values.items())
    url = f"http://{HOST}/a/{quote(name, safe='')}?{query}"
    headers = {"Host": HOST, "X-Amz-Target": "Service.Call", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", url, data=body, headers=headers)
    auth = S3SigV4Auth if service == "s3" else SigV4Auth
    auth(Credentials(key.id, key.secret, key.token or None), service, REGION).add_auth(request)
    sent = as_sent(request)

    check(sent, {service}, body)

    with pytest.raises(InvalidSignatureError, match="does not run here"):
        check(sent, {"other"}, body)
    if service != "s3":
        with pytest.raises(InvalidSignatureError, match="not the signature"):
            check(sent, {service}, body + b"x")
    for other in (
        replace(sent, method="PUT"),
        replace(sent, path=sent.path + b"x"),
        replace(sent, query=sent.query + b"&Action=x"),
        replace(sent, headers=[*sent.headers, (b"x-amz-meta-a", b"b")]),
        replace(sent, headers=[line for line in sent.headers if line[0] != b"authorization"]),
        replace(sent, headers=[line for line in sent.headers if line[0] != b"x-amz-target"]),
    ):
        with pytest.raises(InvalidSignatureError):
            check(other, {service}, body)


@given(names, st.dictionaries(st.sampled_from(PARAMETERS), texts))
def test_forwarded_requests_are_signed(name: str, values: dict[str, str]) -> None:
    query = "&".join(f"{each}={quote(value, safe='')}" for each, value in values.items())
    request = Request("GET", quote(name).encode(), query.encode(), [(b"host", HOST.encode()), (b"range", b"bytes=1-")])

    check(replace(request, headers=signed(request, KEY, REGION, "s3", NOW)), {"s3"}, None)
