"""Signed calls to AWS without service clients.

A boto3 client adds 70 to 170 ms to every cold start for loading the service's model, which the few calls here do not
need. Signer and HTTP transport are botocore's.
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
    from collections.abc import Callable
    from datetime import datetime

    from botocore.credentials import Credentials

_CONNECT = 2.0
_SILENCE = 2.0
"""Maximum silence of the first attempt. It doubles with each attempt, up to the time that the call has left."""
_ATTEMPTS = 4
_RETRIED = frozenset({429, 500, 502, 503, 504})
_THROTTLED = re.compile(rb'"__type" *: *"[^"]*(?:Throttl|TooManyRequests|RequestLimitExceeded)')
"""In the JSON protocols throttling is a 400 like other errors."""
_EXPIRED = re.compile(rb"\bExpiredToken(?:Exception)?\b")


class AwsError(Exception):
    """An error of AWS. ``code`` is its short name, ``status`` the HTTP status."""

    def __init__(self, code: str, status: int, text: str) -> None:
        super().__init__(f"{code} ({status}): {text}")
        self.code = code
        self.status = status


@cache
def pool() -> urllib3.PoolManager:
    """The connections of this process."""
    return urllib3.PoolManager(maxsize=32, retries=False)


def credentials() -> Credentials:
    """The role's credentials, which botocore renews before they expire."""
    return stored.current()


def session_end(credentials: Credentials) -> datetime | None:
    """When temporary credentials end; None if they do not, or if it is not known, as on Lambda."""
    # botocore knows when refreshable credentials end, but has no public interface for it.
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


def send(
    auth: SigV4Auth,
    request: AWSRequest,
    *,
    silence: float = _SILENCE,
    failed: Callable[[urllib3.BaseHTTPResponse], bool] | None = None,
) -> urllib3.BaseHTTPResponse:
    """Sign and send a request; retry with jitter where AWS recommends it. The body must be bytes.

    Args:
        auth: signs for a service.
        request: what to send.
        silence: maximum silence of the first attempt in seconds.
        failed: recognises further answers that should be retried, besides those that all services share.

    Raises:
        Unavailable: no answer, throttling, or a fault of AWS, after all attempts or the time that the call has.
    """
    last: Exception | None = None
    for attempt in range(_ATTEMPTS):
        left = calls.time_left()
        if left <= 0:
            break
        for header in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            del request.headers[header]
        auth.add_auth(request)
        prepared = request.prepare()
        try:
            answer = pool().request(
                prepared.method,
                prepared.url,
                body=prepared.body,
                headers=dict(prepared.headers.items()),
                redirect=False,
                timeout=urllib3.Timeout(connect=min(_CONNECT, left), read=min(silence * 2**attempt, left)),
            )
        except urllib3.exceptions.HTTPError as error:
            last = error
            pool().clear()  # other idle connections may be dead too
        else:
            if _is_expired(answer):
                stored.forget()
                auth.credentials = credentials()
            elif not _may_pass(answer) and not (failed is not None and failed(answer)):
                return answer
        pause = random.uniform(0, 0.1 * 2**attempt)  # noqa: S311  # jitter, not a secret
        if attempt == _ATTEMPTS - 1 or pause >= calls.time_left():
            break
        time.sleep(pause)  # noqa: TID251  # shorter than any schedule
    raise Unavailable from last


def _is_expired(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether the credentials that signed have expired."""
    return answer.status in {400, 403} and _EXPIRED.search(answer.data or b"") is not None  # HTTP


def _may_pass(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether a retry may succeed."""
    if answer.status in _RETRIED:
        return True
    return answer.status == 400 and _THROTTLED.search(answer.data or b"") is not None  # HTTP
