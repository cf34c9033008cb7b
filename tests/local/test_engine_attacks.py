"""Attacks on the engine's port by other processes and pages in a browser."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import httpx2
import pytest

from infra.local.engine.auth_proxy import LONGEST
from infra.local.engine.process import REGION, Engine
from infra.local.signatures import ALGORITHM, Key
from tests.local.attacking import BUCKET, SECRET, headers_for, is_refused
from tests.support.aws import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.testing import LocalServer


def connected(engine: Engine) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(engine.endpoint).netloc, timeout=30)


class TestTheEnginesPort:
    """The engine's own port, which every local process can connect to."""

    def test_nothing_is_answered_without_the_key(
        self, server: LocalServer, stored: Any, services: dict[str, list[str]]
    ) -> None:
        with httpx2.Client(base_url=server.engine.endpoint, trust_env=False) as engine:
            for service, prefixes in services.items():
                claims = f"{ALGORITHM} Credential=test/20260101/{REGION}/{service}/aws4_request"
                for headers in (
                    *({"X-Amz-Target": f"{prefix}.List"} for prefix in prefixes or [service]),
                    {"Authorization": f"{claims}, SignedHeaders=host, Signature={'0' * 64}"},
                    {"Host": f"{service}.{REGION}.amazonaws.com"},
                    {"Host": f"{BUCKET}.{service}.localhost"},
                ):
                    answer = engine.post(f"/{BUCKET}/tenant/kept?Action=List", headers=headers)
                    assert answer.status_code == 403, (service, headers)
                    assert is_refused(answer)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("OPTIONS", "/"),
            ("POST", "/_ministack/reset"),
            ("POST", "/_ministack/config"),
            ("GET", "/_ministack/health"),
            ("GET", "/_ministack/ses/messages"),
            ("GET", "/_localstack/health"),
            ("GET", "/_aws/execute-api/x/api/y"),
            ("POST", "/_aws/execute-api/x/api/@connections/y"),
            ("GET", "/?Action=CreateStack&Version=2010-05-15&StackName=x"),
            ("GET", f"/{BUCKET}/tenant/kept"),
            ("GET", "/.well-known/jwks.json"),
            ("GET", "/latest/meta-data/"),
            ("GET", "/iceberg/v1/config"),
            ("POST", "/WriteGetObjectResponse"),
            ("POST", "/_ministack/rds/iam-auth"),
        ],
    )
    def test_the_engines_other_endpoints_are_refused(
        self, server: LocalServer, stored: Any, method: str, path: str
    ) -> None:
        page = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

        answer = httpx2.request(method, server.engine.endpoint + path, headers=page, trust_env=False)

        assert answer.status_code == 403
        assert is_refused(answer)

    def test_a_signed_request_is_valid_for_one_service_host_body_and_target(
        self, server: LocalServer, stored: Any
    ) -> None:
        url = server.engine.endpoint + "/"
        body = json.dumps({"Name": "/key", "WithDecryption": True}).encode()
        target = "AmazonSSM.GetParameter"
        good = headers_for(server.engine.key, "POST", url, "ssm", body, target)
        with httpx2.Client(trust_env=False) as engine:
            assert SECRET.decode() in engine.post(url, headers=good, content=body).text

            other = json.dumps({"Name": "/kez", "WithDecryption": True}).encode()
            port = urlsplit(url).port
            wrong = [
                (good, other),
                (good | {"X-Amz-Target": "AmazonSSM.DeleteParameter"}, body),
                (good | {"Host": f"rebound.example:{port}"}, body),
                (good | {"Authorization": good["Authorization"][:-1] + "x"}, body),
                (good | {"Authorization": good["Authorization"].replace("x-amz-target", "x-amz-date")}, body),
                (good | {"X-Amz-Security-Token": "x"}, body),
                ({name: value for name, value in good.items() if name != "Authorization"}, body),
                (headers_for(Key("test", "test"), "POST", url, "ssm", body, target), body),
                (headers_for(Key(server.engine.key.id, "test"), "POST", url, "ssm", body, target), body),
                (headers_for(server.engine.key, "POST", url, "cloudformation", body, target), body),
                (headers_for(server.engine.key, "POST", url, "lambda", body, target), body),
            ]
            rebound = f"http://rebound.example:{port}/"
            wrong.append((headers_for(server.engine.key, "POST", rebound, "ssm", body, target), body))
            for headers, sent in wrong:
                answer = engine.post(url, headers=headers, content=sent)
                assert answer.status_code == 403, headers
                assert is_refused(answer)

    def test_a_body_is_not_waited_for_without_a_key(self, server: LocalServer) -> None:
        known = headers_for(
            server.engine.key, "POST", server.engine.endpoint + "/", "ssm", b"", "AmazonSSM.GetParameter"
        )
        claims = known["Authorization"]
        for headers in ({}, {"Authorization": claims.replace(server.engine.key.id, "LAMPLIGHTER00000000")}):
            with closing(connected(server.engine)) as connection:
                connection.request(
                    "POST", "/", headers=known | {"Authorization": ""} | headers | {"Content-Length": "9"}
                )
                assert connection.getresponse().status == 403

    def test_the_size_of_unverified_bodies_is_limited(self, server: LocalServer) -> None:
        url = server.engine.endpoint + "/"
        headers = headers_for(server.engine.key, "POST", url, "ssm", b"", "AmazonSSM.GetParameter")
        with closing(connected(server.engine)) as connection:
            connection.putrequest("POST", "/", skip_host=True)
            for name, value in (headers | {"Content-Length": str(2 * LONGEST)}).items():
                connection.putheader(name, value)
            connection.endheaders(bytes(LONGEST + 1))

            answer = connection.getresponse()

            assert answer.status == 403
            assert b"must have its hash signed" in answer.read()

    def test_only_needed_services_run(self, server: LocalServer) -> None:
        for service, operation in (
            ("cloudformation", "list_stacks"),
            ("lambda", "list_functions"),
            ("iam", "list_users"),
            ("secretsmanager", "list_secrets"),
        ):
            connected = client_of(server.engine, service)
            with pytest.raises(connected.exceptions.ClientError, match=r"AccessDenied|403"):
                getattr(connected, operation)()
            connected.close()

    def test_the_readiness_path_reveals_nothing(self, server: LocalServer) -> None:
        answer = httpx2.get(server.engine.endpoint + "/ready", trust_env=False)

        assert (answer.status_code, answer.content) == (204, b"")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("functions"), persist=False, auth=True) as running:
        yield running


class TestAnEngineWithFunctions:
    """The engine of ``make deploy STAGE=local-aws``: only deployed APIs can be called without a key."""

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/_aws/execute-api/x/api/@connections/y", {}),
            ("/_aws/execute-api/x/api/%40connections/y", {}),
            ("/_aws/execute-api/x/api/y", {"Host": f"{BUCKET}.s3.localhost"}),
            ("/_aws/execute-api/x/api/y", {"X-Amz-Target": "AmazonSSM.GetParameter"}),
            ("/restapis/x/api/_user_request_/y", {}),
            ("/2015-03-31/functions", {}),
            ("/_ministack/reset", {}),
            (f"/{BUCKET}/x?X-Amz-Signature=x", {}),
            ("/", {"X-Amz-Target": "AmazonSSM.GetParameter"}),
            ("/?Action=CreateStack&Version=2010-05-15", {}),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT", "POST", "OPTIONS"])
    def test_nothing_else_is_answered_without_a_key(
        self, engine: Engine, method: str, path: str, headers: dict[str, str]
    ) -> None:
        answer = httpx2.request(method, engine.endpoint + path, headers=headers, trust_env=False)

        assert answer.status_code == 403
        assert answer.headers["x-amzn-errortype"] in {
            "AccessDenied",
            "AuthorizationQueryParametersError",
            "MissingAuthenticationToken",
        }
        assert is_refused(answer)

    def test_a_role_works_with_its_own_secret_only(self, engine: Engine) -> None:
        iam, sts = client_of(engine, "iam"), client_of(engine, "sts")
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName="someone", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", **trust}))
        arn = "arn:aws:iam::000000000000:role/someone"
        given = sts.assume_role(RoleArn=arn, RoleSessionName="tests")["Credentials"]
        iam.close()
        sts.close()

        def identity(secret: str, token: str) -> str:
            as_role = boto3.client(
                "sts",
                endpoint_url=engine.endpoint,
                region_name=REGION,
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=secret,
                aws_session_token=token,
            )
            try:
                return str(as_role.get_caller_identity()["Arn"])
            except as_role.exceptions.ClientError as error:
                return str(error)
            finally:
                as_role.close()

        assert "assumed-role/someone" in identity(given["SecretAccessKey"], given["SessionToken"])
        assert "SignatureDoesNotMatch" in identity("guessed", given["SessionToken"])
        assert "security token" in identity(given["SecretAccessKey"], "guessed")
