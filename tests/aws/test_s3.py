"""Completing multipart uploads when S3 answers 200 with an error inside, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import urllib3

from chalicelib.aws import client, s3
from chalicelib.errors import NotFound, Unavailable
from infra.local.testing import LocalServer
from tests.support.mailbox import use

ERROR = '<?xml version="1.0" encoding="UTF-8"?>\n\n  <Error><Code>{}</Code><Message>no</Message></Error>'
Fault = Callable[[Callable[[], Any]], Any]
"""Makes the request or not, and answers or not."""


@pytest.fixture
def key(server: LocalServer) -> str:
    return f"test/{uuid.uuid4()}"


@pytest.fixture
def writer(key: str, monkeypatch: pytest.MonkeyPatch) -> s3.MultipartWriter:
    monkeypatch.setattr("random.uniform", lambda low, _: low)
    made = s3.MultipartWriter(key)
    made.write(bytes(s3.PART))
    made.write(b"end")
    return made


@pytest.fixture
def completions(monkeypatch: pytest.MonkeyPatch) -> list[Fault]:
    """Faults for the next completions in order; later ones succeed."""
    faults: list[Fault] = []
    pool = client.pool()
    real = pool.request

    def request(method: str, url: str, **more: Any) -> Any:
        if method == "POST" and "uploadId=" in url and faults:
            return faults.pop(0)(lambda: real(method, url, **more))
        return real(method, url, **more)

    monkeypatch.setattr(pool, "request", request)
    return faults


def says(body: str, status: int = 200) -> Fault:
    headers = {"Content-Type": "application/xml"}
    return lambda _: urllib3.HTTPResponse(body.encode(), headers, status, preload_content=True)


def loses_its_answer(send: Callable[[], Any]) -> Any:
    send()
    raise urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool("s3"), "url", "silence")


def is_whole(ref: s3.ObjectRef) -> None:
    assert ref.size == s3.PART + 3
    assert s3.head(ref.key) == ref
    assert s3.get(ref.key, ref.version, span=(s3.PART, s3.PART + 3)) == b"end"


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
def test_an_error_inside_a_200_is_retried(writer: s3.MultipartWriter, completions: list[Fault], code: str):
    completions += [says(ERROR.format(code)), says(ERROR.format(code))]

    is_whole(writer.finish())

    assert completions == []


def test_a_persistent_error_inside_a_200_is_unavailable(writer: s3.MultipartWriter, completions: list[Fault], key: str):
    completions += [says(ERROR.format("InternalError"))] * 9

    with pytest.raises(Unavailable):
        writer.finish()
    writer.abort()

    with pytest.raises(NotFound):
        s3.head(key)


def test_a_refusal_inside_a_200_is_not_retried(writer: s3.MultipartWriter, completions: list[Fault]):
    completions += [says(ERROR.format("InvalidPart"))]

    with pytest.raises(client.AwsError, match="InvalidPart"):
        writer.finish()


def test_a_completion_whose_answer_is_lost_is_made_once(writer: s3.MultipartWriter, completions: list[Fault]):
    completions += [loses_its_answer]

    ref = writer.finish()

    is_whole(ref)
    assert ref.version


def test_another_object_with_the_same_key_is_not_taken_for_the_completed_one(
    writer: s3.MultipartWriter, completions: list[Fault], key: str
):
    other = s3.MultipartWriter(key)
    other.write(bytes(s3.PART))
    other.finish()
    completions += [says(ERROR.format("NoSuchUpload"), 404)]

    with pytest.raises(NotFound):
        writer.finish()


def test_an_upload_that_no_longer_exists_can_be_aborted(writer: s3.MultipartWriter):
    writer.finish()

    writer.abort()


def test_an_object_that_looks_like_an_error_is_read(key: str):
    text = ERROR.format("InternalError").encode()
    ref = s3.put(key, text, "application/xml")

    assert s3.get(key, ref.version) == text


def test_every_request_names_the_account_that_the_bucket_has_to_belong_to(key: str, monkeypatch: pytest.MonkeyPatch):
    """Otherwise, after the bucket was deleted, someone else could create it and get all uploads."""
    pool, sent = client.pool(), []
    real = pool.request

    def request(method: str, url: str, **more: Any) -> Any:
        sent.append((method, dict(more["headers"])))
        return real(method, url, **more)

    monkeypatch.setattr(pool, "request", request)
    use(monkeypatch, bucket_owner="000000000000")
    made = s3.MultipartWriter(key)
    made.write(bytes(s3.PART + 1))
    ref = made.finish()
    assert b"".join(s3.read(ref)) == bytes(s3.PART + 1)
    s3.erase(key)

    assert {method for method, _ in sent} == {"DELETE", "GET", "POST", "PUT"}
    for _, headers in sent:
        assert headers["x-amz-expected-bucket-owner"] == "000000000000"
        signed = headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
        assert "x-amz-expected-bucket-owner" in signed
