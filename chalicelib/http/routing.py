"""Finds the route of a path, as API Gateway does: for front doors that know no routes, and on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalice.app import RouteEntry

    Views = Mapping[str, RouteEntry]


class Match(msgspec.Struct, frozen=True):
    """A resource of the API that a path names."""

    template: str
    """The path as declared, ``/devices/{id}``."""
    parameters: dict[str, str]
    """Its variables. Still percent-encoded, as AWS hands them to a function."""
    views: Views
    """What it answers to, by verb."""


class _Node(msgspec.Struct):
    static: dict[str, _Node] = {}
    variable: _Node | None = None
    name: str = ""
    template: str = ""
    views: Views | None = None


class RouteTable:
    """The routes of a Chalice app as a tree of path segments.

    Like API Gateway, a static segment wins over a variable and is not reconsidered further down, and one
    trailing slash makes no difference.

    Raises:
        ValueError: two variables at the same position have different names, which API Gateway refuses.
    """

    def __init__(self, routes: Mapping[str, Views]) -> None:
        self._root = _Node()
        for template, views in routes.items():
            node = self._root
            for segment in _segments(template):
                node = _child(node, segment, template)
            node.template, node.views = template, views

    def find(self, path: str) -> Match | None:
        """The resource that a raw (percent-encoded) path names."""
        node = self._root
        parameters: dict[str, str] = {}
        for segment in _segments(path):
            following = node.static.get(segment)
            if following is None:
                following = node.variable
                if following is None or not segment:
                    return None
                parameters[following.name] = segment
            node = following
        if node.views is None:
            return None
        return Match(node.template, parameters, node.views)


def _segments(path: str) -> list[str]:
    return path.removesuffix("/").split("/")[1:]


def _child(node: _Node, segment: str, template: str) -> _Node:
    if not segment.startswith("{"):
        return node.static.setdefault(segment, _Node())
    name = segment.strip("{}")
    if node.variable is None:
        node.variable = _Node(name=name)
    if node.variable.name != name:
        raise ValueError(f"{template}: the variable at {{{name}}} is called {{{node.variable.name}}} elsewhere")
    return node.variable
