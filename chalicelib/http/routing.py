"""Finds the route of a path by API Gateway's rules, for gateways without routes and on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from chalicelib.http.paths import segments_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalice.app import RouteEntry

    Views = Mapping[str, RouteEntry]


class Match(msgspec.Struct, frozen=True):
    """The resource of the API with a path."""

    template: str
    """The declared path, ``/devices/{id}``."""
    parameters: dict[str, str]
    """Its variables, still percent-encoded, as AWS passes them to a function."""
    views: Views
    """Its views by method."""


class _Node(msgspec.Struct):
    static: dict[str, _Node] = {}
    variable: _Node | None = None
    name: str = ""
    template: str = ""
    views: Views | None = None


class RouteTable:
    """The routes of a Chalice app as a tree of path segments.

    As in API Gateway, a static segment takes precedence over a variable, without backtracking, and one trailing slash
    is ignored.

    Raises:
        ValueError: two variables at the same position have different names, which API Gateway refuses.
    """

    def __init__(self, routes: Mapping[str, Views]) -> None:
        self._root = _Node()
        for template, views in routes.items():
            node = self._root
            for segment in segments_of(template):
                node = _child(node, segment, template)
            node.template, node.views = template, views

    def find(self, path: str) -> Match | None:
        """The resource with a percent-encoded path, in any spelling (see ``paths.plain``).

        If an empty segment could be an empty name, it is one, and names nothing: ``/groups//devices`` are the devices
        of a group without a name, not the group ``devices``.
        """
        node = self._root
        parameters: dict[str, str] = {}
        segments = segments_of(path)
        for at, segment in enumerate(segments):
            if not segment:
                if node.variable is not None and _is_route(node.variable, segments[at + 1 :]):
                    return None
                continue
            following = node.static.get(segment)
            if following is None:
                following = node.variable
                if following is None:
                    return None
                parameters[following.name] = segment
            node = following
        if node.views is None:
            return None
        return Match(node.template, parameters, node.views)


def _is_route(node: _Node, segments: list[str]) -> bool:
    for segment in filter(None, segments):
        following = node.static.get(segment) or node.variable
        if following is None:
            return False
        node = following
    return node.views is not None


def _child(node: _Node, segment: str, template: str) -> _Node:
    if not segment.startswith("{"):
        return node.static.setdefault(segment, _Node())
    name = segment.strip("{}")
    if node.variable is None:
        node.variable = _Node(name=name)
    if node.variable.name != name:
        raise ValueError(f"{template}: the variable at {{{name}}} is called {{{node.variable.name}}} elsewhere")
    return node.variable
