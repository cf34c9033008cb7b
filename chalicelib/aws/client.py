"""Signed calls to AWS without service clients.

A boto3 client costs 70 to 170 ms of every cold start to load a service's model; the handful of calls made here
need none of it. Signing is botocore's own, transport is botocore's own urllib3.
"""

from __future__ import annotations

import random
import re
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import call as calls
from chalicelib import settings
from chalicelib.errors import Unavailable
from chalicelib.storage import credentials as stored

if TYPE_CHECKING:
    from datetime import datetime

    from botocore.credentials import Credentials

_CONNECT = 2.0
_READ = 20.0
_ATTEMPTS = 4
_RETRIED = frozenset({429, 500, 502, 503, 504})
_THROTTLED = re.compile(rb'"__type" *: *"[^"]*(?:Throttl|TooManyRequests|RequestLimitExceeded)')
"""In the JSON protocols throttling is a 400 like other refusals."""


class AwsError(Exception):
    """AWS refused a call. ``code`` is its short name, ``status`` the HTTP status."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__(f"{code} ({status}): {text}")
        self.code = code
        self.status = status


@cache
def pool() -> urllib3.PoolManager:
    """The connections of this process."""
    return urllib3.PoolManager(maxsize=32, retries=False)


def credentials() -> Credentials:
    """The role's credentials, refreshed by botocore when they near their end."""
    return stored.current()


def session_end(credentials: Credentials) -> datetime | None:
    """When temporary credentials end; None where they have no end, or none that is known, as on Lambda."""
    # botocore keeps the time of credentials that it can refresh, and shows it to nobody.
    return getattr(credentials, "_expiry_time", None)


def endpoint(service: str) -> str:
    """Base URL of a service in this region, or the embedded engine's."""
    aws = settings.aws()
    return aws.endpoint_url or f"https://{service}.{aws.region}.{aws.domain}"


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
        Unavailable: no answer, or throttled, or AWS's own fault, after all attempts or the time that the call has.
    """
    last: Exception | None = None
    for attempt in range(_ATTEMPTS):
        left = calls.time_left()
        if left <= 0:
            break
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
                timeout=urllib3.Timeout(connect=min(_CONNECT, left), read=min(_READ, left)),
            )
        except urllib3.exceptions.HTTPError as error:
            last = error
        else:
            if not _may_pass(answer):
                return answer
            answer.drain_conn()
        pause = random.uniform(0, 0.1 * 2**attempt)  # noqa: S311  # jitter, not a secret
        time.sleep(min(pause, calls.time_left()))  # noqa: TID251  # shorter than any schedule
    raise Unavailable from last


def _may_pass(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether a refusal may be none the next time."""
    if answer.status in _RETRIED:
        return True
    return answer.status == 400 and _THROTTLED.search(answer.data or b"") is not None  # HTTP
