"""A small Chalice app for tests of the gateway and the workers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from chalice.app import Chalice, Rate, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUEUES = """
Parameters: { Stage: { Type: String } }
Resources:
  Dead:
    Type: AWS::SQS::Queue
    Properties: { QueueName: !Sub "lamplighter-${Stage}-dead" }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "lamplighter-${Stage}-jobs"
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { VersioningConfiguration: { Status: Enabled } }
"""
"""The template of what the stub app needs."""


@dataclass
class Spec:
    """The attributes of views that the app's decorators set and the gateway reads."""

    streams_body: bool = True
    stream_limit: int | None = 300 * 1024 * 1024


@dataclass
class Stub:
    """The app, the calls of its functions, and their configured behaviour."""

    app: Chalice = field(default_factory=lambda: Chalice(app_name="stub"))
    release: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    handled: list[str] = field(default_factory=list)
    """The ids of devices and things whose calls were run, in their order."""
    fired: list[dict[str, Any]] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    handle: Callable[[list[dict[str, Any]]], Any] = lambda records: None
    read: Callable[[BinaryIO], Response] = lambda body: Response("")
    streams: dict[str, BinaryIO] = field(default_factory=dict)
    spec: Spec = field(default_factory=Spec)

    @property
    def request(self) -> Request:
        """The request that this thread works on."""
        current = self.app.current_request
        assert current
        return current

    @contextmanager
    def attach(self, request_id: str, stream: BinaryIO) -> Iterator[None]:
        """What the app's ``attach_stream`` does."""
        self.streams[request_id] = stream
        try:
            yield
        finally:
            del self.streams[request_id]


def build() -> Stub:
    stub = Stub()
    _routes(stub)
    _odd_routes(stub)
    _events(stub)
    return stub


def _routes(stub: Stub) -> None:
    app = stub.app

    @app.route("/devices/{id}/echo", methods=["GET", "PUT", "DELETE"])
    def echo(id: str) -> dict[str, Any]:
        event: dict[str, Any] = stub.request._event_dict
        stub.handled.append(id)
        return {"id": id, "event": event}

    @app.route("/things/{id}")
    def thing(id: str) -> dict[str, str]:
        stub.handled.append(id)
        return {"view": "variable", "id": id}

    @app.route("/things/special")
    def special() -> dict[str, str]:
        return {"view": "static"}

    @app.route("/body", methods=["POST"], content_types=["application/json", "text/plain"])
    def body() -> dict[str, Any]:
        return {"length": len(stub.request.raw_body)}

    @app.route("/binary", methods=["POST"], content_types=["application/octet-stream"])
    def binary() -> Response:
        raw = stub.request.raw_body
        return Response(raw, headers={"Content-Type": "application/octet-stream"})

    @app.route("/upload", methods=["POST"], content_types=["multipart/form-data", "application/json"])
    def upload() -> Response:
        stream = stub.streams.get(stub.request.context["requestId"])
        return stub.read(stream) if stream else Response({"buffered": len(stub.request.raw_body)})

    vars(upload)["endpoint_spec"] = stub.spec
    app.api.binary_types.append("multipart/form-data")


def _odd_routes(stub: Stub) -> None:
    app = stub.app

    @app.route("/nothing")
    def nothing() -> Response:
        return Response("", status_code=204)

    @app.route("/several")
    def several() -> Response:
        return Response("ok", headers={"Link": ["<a>; rel=next", "<b>; rel=last"], "Content-Type": "text/plain"})

    @app.route("/large/{size}")
    def large(size: str) -> Response:
        return Response("x" * int(size), headers={"Content-Type": "text/plain"})

    @app.route("/broken")
    def broken() -> Response:
        return Response(b"bytes", headers={"Content-Type": "text/plain"})

    @app.route("/slow")
    def slow() -> dict[str, str]:
        stub.reached.set()
        stub.release.wait(60)
        return {}


def _events(stub: Stub) -> None:
    app = stub.app

    @app.schedule(Rate(1, unit=Rate.MINUTES), name="tick")
    def tick(event: Any) -> None:
        stub.fired.append(event.to_dict())
        stub.reached.set()

    @app.on_sqs_message(queue="lamplighter-local-jobs", batch_size=5, name="jobs")
    def jobs(event: Any) -> Any:
        records = event.to_dict()["Records"]
        stub.batches.append([record["body"] for record in records])
        stub.reached.set()
        return stub.handle(records)
