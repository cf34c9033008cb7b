"""The modules of routes, by the prefix of their paths.

On Lambda a module is imported at the first call for one of its paths, so a function that only devices call never loads
the management API. Code that needs the whole table (a deployment, the local gateway, tests) gets it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from chalice.app import Chalice

from chalicelib import access
from chalicelib.http.access import use

if TYPE_CHECKING:
    from chalicelib.http.routing import RouteTable

use(access)

AnswerEvent = Callable[[Any, Any], Any]
"""Answers an event in its Lambda context."""

MODULES: Final = {
    "/devices/v1/authentication": ("devauth.devices_v1",),
    "/devices/v1/deployments": ("artifacts.devices_v1", "deployments.devices_v1"),
    "/devices/v1/deviceconfig": ("deviceconfig.devices_v1",),
    "/devices/v1/deviceconnect": ("deviceconnect.devices_v1",),
    "/devices/v1/devicemonitor": ("devicemonitor.devices_v1",),
    "/devices/v1/inventory": ("inventory.devices_v1",),
    "/devices/v2/deployments": ("deployments.devices_v2",),
    "/management/v1/auditlogs": ("auditlogs.management_v1",),
    "/management/v1/console": ("console.management_v1", "cost.management_v1", "overview.management_v1"),
    "/management/v1/deployments": (
        "artifacts.management_v1",
        "deployments.management_v1.deployments",
        "deployments.management_v1.devices",
    ),
    "/management/v1/deviceconfig": ("deviceconfig.management_v1",),
    "/management/v1/deviceconnect": ("deviceconnect.management_v1",),
    "/management/v1/devicemonitor": ("devicemonitor.management_v1",),
    "/management/v1/inventory": ("inventory.management_v1",),
    "/management/v1/iot-manager": ("integrations.management_v1",),
    "/management/v1/tenantadm": ("tenantadm.management_v1.tenants",),
    "/management/v1/useradm": (
        "roles.management_v1",
        "tenantadm.management_v1.users",
        "useradm.management_v1.accounts",
        "useradm.management_v1.sso",
        "useradm.management_v1.tenancy",
        "useradm.management_v1.twofactor",
        "useradm.management_v1.users",
    ),
    "/management/v1alpha1/deployments": ("artifacts.management_v1alpha1", "deployments.management_v1alpha1"),
    "/management/v2/deployments": ("artifacts.management_v2", "deployments.management_v2"),
    "/management/v2/devauth": ("devauth.management_v2.acceptance", "devauth.management_v2.devices"),
    "/management/v2/inventory": ("inventory.management_v2",),
    "/management/v2/tenantadm": ("metrics.management_v2", "tenantadm.management_v2"),
    "/management/v2/useradm": ("roles.management_v2", "useradm.management_v2"),
    "/management/v2alpha1/inventory": ("inventory.management_v2alpha1",),
    "/openapi.json": ("reference.pages",),
    "/ui": ("console.pages",),
}
"""Prefixes of paths, and the modules below ``chalicelib`` whose blueprint ``bp`` declares them."""

_PARTS: Final = 4
"""The number of segments of a path up to the service."""


def prefix_of(path: str) -> str:
    """Audience, version and service of a path; for the console's files the first segment."""
    parts = path.split("/", _PARTS)
    return "/ui" if parts[1:2] == ["ui"] else "/".join(parts[:_PARTS])


class App(Chalice):
    """A Chalice app that on Lambda imports routes when they are first called, and elsewhere all at once."""

    def __init__(self, app_name: str, *, lazy: bool) -> None:
        """``lazy``: import modules when they are first called."""
        # The logger of this name is ours (chalicelib/observability.py): Chalice must not give it another handler.
        super().__init__(app_name=app_name, configure_logs=False)
        self._waiting = dict(MODULES)
        self._views: dict[tuple[str, str], AnswerEvent] = {}
        self._table: RouteTable | None = None
        if not lazy:
            for prefix in MODULES:
                self._load(prefix)

    def __call__(self, event: Any, context: Any) -> Any:
        """Handle an event of a REST API, which has found the route, or of a gateway that leaves this to the app."""
        place = event["requestContext"]
        known = self._views.get((place.get("resourcePath"), place.get("httpMethod")))
        if known is not None:
            return known(event, context)
        route = place.get("resourcePath") or ""
        if not route.startswith("/"):
            return self._by_another_gateway(event, context)
        self._load(route)
        return self._answer(event, context)

    def _answer(self, event: Any, context: Any) -> Any:
        """Answer an event of a REST API with the view that declares its route (``chalicelib.http.endpoint``)."""
        place = event["requestContext"]
        route, method = place["resourcePath"], place["httpMethod"]
        view = self.routes.get(route, {}).get(method)
        if view is None:
            return super().__call__(event, context)  # which refuses it
        answer: AnswerEvent = vars(view.view_function)["answer"]
        self._views[route, method] = answer
        return answer(event, context)

    def _by_another_gateway(self, event: Any, context: Any) -> Any:
        # Imported here because calls of the REST API do not need it.
        from chalicelib.http import gateway_events
        from chalicelib.http.paths import plain
        from chalicelib.http.routing import RouteTable

        self._load(plain(gateway_events.path_of(event)))
        if self._table is None:
            self._table = RouteTable(self.routes)
        return gateway_events.serve(event, self._table, lambda call: self._answer(call, context))

    def _load(self, path: str) -> None:
        """Import the modules for a path."""
        for name in self._waiting.pop(prefix_of(path), ()):
            self._table = None
            self.register_blueprint(import_module(f"chalicelib.{name}").bp)
