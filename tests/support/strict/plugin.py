"""Checks every request of this process to AWS, and fails a test whose request AWS would refuse.

Requests of the app's transports are checked in the functions that all of their calls use; those of boto3, botocore and
Chalice at botocore's events. ``tests/conftest.py`` imports the hooks below, so this is active in every run.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import botocore.auth
import botocore.handlers
import msgspec
import pytest
from botocore.handlers import REGISTER_LAST

from chalicelib.aws import client, push
from chalicelib.storage.transport import Transport
from tests.support.strict import applied, models, rest
from tests.support.strict.dynamodb import DynamoDB
from tests.support.strict.rules import Broken, Found, Rule, found
from tests.support.strict.services import Services, check_link

_ROOT: Final = Path(__file__).parents[3]
_UNINTERESTING: Final = ("chalicelib/storage/", "chalicelib/aws/", "tests/support/strict/", ".venv")
_TARGETS: Final = {"AmazonSQS": "sqs", "AmazonSSM": "ssm", "DynamoDB_20120810": "dynamodb"}
_CONNECTIONS: Final = "/@connections/"


class Tally(msgspec.Struct):
    """Counts of checks: ``requests`` by operation, ``members`` of models by structure, kinds ``seen`` (``applied``)."""

    requests: dict[str, int] = {}
    members: dict[str, int] = {}
    seen: list[str] = []

    def __add__(self, other: Tally) -> Tally:
        """The sum of both."""
        requests = dict(Counter(self.requests) + Counter(other.requests))
        return Tally(requests, self.members | other.members, sorted({*self.seen, *other.seen}))

    def __str__(self) -> str:
        idle = applied.idle(set(self.seen))
        held = (
            f"AWS's rules: {sum(self.requests.values())} requests of {len(self.requests)} operations held against "
            f"{len(Rule) - len(idle)} rules and {sum(self.members.values())} members of models"
        )
        nothing = ", ".join(rule.name for rule in idle)
        return f"{held}; no request was of the kind that these judge: {nothing}" if idle else held


class Checker:
    """Checks requests against all rules, and counts them."""

    def __init__(self, into: Found) -> None:
        self.requests: Counter[str] = Counter()
        self.elsewhere = Tally()
        """The counts of other processes of the same test session."""
        self._into = into
        self._dynamodb = DynamoDB()
        self._models = models.Models()
        self._services = Services()
        self._lock = Lock()

    def tally(self) -> Tally:
        """The counts so far, of all processes."""
        here = Tally(
            dict(self.requests),
            self._dynamodb.models.members | self._models.members,
            sorted({*self._dynamodb.seen, *self._services.seen, *self.requests}),
        )
        return here + self.elsewhere

    def _complaint(self, service: str, operation: str) -> models.Complain:
        def complain(detail: str, rule: Rule = Rule.MODEL) -> None:
            broken = Broken(rule, detail, f"{service}:{operation}", where=_sender())
            if rule in {Rule.MODEL, Rule.HTTP}:
                broken = replace(broken, page=models.page(service, operation))
            self._into.add(broken)

        with self._lock:
            self.requests[f"{service}:{operation}"] += 1
        return complain

    def call(self, service: str, operation: str, params: dict[str, Any]) -> None:
        """Check an operation's parameters."""
        complain = self._complaint(service, operation)
        if service == "dynamodb":
            with self._lock:  # it contains descriptions of tables
                self._dynamodb.check(operation, params, complain)
            return
        self._models.check(service, operation, params, complain)
        self._services.check(service, operation, params, complain)

    def http(self, service: str, request: Any) -> None:
        """Check a request as it is sent."""
        service = {"ses": "sesv2", "execute-api": "apigatewaymanagementapi"}.get(service, service)
        url, labels = _plain(service, request.url)
        try:
            operation, params = rest.read(service, request.method, url, request.headers, request.data, labels)
        except rest.NoOperationError as error:
            self._complaint(service, error.operation or request.method)(str(error), error.rule)
            return
        self.call(service, operation, params)

    def json(self, target: str, payload: dict[str, Any], version: str) -> None:
        """Check a call of a JSON protocol."""
        prefix, _, operation = target.partition(".")
        service = _TARGETS.get(prefix, "")
        known = models.service(service) if service else None
        if known is None or operation not in known.operation_names:
            self._complaint(service, operation)(f"{target} is no operation", Rule.HTTP)
            return
        if version != known.metadata["jsonVersion"]:
            self._complaint(service, operation)(f"version {version} of the protocol", Rule.HTTP)
        self.call(service, operation, payload)

    def link(self, request: Any, life: int) -> None:
        """Check a link to S3 that is about to be signed."""
        check_link(life, self._complaint("s3", "link"))
        self.http("s3", request)


def _plain(service: str, url: str) -> tuple[str, dict[str, str]]:
    """The URL in the form of the model, and the removed labels."""
    parts = urlsplit(url)
    path, labels = parts.path, {}
    if service == "s3":
        if virtual := re.match(r"([^/]+)\.s3[.-]", parts.netloc):
            labels["Bucket"] = virtual[1]
        else:
            bucket, _, key = path.lstrip("/").partition("/")
            labels["Bucket"], path = unquote(bucket), f"/{key}"
    elif service == "apigatewaymanagementapi" and _CONNECTIONS in path:
        path = _CONNECTIONS + path.partition(_CONNECTIONS)[2]
    return parts._replace(path=path).geturl(), labels


def _sender() -> str:
    """The lines of the project's code that sent the request, innermost first."""
    lines: list[str] = []
    at: Any = sys._getframe(1)
    while at is not None and len(lines) < 3:
        name = at.f_code.co_filename
        if name.startswith(str(_ROOT)):
            relative = str(Path(name).relative_to(_ROOT))
            if not relative.startswith(_UNINTERESTING):
                lines.append(f"{relative}:{at.f_lineno}")
        at = at.f_back
    return ", ".join(lines) or "another thread"


checker = Checker(found)
"""Of this process."""


def install(into: Checker) -> Callable[[], None]:
    """Check this process's requests; returns a function that stops it."""
    patch = pytest.MonkeyPatch()
    real_call, real_json, real_send, real_push = Transport.call, client.call, client.send, push.send
    real_link = botocore.auth.S3SigV4QueryAuth.add_auth

    def call(self: Transport, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        into.call("dynamodb", operation, request)
        return real_call(self, operation, request)

    def by_json(service: str, target: str, payload: dict[str, Any], *, version: str = "1.1") -> dict[str, Any]:
        into.json(target, payload, version)
        return real_json(service, target, payload, version=version)

    def send(auth: Any, request: Any, **more: Any) -> Any:
        into.http(auth._service_name, request)
        return real_send(auth, request, **more)

    def deliver(endpoint: str, connection: str, text: str) -> bool:
        if push._here:  # otherwise it is sent and checked then
            about = {"ConnectionId": connection, "Data": text}
            into.call("apigatewaymanagementapi", "PostToConnection", about)
        return real_push(endpoint, connection, text)

    def add_auth(self: Any, request: Any) -> None:
        into.link(request, self._expires)
        real_link(self, request)

    def of_boto(params: dict[str, Any], model: Any, **_: Any) -> None:
        into.call(model.service_model.service_name, model.name, params)

    patch.setattr(Transport, "call", call)
    patch.setattr(client, "call", by_json)
    patch.setattr(client, "send", send)
    patch.setattr(push, "send", deliver)
    patch.setattr(botocore.auth.S3SigV4QueryAuth, "add_auth", add_auth)
    handler: Any = ("before-parameter-build", of_boto, REGISTER_LAST)
    patch.setattr(botocore.handlers, "BUILTIN_HANDLERS", [*botocore.handlers.BUILTIN_HANDLERS, handler])
    return patch.undo


def allowing() -> AbstractContextManager[None]:
    """Allow requests that AWS would refuse."""
    return found.allowing()


# Hooks of pytest.


def pytest_configure(config: pytest.Config) -> None:
    """Check the whole session."""
    config.addinivalue_line("markers", "refused_by_aws: the test sends what AWS refuses, to see what comes of it")
    config.add_cleanup(install(checker))


def _judged(item: pytest.Item) -> None:
    broken = found.take()
    if broken and item.get_closest_marker("refused_by_aws") is None:
        raise AssertionError("\n\n".join(dict.fromkeys(map(str, broken))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Report requests of fixtures."""
    yield
    _judged(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Report requests of the test, after its own failures."""
    yield
    _judged(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Report requests of the teardown."""
    yield
    _judged(item)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist sends its counts to the controller."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["strict"] = msgspec.to_builtins(checker.tally())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The controller adds up the counts."""
    if (told := getattr(node, "workeroutput", {}).get("strict")) is not None:  # a crashed worker has sent none
        checker.elsewhere += msgspec.convert(told, Tally)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts."""
    if (tally := checker.tally()).requests:
        terminalreporter.write_line(str(tally))
