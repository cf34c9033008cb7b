"""Attacks on the server's port with forged links to files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx2
import pytest
import time_machine

from infra.local.engine.process import REGION
from infra.local.signatures import ALGORITHM, Key
from tests.local.attacking import BUCKET, FORM, REFUSED, SECRET, changed, is_refused, sign
from tests.support.raw import raw

pytestmark = pytest.mark.refused_by_aws

if TYPE_CHECKING:
    from infra.local.testing import LocalServer


class TestTheServersPort:
    """The port that devices and users reach."""

    def test_a_link_that_only_names_a_signature_reaches_no_service(self, client: httpx2.Client, stored: Any) -> None:
        headers = {"X-Amz-Target": "AmazonSSM.GetParameter", "Content-Type": "application/x-amz-json-1.1"}
        body = json.dumps({"Name": "/key", "WithDecryption": True})

        answer = client.put(f"/{BUCKET}/x?X-Amz-Signature=x", headers=headers, content=body)

        assert answer.status_code == 403
        assert is_refused(answer)

    def test_no_service_answers_by_header_query_or_form(
        self, server: LocalServer, client: httpx2.Client, stored: Any, services: dict[str, list[str]]
    ) -> None:
        bad = f"/{BUCKET}/tenant/kept?X-Amz-Signature=x"
        for service, prefixes in services.items():
            claims = f"{ALGORITHM} Credential=x/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host"
            fields = urlencode({"Action": "List", "Version": "2010-05-15", "X-Amz-Credential": claims.split("=")[1]})
            target = {"X-Amz-Target": f"{(prefixes or [service])[0]}.List"}
            form = {"Content-Type": FORM, "Authorization": f"{claims}, Signature=0"}
            for answer in (
                client.put(bad, headers=target, content="{}"),
                client.put(sign(server, "PUT"), headers=target, content="{}"),
                client.get(f"{bad}&{fields}", headers={"Host": f"{service}.{REGION}.amazonaws.com"}),
                client.get(f"{sign(server)}&{fields}", headers=form),
                client.put(bad, headers=form | {"Host": f"{BUCKET}.{service}.localhost"}, content=fields),
                client.post(bad, headers=form, content=fields),
            ):
                assert is_refused(answer), (service, answer.text)

    @pytest.mark.parametrize("method", ["DELETE", "POST", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
    def test_other_methods_are_refused_even_if_they_are_signed(
        self, server: LocalServer, client: httpx2.Client, stored: Any, method: str
    ) -> None:
        answer = client.request(method, sign(server, method), headers={"Origin": "https://evil.example"})

        assert answer.status_code == 405
        assert is_refused(answer)
        assert stored.head_object(Bucket=BUCKET, Key="tenant/kept")

    @pytest.mark.parametrize(
        "parameter",
        [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        ],
    )
    def test_every_part_of_a_signature_is_checked(
        self, server: LocalServer, client: httpx2.Client, stored: Any, parameter: str
    ) -> None:
        link = sign(server)
        value = dict(parse_qsl(urlsplit(link).query))[parameter]
        assert client.get(link).content == SECRET

        other = value[:-1] + ("1" if value[-1] != "1" else "2")
        name = parameter.replace("-", "_")
        for wrong in (None, "", other, value.upper() + "X", value + ";range", "AWS4-ECDSA-P256-SHA256"):
            assert client.get(changed(link, **{name: wrong})).status_code == 403, wrong
        for double in (value, other):
            for spelling in (parameter, parameter.lower(), parameter.replace("A", "%41")):
                doubled = f"{link}&{spelling}={quote(double, safe='')}"
                assert client.get(doubled).status_code == 403, doubled
                url = urlsplit(link)
                first = url._replace(query=f"{spelling}={quote(double, safe='')}&{url.query}").geturl()
                assert client.get(first).status_code == 403, first

    def test_a_link_is_valid_for_one_method_path_key_and_scope(
        self, server: LocalServer, client: httpx2.Client, stored: Any
    ) -> None:
        own = server.engine.key
        guesses = [
            Key("test", "test"),
            Key(own.id, "test"),
            Key(own.id, ""),
            Key("", own.secret),
            Key("000000000000", ""),
        ]
        wrong = [
            sign(server, "HEAD"),
            sign(server, "PUT"),
            sign(server).replace("/tenant/kept", "/tenant/kept2"),
            sign(server, path=f"/{BUCKET}/tenant/kept2").replace("kept2", "kept"),
            sign(server, service="dynamodb"),
            sign(server, service="ssm"),
            sign(server, region="us-east-1"),
            sign(server, host="elsewhere.example"),
            sign(server, key=Key(own.id, own.secret, "a-token")),
            *(sign(server, key=guess) for guess in guesses),
        ]
        for link in wrong:
            answer = client.get(link)
            assert answer.status_code == 403, link
            assert is_refused(answer)

    @pytest.mark.parametrize(("signed", "life"), [(-61, 60), (-8 * 86_400, 604_800), (3600, 60), (0, 604_801), (0, 0)])
    def test_a_link_is_valid_during_its_lifetime_only(
        self, server: LocalServer, client: httpx2.Client, stored: Any, signed: int, life: int
    ) -> None:
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=signed), tick=True):
            link = sign(server, life=life)

        answer = client.get(link)

        assert answer.status_code == 403
        assert is_refused(answer)

    def test_other_buckets_and_the_bucket_itself_are_not_served(
        self, server: LocalServer, client: httpx2.Client, stored: Any
    ) -> None:
        paths = [
            "/other/tenant/kept",
            f"/{BUCKET}",
            f"/{BUCKET}/",
            f"/{BUCKET}//",
            f"/{BUCKET}x/tenant/kept",
            "/",
            f"/{BUCKET}/../other/tenant/kept",
            f"/{BUCKET}/%2e%2e/other/tenant/kept",
            f"/{BUCKET}/..%2fother/tenant/kept",
            f"/{BUCKET}%2f..%2fother/tenant/kept",
            f"//{BUCKET}/tenant/kept",
            "/_ministack/health",
            "/_aws/execute-api/x/api",
        ]
        for path in paths:
            target = sign(server, path=path).removeprefix(server.url)
            status, body = raw(server, f"GET {target} HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\n\r\n".encode())
            assert SECRET not in body, path
            assert status in REFUSED, (path, status, body)

    @pytest.mark.parametrize(
        "subresource",
        [
            {"acl": ""},
            {"tagging": ""},
            {"uploads": ""},
            {"versions": ""},
            {"list-type": "2"},
            {"policy": ""},
            {"cors": ""},
            {"torrent": ""},
            {"attributes": ""},
            {"uploadId": "1"},
            {"partNumber": "1"},
            {"uploadId": "1", "partNumber": "1", "uploads": ""},
            {"uploadId": "1", "partNumber": "1", "versionId": "1"},
            {"UploadId": "1", "PartNumber": "1"},
            {"x-amz-copy-source": "/other/tenant/kept"},
            {"X-Amz-Copy-Source": "/other/tenant/kept"},
            {"X-Amz-Acl": "public-read"},
            {"X-Amz-Security-Token": "x"},
            {"Action": "CreateStack"},
            {"response-cache-control": "x"},
        ],
        ids="-".join,
    )
    def test_signed_subresources_are_refused(
        self, server: LocalServer, client: httpx2.Client, stored: Any, subresource: dict[str, str]
    ) -> None:
        for method in ("GET", "HEAD", "PUT"):
            answer = client.request(method, sign(server, method, query=subresource))
            assert answer.status_code == 403
            assert is_refused(answer)
        assert stored.get_object(Bucket=BUCKET, Key="tenant/kept")["Body"].read() == SECRET

    def test_a_link_to_a_part_allows_writing_that_part_only(
        self, server: LocalServer, client: httpx2.Client, stored: Any
    ) -> None:
        path = f"/{BUCKET}/tenant/parted"
        about: dict[str, Any] = {"Bucket": BUCKET, "Key": "tenant/parted"}
        upload = stored.create_multipart_upload(**about)["UploadId"]
        part = {"partNumber": "2", "uploadId": upload}
        link = sign(server, "PUT", path, part, headers={"Content-Length": "5"})

        numbers = ("", "0", "01", "-1", "+1", "1 ", "1\n", "10001", "٣")
        wrong = [part | {"partNumber": number} for number in numbers] + [part | {"uploadId": ""}]
        for query in wrong:
            assert client.put(sign(server, "PUT", path, query), content=b"hello").status_code == 403, query
        # Not for reading, nor another part, upload or object, nor another length, nor copied from elsewhere.
        copied = {"x-amz-copy-source": f"/{BUCKET}/tenant/kept"}
        for answer in (
            client.get(sign(server, "GET", path, part)),
            client.head(sign(server, "HEAD", path, part)),
            client.delete(sign(server, "DELETE", path, part)),
            client.put(changed(link, partNumber="3"), content=b"hello"),
            client.put(changed(link, uploadId="other"), content=b"hello"),
            client.put(changed(link, uploadId=None, partNumber=None), content=b"hello"),
            client.put(link.replace("/tenant/parted", "/tenant/kept"), content=b"hello"),
            client.put(f"{link}&partNumber=3", content=b"hello"),
            client.put(link, content=b"longer"),
            client.put(link, content=iter([b"he", b"llo"])),
            client.put(link, content=b"hello", headers=copied),
            client.put(sign(server, "PUT", path, part, headers=copied), content=b"", headers=copied),
            client.put(sign(server, "PUT", path, {"partNumber": "1", "uploadId": "unknown"}), content=b"hello"),
            client.put(sign(server, "PUT", f"/{BUCKET}/tenant/kept", part), content=b"hello"),
        ):
            assert is_refused(answer), (answer.request.url, answer.text)
        assert "Parts" not in stored.list_parts(**about, UploadId=upload)

        answer = client.put(link, content=b"hello")
        assert (answer.status_code, answer.content) == (200, b"")
        [there] = stored.list_parts(**about, UploadId=upload)["Parts"]
        assert (there["PartNumber"], there["Size"], there["ETag"]) == (2, 5, answer.headers["etag"])
        stored.abort_multipart_upload(**about, UploadId=upload)

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("x-amz-copy-source", "/other/tenant/kept"),
            ("x-amz-acl", "public-read"),
            ("x-amz-tagging", "kept=always"),
            ("x-amz-security-token", "x"),
            ("x-amz-target", "AmazonSSM.GetParameter"),
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("x-amz-decoded-content-length", "3"),
            ("x-amz-meta-a", "b"),
            ("x-amz-request-route", "x"),
        ],
    )
    @pytest.mark.parametrize("signed", [False, True])
    def test_headers_of_s3_are_refused(
        self, server: LocalServer, client: httpx2.Client, stored: Any, header: str, value: str, signed: bool
    ) -> None:
        path = f"/{BUCKET}/tenant/by-header"
        link = sign(server, "PUT", path, headers={header: value} if signed else None)

        answer = client.put(link, headers={header: value}, content=b"abc")

        assert answer.status_code == 403
        assert is_refused(answer)
        with pytest.raises(stored.exceptions.ClientError, match="404"):
            stored.head_object(Bucket=BUCKET, Key="tenant/by-header")

    def test_only_headers_for_downloads_are_forwarded(
        self, server: LocalServer, client: httpx2.Client, stored: Any
    ) -> None:
        headers = {
            "Authorization": "Bearer a-users-token",
            "Content-Encoding": "aws-chunked",
            "Cookie": "JWT=x",
            "Origin": "https://evil.example",
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Host": "other.s3.localhost",
        }

        answer = client.get(sign(server), headers=headers)

        assert (answer.status_code, answer.content) == (200, SECRET)
        assert not any(name.startswith("access-control-") for name in answer.headers)

    @pytest.mark.parametrize(
        "framing",
        [
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
            b"Content-Length: +5\r\n\r\nhello",
            b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        ],
    )
    def test_request_smuggling_is_prevented(self, server: LocalServer, stored: Any, framing: bytes) -> None:
        target = sign(server, "PUT", f"/{BUCKET}/tenant/smuggled").removeprefix(server.url)
        host = urlsplit(server.url).netloc
        second = f"GET /other/tenant/kept HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

        status, body = raw(server, f"PUT {target} HTTP/1.1\r\nHost: {host}\r\n".encode() + framing + second)

        assert SECRET not in body
        assert status == 400

    def test_a_body_in_signed_chunks_is_stored_unchanged(
        self, server: LocalServer, client: httpx2.Client, stored: Any
    ) -> None:
        body = b"3;chunk-signature=0\r\nabc\r\n0;chunk-signature=0\r\n\r\n"

        answer = client.put(
            sign(server, "PUT", f"/{BUCKET}/tenant/chunks"), headers={"Content-Encoding": "aws-chunked"}, content=body
        )

        assert answer.status_code == 200
        assert stored.get_object(Bucket=BUCKET, Key="tenant/chunks")["Body"].read() == body
