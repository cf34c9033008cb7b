"""Signed calls to AWS without service clients.

A boto3 client adds 70 to 170 ms to every cold start for loading the service's model, which the few calls here do not
need. What uses :func:`send` signs with botocore's signers.
"""

from __future__ import annotations

import random
import re
import sys
import time
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from chalicelib import call as calls
from chalicelib import settings
from chalicelib.errors import Unavailable
from chalicelib.storage import credentials as stored
from chalicelib.storage import wire
from chalicelib.storage.pool import BadAnswer, Pool

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import urllib3
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    Signed = tuple[str, str, bytes, dict[str, str]]

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


class Reply(NamedTuple):
    """What callers use of an answer, from either of the two kinds of connections."""

    status: int
    data: bytes


class Connections:
    """The connections of this process: our own for the JSON protocols, which devices' first calls need, else urllib3's.

    Importing urllib3 and botocore's signers takes longer than such a call otherwise does.
    """

    def __init__(self) -> None:
        self._own: dict[str, Pool] = {}

    @cached_property
    def _others(self) -> urllib3.PoolManager:
        # Imported here: see above.
        import urllib3

        return urllib3.PoolManager(maxsize=32, retries=False)

    def request(
        self, method: str, url: str, *, body: bytes, headers: dict[str, str], connect: float, read: float
    ) -> Any:
        """Send a request once; returns the answer with its status and data. ``connect`` and ``read`` are in seconds."""
        if "x-amz-target" in headers:
            own = self._own.get(url) or self._own.setdefault(url, Pool(url, _CONNECT))
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            answer = own.exchange(f"{method} / HTTP/1.1\r\n{head}\r\n".encode() + body, read)
            return Reply(answer.status, answer.body)
        # Imported here: see above.
        import urllib3

        timeout = urllib3.Timeout(connect=connect, read=read)
        return self._others.request(method, url, body=body, headers=headers, redirect=False, timeout=timeout)

    def clear(self) -> None:
        """Close idle connections."""
        for own in self._own.values():
            own.close()
        if "_others" in vars(self):
            self._others.clear()


@cache
def pool() -> Connections:
    """The connections of this process."""
    return Connections()


def _failures() -> tuple[type[Exception], ...]:
    """The errors of a connection. Those of urllib3 can occur only after it was imported."""
    urllib3 = sys.modules.get("urllib3")
    return (OSError, BadAnswer) if urllib3 is None else (OSError, BadAnswer, urllib3.exceptions.HTTPError)


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
    url, body = endpoint(service), msgspec.json.encode(payload)
    host = url.partition("//")[2]
    about = wire.Service(service, host, settings.aws().region, version)
    answer: Reply = _insist(lambda: ("POST", url, body, wire.headers(about, target, body, stored.keys(), time.time())))
    content = answer.data
    document: dict[str, Any] = msgspec.json.decode(content) if content else {}
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

    def signed() -> Signed:
        for header in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            del request.headers[header]
        auth.credentials = credentials()
        auth.add_auth(request)
        prepared = request.prepare()
        return prepared.method, prepared.url, prepared.body, dict(prepared.headers.items())

    answer: urllib3.BaseHTTPResponse = _insist(signed, silence, failed)
    return answer


def _insist(
    sign: Callable[[], Signed],
    silence: float = _SILENCE,
    failed: Callable[[urllib3.BaseHTTPResponse], bool] | None = None,
) -> Any:
    last: Exception | None = None
    for attempt in range(_ATTEMPTS):
        left = calls.time_left()
        if left <= 0:
            break
        method, url, body, headers = sign()
        try:
            answer = pool().request(
                method,
                url,
                body=body,
                headers=headers,
                connect=min(_CONNECT, left),
                read=min(silence * 2**attempt, left),
            )
        except _failures() as error:
            last = error
            pool().clear()  # other idle connections may be dead too
        else:
            if _is_expired(answer):
                stored.forget()
            elif not _may_pass(answer) and not (failed is not None and failed(answer)):
                return answer
        pause = random.uniform(0, 0.1 * 2**attempt)  # noqa: S311  # jitter, not a secret
        if attempt == _ATTEMPTS - 1 or pause >= calls.time_left():
            break
        time.sleep(pause)  # noqa: TID251  # shorter than any schedule
    raise Unavailable from last


def _is_expired(answer: urllib3.BaseHTTPResponse | Reply) -> bool:
    """Whether the credentials that signed have expired."""
    return answer.status in {400, 403} and _EXPIRED.search(answer.data or b"") is not None  # HTTP


def _may_pass(answer: urllib3.BaseHTTPResponse | Reply) -> bool:
    """Whether a retry may succeed."""
    if answer.status in _RETRIED:
        return True
    return answer.status == 400 and _THROTTLED.search(answer.data or b"") is not None  # HTTP
