"""Uploads of artifacts that are too large for a Lambda function: the relay streams them to the bucket.

It uses the public API with the caller's own token: it requests a link, writes the object, completes the upload, and
polls until the worker has verified it. The answer is therefore the API's own, whether the artifact was accepted or
refused.

A link takes only a file of known length. The length comes from the form's ``size``, as mender-cli sends it, or from the
request's ``Content-Length`` minus the rest of the form; a short file of unknown length is buffered first.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib import limits
from infra.relay.answers import Answers
from infra.relay.forms import Form, FormError, read_form
from infra.relay.sockets import address, credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Scope = dict[str, Any]
    Read = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

log = logging.getLogger("relay.uploads")

PATH = "/api/management/v1/deployments/artifacts"
AT_ONCE = 16
"""Simultaneous uploads; further ones wait."""
EACH = 4
"""Simultaneous uploads of one token, so that one caller's slow uploads do not block others."""
SECONDS = 3900.0
"""Seconds for a file to arrive: the lifetime of its link and a few minutes more."""
COLLECTED = 8 * limits.MIB
"""Maximum bytes of a file of unknown length, which is buffered."""
ASK_AGAIN = (0.2, 0.3, 0.5, 1.0, 2.0)
"""Seconds between two polls for the result; the last value is repeated."""
PATIENCE = 55.0
"""Maximum seconds until the result; CloudFront gives up after 60."""
LINGER_BYTES = 64 * limits.MIB
LINGER_SECONDS = 5.0
_SECONDS = 60
_MOST = limits.LAMBDA_PAYLOAD
_PASSED = ("allow", "cache-control", "content-type", "link", "retry-after", "www-authenticate", "x-total-count")
_FIELDS = frozenset({"artifact_id", "description", "size"})
_SHORT = "reading artifact error: the file is shorter than the given size"


class Answered(Exception):  # an outcome, not an error
    """The API refused; its answer becomes the upload's."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Call:
    """An answer of the API."""

    status: int
    headers: Message
    body: bytes


class Api:
    """Calls the REST API at ``url``, and writes to the bucket through links."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None, *, patience: float = PATIENCE) -> None:
        """``patience``: seconds that an upload may wait for its artifact to be verified."""
        self._url = url
        self._tls = tls
        self.patience = patience
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")
        self._callers: Counter[str] = Counter()

    @contextmanager
    def turn(self, headers: Mapping[str, str]) -> Iterator[None]:
        """Count an upload of an authenticated caller while the block runs.

        Raises:
            FormError: the caller already has the maximum.
        """
        # Count by a token's claims, as the rest of it can be written in several ways. All cookies count as one caller.
        caller = "".join(headers.get("Authorization", "").split(".")[1:2])
        if self._callers[caller] >= EACH:
            raise FormError(429, "too many uploads at the same time; try again later")
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            self._callers += Counter()  # removes counts of 0

    async def call(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Call:
        """Call the API.

        Raises:
            OSError: it can't be reached.
        """
        sent = {"Content-Type": "application/json", **headers}
        return await asyncio.to_thread(self._send, method, self._url + path, sent, body)

    async def put(self, url: str, length: int, file: AsyncIterator[bytes]) -> int:
        """Write ``length`` bytes to a link as they arrive; returns the bucket's status.

        Raises:
            FormError: the form is incomplete.
            OSError: the bucket can't be reached.
        """
        loop = asyncio.get_running_loop()
        headers = {"Content-Length": str(length), "Content-Type": "application/vnd.mender-artifact"}
        pieces = _pulled(file, loop)
        answer = await loop.run_in_executor(self._threads, self._send, "PUT", url, headers, pieces)
        return answer.status

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | Iterator[bytes]) -> Call:
        place = urlsplit(url)
        target = f"{place.path}?{place.query}" if place.query else place.path
        connection = self._connect(place.scheme, place.netloc)
        try:
            try:
                connection.request(method, target, body=body, headers=dict(headers))
            except (BrokenPipeError, ConnectionResetError):
                if method != "PUT":
                    raise
                # The bucket refused in the middle of the file, and may have answered.
            answer = connection.getresponse()
            return Call(answer.status, answer.headers, answer.read(_MOST))
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def _connect(self, scheme: str, host: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, timeout=_SECONDS, context=self._tls)
        return http.client.HTTPConnection(host, timeout=_SECONDS)


def _pulled(file: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    """The file, for another thread. Nothing is read ahead, so a slow bucket slows the client down."""

    async def following() -> bytes:
        return await anext(file, b"")

    while piece := asyncio.run_coroutine_threadsafe(following(), loop).result():
        yield piece


async def upload(scope: Scope, read: Read, send: Send, api: Api) -> None:
    """``POST .../artifacts``: a form with an artifact."""
    answers = Answers(scope, send)
    try:
        artifact_id, is_verified = await _upload(scope, read, api, answers.request_id)
    except Answered as refused:
        await _refuse(answers, read, refused.status, refused.body)
    except FormError as error:
        await _refuse(answers, read, error.status, {"error": str(error)})
    except OSError as error:
        log.warning("an upload failed: %s", error)
        await _refuse(answers, read, 503, {"error": "service unavailable"})
    else:
        # 202: the file has been received, and the artifact appears once the worker has verified it.
        status = 201 if is_verified else 202
        await answers.begin(status, {"location": f"{PATH}/{artifact_id}", "content-length": "0"})
        await answers.body(b"")


async def pass_on(scope: Scope, read: Read, send: Send, api: Api) -> None:
    """Pass other methods at this path on to the API: an edge that routes by path alone sends them here too."""
    answers = Answers(scope, send)
    query = scope["query_string"].decode("latin-1")
    headers = credentials(scope) | {"X-Forwarded-For": address(scope), "X-MEN-RequestID": answers.request_id}
    try:
        answer = await api.call(scope["method"], f"{PATH}?{query}" if query else PATH, headers)
    except OSError:
        await _refuse(answers, read, 503, {"error": "service unavailable"})
        return
    passed = {name: ", ".join(answer.headers.get_all(name, ())) for name in _PASSED}
    await answers.begin(answer.status, passed | {"content-length": str(len(answer.body))})
    await answers.body(answer.body)


async def _refuse(answers: Answers, read: Read, status: int, body: dict[str, Any]) -> None:
    """Answer, and read more of the file: a client that is cut off while sending may not see the answer."""
    await answers.refuse(status, body, more=True)
    left = LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await read()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body"):
                    break
    await answers.body(b"")


async def _upload(scope: Scope, read: Read, api: Api, request_id: str) -> tuple[str, bool]:
    """Returns the artifact's id, and whether the artifact already exists."""
    headers = credentials(scope) | {"X-Forwarded-For": address(scope), "X-MEN-RequestID": request_id}
    form = await read_form(scope, read, fields=_FIELDS, file="artifact", most=limits.ARTIFACT_UPLOAD)
    # The API checks the caller and the fields before the file is sent.
    link = _good(await api.call("POST", f"{PATH}/directupload", headers, json.dumps(form.fields).encode()))
    with api.turn(headers):
        length, file = await _measured(scope, form)
        if length > limits.UPLOAD_LINK:
            raise FormError(413, "Artifact file too large for one upload by a link")
        status = await api.put(link["uri"], length, _exactly(file, length))
    if status != 200:  # HTTP
        raise ConnectionError(f"the bucket answered {status}")
    place = f"{PATH}/directupload/{link['id']}"
    _good(await api.call("POST", f"{place}/complete", headers))
    return str(link["id"]), await _verified(api, place, headers)


async def _measured(scope: Scope, form: Form) -> tuple[int, AsyncIterator[bytes]]:
    """The file's length, and the file.

    Raises:
        FormError: its length is not known, and it is too long to buffer.
    """
    if size := int(form.fields.get("size", "").strip() or 0):
        return size, form.file
    said = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
    if said.isdecimal():
        return max(0, int(said) - form.frame), form.file
    collected = bytearray()
    async for piece in form.file:
        collected += piece
        if len(collected) > COLLECTED:
            raise FormError(411, "size: a file of this length needs this field in front of it, or a Content-Length")
    return len(collected), _whole(bytes(collected))


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _exactly(file: AsyncIterator[bytes], length: int) -> AsyncIterator[bytes]:
    """The first ``length`` bytes.

    Raises:
        FormError: there are fewer, or they do not arrive in time.
    """
    left, ends = length, asyncio.get_running_loop().time() + SECONDS
    while left > 0:
        try:
            async with asyncio.timeout_at(ends):
                piece = (await anext(file, b""))[:left]
        except TimeoutError:
            raise FormError(408, "the file did not arrive in time") from None
        if not piece:
            raise FormError(400, _SHORT)
        left -= len(piece)
        yield piece


async def _verified(api: Api, place: str, headers: Mapping[str, str]) -> bool:
    """Wait until the worker has verified the file; False if that takes too long.

    Raises:
        Answered: it is not an artifact that the tenant can have.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(api.patience):
            await _verdict(api, place, headers)
            return True
    return False


async def _verdict(api: Api, place: str, headers: Mapping[str, str]) -> None:
    for pause in chain(ASK_AGAIN, repeat(ASK_AGAIN[-1])):
        found = _good(await api.call("GET", place, headers))
        if found["status"] == "refused":
            refusal = found["refusal"]
            raise Answered(refusal.pop("status"), refusal)
        if found["status"] == "accepted":
            return
        await asyncio.sleep(pause)


def _good(answer: Call) -> dict[str, Any]:
    """The JSON of a successful answer.

    Raises:
        Answered: the API refused.
        ConnectionError: the answer does not come from the API.
    """
    try:
        document = json.loads(answer.body or b"{}")
    except ValueError as error:
        raise ConnectionError(f"the API answered {answer.status}") from error
    if not isinstance(document, dict) or answer.status >= 500:  # HTTP
        raise ConnectionError(f"the API answered {answer.status}")
    if answer.status >= 400:  # HTTP
        raise Answered(answer.status, document)
    return document
