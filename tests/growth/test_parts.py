"""The work of parsing uploads, forms, messages and patterns grows linearly with their size."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.artifacts import rules as artifacts
from chalicelib.artifacts.rules import Candidate
from chalicelib.deployments.rules.targets import Targets
from chalicelib.devauth.rules import identity
from chalicelib.deviceconnect.rules import envelope
from chalicelib.devicemonitor import rules as monitor
from chalicelib.devicemonitor.shapes import Level, NewAlert, Subject
from chalicelib.errors import DomainError
from chalicelib.http import content
from chalicelib.inventory.rules import patterns
from chalicelib.rights import Grant, Permission, Rights, Scope
from tests.artifacts.container.build import parse_bytes
from tests.http.test_multipart import body as form
from tests.http.test_multipart import form_of
from tests.simulator.artifacts import PayloadSpec, draft
from tests.support.operations import SIZES, Operations, _Rewritten, operations, too_fast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def work() -> Iterator[Operations]:
    with operations() as found:
        yield found


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def many(size: int, name: str = "v") -> list[str]:
    return [f"{name}-{each}" for each in range(size)]


def upload(types: list[str], *payloads: PayloadSpec) -> bytes:
    built: bytes = draft("a", types, list(payloads) or [PayloadSpec("m")]).build()
    return built


def conflict(size: int) -> None:
    def one(name: str) -> Candidate:
        return Candidate(name, "app", tuple(many(size, name)), {"slot": tuple(many(size))}, 1, "key", None)

    assert artifacts.conflict([one("a"), one("b")], one("c")) is None


def alert(number: int) -> NewAlert:
    subject = Subject(name=f"s-{number}", type="log", status="x")
    return NewAlert(name="a", level=Level.CRITICAL, subject=subject, timestamp="2026-01-01T00:00:00Z")


def grant_rights(size: int, own: int) -> None:
    """Check whether a user with ``own`` grants may give rights limited to groups and tags."""
    groups, tags = many(size, "g"), many(size, "t")
    may = frozenset({Permission.DEPLOYMENTS_MANAGE})
    given = Rights((Grant(may, scope=Scope(frozenset(groups), frozenset(tags))),))
    parts = [Scope(frozenset(groups), frozenset(tags[each::own])) for each in range(own)]
    assert Rights(tuple(Grant(may, scope=part) for part in parts)).covers(given)
    assert not Rights(tuple(Grant(may, scope=part) for part in parts[1:])).covers(given)


def read_message(properties: dict[str, Any], body: bytes) -> None:
    envelope.decode(envelope.encode(envelope.Message(proto=1, typ="new", props=properties, body=body)))


def quietly(work: Callable[[], object]) -> None:
    try:
        work()
    except (DomainError, envelope.MalformedError):
        return


PARTS: dict[str, Callable[[int], object]] = {
    "s5-two-artifacts-of-a-name": conflict,
    "s5-device-types": lambda size: parse_bytes(upload(many(size))),
    "s5-depends": lambda size: parse_bytes(upload(["pi"], PayloadSpec("m", depends=dict.fromkeys(many(size), "1")))),
    "s5-values-of-a-dependency": lambda size: parse_bytes(upload(["pi"], PayloadSpec("m", depends={"k": many(size)}))),
    "s5-provides": lambda size: parse_bytes(upload(["pi"], PayloadSpec("m", provides=dict.fromkeys(many(size), "1")))),
    "s5-clears": lambda size: parse_bytes(upload(["pi"], PayloadSpec("m", clears=many(size)))),
    "s5-files": lambda size: parse_bytes(upload(["pi"], PayloadSpec("m", files=dict.fromkeys(many(size), b"x")))),
    "s5-metadata": lambda size: parse_bytes(
        upload(["pi"], PayloadSpec("m", metadata={key: [{}] for key in many(size)}))
    ),
    "s5-groups-and-tags-of-rights": lambda size: grant_rights(size, 1),
    "s5-groups-and-tags-of-rights-by-several-roles": lambda size: grant_rights(size, 3),
    "fields-of-a-form": lambda size: quietly(
        lambda: form_of(form(*((each, b"x") for each in many(size)), ("artifact", b"f")))
    ),
    "lines-of-a-part": lambda size: quietly(
        lambda: form_of(form(("description", b"x\r\n--b" * size), ("artifact", b"f")))
    ),
    "ranges-of-accept": lambda size: content.quality(",".join(f"a/b{each};q=0.5" for each in range(size)), "a/b"),
    "json-with-other-names": lambda size: content.decode(
        json.dumps({"NAME": "a", "subject": {"NAME": "b"}, **dict.fromkeys(many(size), "x")}).encode(), dict[str, Any]
    ),
    "identity": lambda size: identity.normalise(json.dumps(dict.fromkeys(many(size), "x"))),
    "targets": lambda size: list(Targets.of(many(size))),
    "alerts": lambda size: monitor.take(monitor.Standing(), map(alert, range(size // 3)), NOW),
    "properties-of-a-message": lambda size: quietly(lambda: read_message(dict.fromkeys(many(size), 1), b"")),
    "body-of-a-message": lambda size: read_message({}, b"x" * 64 * size),
    "tags": lambda size: quietly(lambda: artifacts.read_tags(many(size))),
    "names-of-releases": lambda size: quietly(lambda: artifacts.read_names(many(size))),
    "branches-of-a-pattern": lambda size: quietly(lambda: patterns.of_filter("|".join(many(size))).search("v-1" * 9)),
    "classes-of-a-pattern": lambda size: quietly(lambda: patterns.of_filter("[ab]" * size).search("ab" * size)),
    "repeats-in-a-pattern": lambda size: quietly(lambda: patterns.of_filter("(a+)+" * size + "$").search("a" * 99)),
    "text-that-a-pattern-looks-at": lambda size: patterns.of_filter("/(a|b)+c/").search("ab" * size),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts(work: Operations, part: str) -> None:
    one = PARTS[part]
    one(1)
    counts = [work.of(lambda size=size: one(size)) for size in SIZES]  # type: ignore[misc]  # mypy: a default
    assert counts[0] > 0
    assert not too_fast(counts), counts


SLOW = """
def searched(items):
    found = ()
    for item in items:
        if item not in found:
            found += (item,)

def joined(items):
    found = []
    for item in items:
        found = found + [item]

def cut(items):
    while items:
        items = items[1:]
"""


@pytest.mark.parametrize("name", ["searched", "joined", "cut"])
def test_quadratic_work_is_detected(name: str) -> None:
    counted = Operations()
    names: dict[str, Any] = {"__count_in__": counted._in, "__count_made__": counted._made}
    tree = ast.fix_missing_locations(_Rewritten().visit(ast.parse(SLOW)))
    exec(compile(tree, "slow", "exec"), names)  # noqa: S102  # the code above
    counts = []
    for size in SIZES:
        before = counted.count
        names[name](list(range(size)))
        counts.append(counted.count - before)

    assert too_fast(counts), counts
