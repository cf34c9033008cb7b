"""The bodies in ``docs/rollouts.md`` can be copied: they have the shapes of their calls, and the server takes them.

A body there, in a block or in a text, belongs to the call that the page names last before it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from app import app
from chalicelib.deployments.shapes import NewRetry
from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployments.world import World

PAGE = ROOT / "docs" / "rollouts.md"
CALL = r"\b(?P<method>GET|POST|PUT|PATCH|DELETE) (?P<path>/api/[\w{}/]+)"
CURL = r"^```\ncurl -X (?P<curl_method>[A-Z]+)(?P<curl>.*?)^```"
BLOCK = r"^ *```\n(?P<block> *\{.*?)^ *```"
INLINE = r"`(?P<inline>\{\"[^`]*)`"
PART = re.compile(f"{CURL}|{BLOCK}|{INLINE}|{CALL}", re.MULTILINE | re.DOTALL)
OPTIONAL = {"POST /api/management/v1/deployments/deployments/{id}/retry": NewRetry}
"""The shapes of bodies that may be empty, which handlers decode themselves."""


class Body(NamedTuple):
    """A body on the page, with the call that it belongs to."""

    call: str
    text: str


def found(page: str) -> Iterator[Body]:
    call = ""
    for part in PART.finditer(page):
        if part["method"]:
            call = f"{part['method']} {part['path']}"
        elif part["curl"]:
            [text] = re.findall(r"-d '(.*?)'", part["curl"], re.DOTALL)
            [path] = re.findall(r"\$SERVER(/api/[\w/]+)", part["curl"])
            yield Body(f"{part['curl_method']} {path}", text)
        else:
            yield Body(call, part["block"] or part["inline"])


BODIES = list(found(PAGE.read_text()))


def shape(call: str) -> Any:
    """The shape of the body of a call."""
    if call in OPTIONAL:
        return OPTIONAL[call]
    method, path = call.split()
    return app.routes[path.removeprefix("/api")][method].view_function.endpoint_spec.body  # type: ignore[attr-defined]


def test_all_bodies_of_the_page_are_found() -> None:
    assert len(BODIES) >= PAGE.read_text().count("```\n{") + 10
    assert {body.call.split()[0] for body in BODIES} <= {"POST", "PUT", "PATCH"}


@pytest.mark.parametrize("body", BODIES, ids=map(str, range(1, len(BODIES) + 1)))
def test_bodies_have_the_shape_of_their_call(body: Body) -> None:
    msgspec.json.decode(body.text, type=shape(body.call))


def test_a_wrong_member_would_be_noticed() -> None:
    [body] = found('`POST /api/management/v1/deployments/deployments/{id}/rollout`: `{"action": "pause", "why": ""}`')
    with pytest.raises(msgspec.ValidationError, match="why"):
        msgspec.json.decode(body.text, type=shape(body.call))


def test_the_server_previews_the_deployments_of_the_page(world: World) -> None:
    """Except those with a fixed time, which may have passed."""
    world.upload("release-7")
    for _ in range(20):  # so that 5 % are a device
        world.device()
    group = "/api/management/v1/inventory/groups/production/devices"
    assert world.api.patch(group, json=[device.id for device in world.devices]).status_code == 200
    asked = 0
    for body in BODIES:
        if "artifact_name" in body.text and not body.call.endswith("retry") and "start_ts" not in body.text:
            url = body.call.split()[1].replace("{name}", "production")
            answer = world.api.post(url, params={"dry_run": "true"}, json=json.loads(body.text))
            assert answer.status_code == 200, (body, answer.text)
            assert answer.json()["devices"] == 20
            asked += 1
    assert asked > 3
