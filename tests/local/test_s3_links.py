"""Signed links to the bucket work through the gateway's own host, and nothing else of S3 does."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import httpx2
import pytest
from botocore.config import Config
from chalice.app import Chalice

from infra.local.engine.process import REGION
from infra.local.gateway import Gateway
from infra.local.s3_proxy import Bucket
from infra.local.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer

BUCKET = "lamplighter-local-artifacts"
STYLE = Config(signature_version="s3v4", s3={"addressing_style": "path"})


@pytest.fixture
def s3(server: LocalServer) -> Iterator[Any]:
    connected = boto3.client("s3", config=STYLE)
    yield connected
    connected.close()


def sign(server: LocalServer | Server, method: str, key: str, life: int = 60) -> str:
    url = server.url if isinstance(server.url, str) else server.url()
    signer = boto3.client("s3", endpoint_url=url, config=STYLE)
    link: str = signer.generate_presigned_url(method, Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=life)
    signer.close()
    return link


def test_a_link_downloads_the_whole_object(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    body = bytes(range(256)) * 4096
    s3.put_object(Bucket=BUCKET, Key="tenant/an artifact+é", Body=body)

    answer = client.get(sign(server, "get_object", "tenant/an artifact+é"))

    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(body))
    assert len(answer.headers.get_list("date")) == 1
    assert answer.content == body


def test_a_download_resumes(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="resumed", Body=b"0123456789")

    answer = client.get(sign(server, "get_object", "resumed"), headers={"Range": "bytes=4-"})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == "bytes 4-9/10"
    assert answer.content == b"456789"


def test_head_requests(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="asked", Body=b"0123456789")

    answer = client.head(sign(server, "head_object", "asked"))

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "10"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_direct_upload(server: LocalServer, client: httpx2.Client, s3: Any, chunked: bool) -> None:
    body = b"x" * 3_000_000
    parts = (body[at : at + 100_000] for at in range(0, len(body), 100_000))

    answer = client.put(sign(server, "put_object", f"put-{chunked}"), content=parts if chunked else body)

    assert answer.status_code == 200
    assert s3.get_object(Bucket=BUCKET, Key=f"put-{chunked}")["Body"].read() == body


def test_a_changed_link_is_refused(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="secret", Body=b"secret")
    s3.put_object(Bucket=BUCKET, Key="other", Body=b"other")

    answer = client.get(sign(server, "get_object", "other").replace("/other", "/secret"))

    assert answer.status_code == 403
    assert b"SignatureDoesNotMatch" in answer.content


def test_a_link_is_valid_for_its_own_host_only(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="hosted", Body=b"x")

    answer = client.get(sign(server, "get_object", "hosted"), headers={"Host": "elsewhere.example"})

    assert answer.status_code == 403


def test_without_a_signature_nothing_is_served(client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="plain", Body=b"x")

    for path in (f"/{BUCKET}/plain", f"/{BUCKET}", f"/{BUCKET}/plain?X-Amz-Algorithm=AWS4-HMAC-SHA256"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "only signed links are served here" in answer.json()["error"]


def test_other_verbs_are_refused(server: LocalServer, client: httpx2.Client, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"x")

    assert client.delete(sign(server, "delete_object", "kept")).status_code == 405
    assert s3.head_object(Bucket=BUCKET, Key="kept")["ContentLength"] == 1


@contextmanager
def bucket_at(server: LocalServer, endpoint: socket.socket) -> Iterator[Server]:
    """A gateway whose bucket is simulated by a socket of the test."""
    gateway = Server("127.0.0.1", 0)
    url = f"http://127.0.0.1:{endpoint.getsockname()[1]}"
    gateway.start(Gateway(Chalice(app_name="empty"), bucket=Bucket(url, BUCKET, REGION, server.engine.key)))
    yield gateway
    gateway.stop()


def test_an_unreachable_bucket_causes_502(server: LocalServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody, bucket_at(server, nobody) as gateway:
        nobody.close()

        answer = httpx2.get(sign(gateway, "get_object", "x"), trust_env=False)

    assert answer.status_code == 502


@pytest.mark.parametrize("method", ["get_object", "put_object"])
@pytest.mark.parametrize("answered", [b"", b"HTTP/1.1 2", b"SSH-2.0-x\r\n\r\n"])
def test_an_engine_that_disconnects_causes_502(server: LocalServer, method: str, answered: bytes) -> None:
    """For example if it is restarted during a call."""

    def break_off(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answered)

    with socket.create_server(("127.0.0.1", 0)) as listener, bucket_at(server, listener) as gateway:
        breaking = threading.Thread(target=break_off, args=[listener])
        breaking.start()
        verb = method.removesuffix("_object").upper()
        content = b"x" if verb == "PUT" else None

        answer = httpx2.request(verb, sign(gateway, method, "x"), content=content, trust_env=False)

        breaking.join()
    assert answer.status_code == 502
    assert answer.json()["error"] == "the bucket can't be reached: try again"


def test_an_interrupted_upload_leaves_nothing(server: LocalServer, s3: Any) -> None:
    path = sign(server, "put_object", "half").removeprefix(server.url)
    trust = ssl.create_default_context(cafile=str(server.ca))
    host = server.url.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, context=trust)
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"only this")
    connection.close()

    s3.put_object(Bucket=BUCKET, Key="after", Body=b"x")
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_object(Bucket=BUCKET, Key="half")
