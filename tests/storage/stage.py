"""A real server on loopback that simulates failures of AWS: each request gets the next scripted answer."""

from __future__ import annotations

import json
import threading
import zlib
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

GET: dict[str, Any] = {"TableName": "t", "Key": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
"""A request."""

_KEY = GET["Key"]
WRITES: dict[str, dict[str, Any]] = {
    "PutItem": {"TableName": "t", "Item": _KEY},
    "UpdateItem": {
        "TableName": "t",
        "Key": _KEY,
        "UpdateExpression": "SET #0 = :0",
        "ExpressionAttributeNames": {"#0": "a"},
        "ExpressionAttributeValues": {":0": {"S": "b"}},
    },
    "DeleteItem": GET,
    "BatchWriteItem": {"RequestItems": {"t": [{"DeleteRequest": {"Key": _KEY}}]}},
    "TransactWriteItems": {"TransactItems": [{"Put": {"TableName": "t", "Item": _KEY}}]},
}
"""Requests that write."""

ITEM = {"Item": {"pk": {"S": "a"}}}
"""An answer to it."""


class Visit(BaseHTTPRequestHandler):
    """One connection to the stage. Scripted answers use it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, which would be delayed by 40 ms
    server: Stage

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.visits.append((dict(self.headers.items()), self.body))
        play = self.server.plays.popleft() if self.server.plays else answer({})
        play(self)

    do_GET = do_PUT = do_POST  # noqa: N815  # the standard library's names

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send a complete answer, or one with another content length."""
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), "Date": formatdate(usegmt=True), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Do not log."""


Play = Callable[[Visit], None]


class Stage(ThreadingHTTPServer):
    """A server that gives one scripted answer for each request, and then ``{}``."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.plays: deque[Play] = deque()
        self.visits: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.over = threading.Event()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def will(self, *plays: Play) -> Self:
        """Give these answers next."""
        self.plays.extend(plays)
        return self

    def handle_error(self, *_: object) -> None:
        """Clients may disconnect."""


def answer(content: dict[str, Any] | bytes, status: int = 200, **headers: str) -> Play:
    """An answer in DynamoDB's format, by default with a correct CRC."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def play(visit: Visit) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        visit.say(status, body, {"x-amz-crc32": str(zlib.crc32(body)), "x-amzn-requestid": "THE-ID", **named})

    return play


def refusal(code: str, message: str = "no", status: int = 400, **headers: str) -> Play:
    """An error in DynamoDB's format."""
    content = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    return answer(content, status, **headers)


def cut(visit: Visit) -> None:
    """Read the request, and disconnect."""
    visit.close_connection = True


def cut_short(visit: Visit) -> None:
    """Disconnect in the middle of the answer."""
    visit.say(200, b'{"Item": {', {"Content-Length": "100"})
    visit.close_connection = True


def hang_up_after(visit: Visit) -> None:
    """Answer with keep-alive, and then disconnect, as happens to idle connections."""
    answer({})(visit)
    visit.close_connection = True


def say_nothing(visit: Visit) -> None:
    """Do not answer until the test is over."""
    visit.server.over.wait()
    visit.close_connection = True
