"""The app's route table for tests: every operation with its declaration, and a way to call it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2
    from chalice.app import Chalice

    from chalicelib.http.endpoint import EndpointSpec

NOTHING = "6d5f0b4e-0000-4000-8000-000000000001"
"""An id that nothing has."""

_VARIABLE = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Route:
    """A method and a path template."""

    spec: EndpointSpec

    @property
    def name(self) -> str:
        """``METHOD /path`` as declared in the code."""
        return f"{self.spec.method} {self.spec.path}"

    @property
    def variables(self) -> list[str]:
        """The names of the path's variables, in order."""
        return _VARIABLE.findall(self.spec.path)

    def uri(self, values: Mapping[str, str] | None = None) -> str:
        """The public path; variables without a value get an id that does not exist."""
        filled = dict.fromkeys(self.variables, NOTHING) | dict(values or {})
        return "/api" + _VARIABLE.sub(lambda found: quote(filled[found[1]], safe=""), self.spec.path)

    def call(
        self,
        client: httpx2.Client,
        values: Mapping[str, str] | None = None,
        *,
        body: Any = ...,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx2.Response:
        """Call it; ``body`` is sent as JSON, ``...`` means no body."""
        sent = dict(headers or {})
        content = None
        if body is not ...:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return client.request(self.spec.method, self.uri(values), content=content, headers=sent, **more)


def routes(app: Chalice) -> Iterator[Route]:
    """Every operation of the app, by path and method."""
    for path, views in sorted(app.routes.items()):
        for method, view in sorted(views.items()):
            spec: EndpointSpec | None = getattr(view.view_function, "endpoint_spec", None)
            assert spec is not None, f"{method} {path} is not declared with @user_route, @device_route or @public_route"
            assert (spec.method, spec.path) == (method, path)
            yield Route(spec)
