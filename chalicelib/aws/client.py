"""Signed calls to AWS without service clients.

A boto3 client costs 70 to 170 ms of every cold start to load a service's model; the handful of calls made here
need none of it. Signing is botocore's own, transport is botocore's own urllib3.
"""

from __future__ import annotations

import random
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
import msgspec
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import settings
from chalicelib.errors import Unavailable

if TYPE_CHECKING:
    from botocore.credentials import Credentials

_TIMEOUT = urllib3.Timeout(connect=2, read=20)
_ATTEMPTS = 4
_RETRIED = frozenset({429, 500, 502, 503, 504})


class AwsError(Exception):
    """AWS refused a call. ``code`` is its short name, ``status`` the HTTP status."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__(f"{code} ({status}): {text}")
        self.code = code
        self.status = status


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def pool() -> urllib3.PoolManager:
    """The connections of this process."""
    return urllib3.PoolManager(maxsize=32, timeout=_TIMEOUT, retries=False)


def credentials() -> Credentials:
    """The role's credentials, refreshed by botocore when they near their end."""
    found = _session().get_credentials()
    if found is None:
        raise Unavailable("no AWS credentials")
    return found


def endpoint(service: str) -> str:
    """Base URL of a service in this region, or the embedded engine's."""
    aws = settings.aws()
    return aws.endpoint_url or f"https://{service}.{aws.region}.amazonaws.com"


def call(service: str, target: str, payload: dict[str, Any], *, version: str = "1.1") -> dict[str, Any]:
    """One call of an AWS JSON protocol (SSM, SQS): ``target`` as in ``AmazonSSM.GetParameter``.

    Raises:
        AwsError: the service refused.
        Unavailable: it did not answer, or kept failing.
    """
    request = AWSRequest(
        "POST",
        endpoint(service),
        data=msgspec.json.encode(payload),
        headers={"Content-Type": f"application/x-amz-json-{version}", "X-Amz-Target": target},
    )
    answer = send(SigV4Auth(credentials(), service, settings.aws().region), request)
    body = answer.data
    document: dict[str, Any] = msgspec.json.decode(body) if body else {}
    if answer.status >= 400:  # HTTP
        code = str(document.get("__type", "Unknown")).rsplit("#", 1)[-1]
        raise AwsError(code, answer.status, str(document.get("message", document.get("Message", ""))))
    return document


def send(auth: SigV4Auth, request: AWSRequest, *, stream: bool = False) -> urllib3.BaseHTTPResponse:
    """Sign and send, again with jitter where AWS says that it may help. The body must be bytes.

    Raises:
        Unavailable: no answer after all attempts.
    """
    last: Exception | None = None
    for attempt in range(_ATTEMPTS):
        for header in ("Authorization", "X-Amz-Date"):
            del request.headers[header]
        auth.add_auth(request)
        prepared = request.prepare()
        try:
            answer = pool().request(
                prepared.method,
                prepared.url,
                body=prepared.body,
                headers=dict(prepared.headers.items()),
                preload_content=not stream,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            last = error
        else:
            if answer.status not in _RETRIED or attempt == _ATTEMPTS - 1:
                return answer
            answer.drain_conn()
        time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311, TID251  # jitter, not a secret
    raise Unavailable("service unavailable") from last
