"""Every route of the app, and a value for every variable in a path."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chalicelib.http.endpoint import EndpointSpec

PUBLIC = {
    "POST /devices/v1/authentication/auth_requests",  # a device without a token asks for one
    "POST /management/v1/useradm/auth/login",  # as does a user
}
"""The routes that need no token."""


@dataclass(frozen=True)
class Route:
    """One method of one path. ``name`` as in ``GET /management/...``."""

    method: str
    path: str
    spec: EndpointSpec

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, values: Mapping[str, str]) -> str:
        """The public path, with ``values`` (by name) for its variables and something unknown for the rest."""
        parts = []
        for part in self.path.split("/"):
            if part.startswith("{"):
                name = part.strip("{}")
                parts.append(values.get(name, str(uuid.uuid4())))
            else:
                parts.append(part)
        return "/api" + "/".join(parts)


def routes() -> list[Route]:
    """Every route, sorted."""
    import app

    return sorted(
        (
            Route(method, path, getattr(entry.view_function, "endpoint_spec"))  # noqa: B009  # mypy sees a plain function
            for path, methods in app.app.routes.items()
            for method, entry in methods.items()
        ),
        key=lambda route: route.name,
    )
