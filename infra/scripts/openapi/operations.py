"""The description of one operation, from its route."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import msgspec

from chalicelib.http.identity import Auth
from chalicelib.http.request import Reply
from chalicelib.http.signin import SignIn
from chalicelib.rights import Permission
from infra.scripts.openapi import bodies, parameters, prose

if TYPE_CHECKING:
    from collections.abc import Callable

    from chalicelib.http.endpoint import EndpointSpec
    from infra.scripts.openapi.schemas import Schema, Schemas

_CONDITION: Final = "If-None-Match"
_VARIABLE: Final = re.compile(r"\{(\w+)\}")

TITLES: Final = {
    "artifacts": "Releases and artifacts",
    "auditlogs": "Audit log",
    "devauth": "Device authentication",
    "deviceconfig": "Configuration",
    "deviceconnect": "Remote access",
    "devicemonitor": "Monitoring",
    "integrations": "Webhooks",
    "reference": "Description of the API",
    "tenantadm": "Tenants",
    "useradm": "Users",
}
"""Titles of features, if they differ from the package name."""
FOR_DEVICES: Final = " (devices)"
_SUBJECTS: Final = {"assignTenantsV1": "useradm", "deleteReleasesV2": "artifacts", "userExistsV1": "useradm"}
"""Operations that belong to another feature than the one that serves them."""

_MEDIA: Final = {
    "deviceDownloadConfigurationV1": "application/vnd.mender-artifact",
    "downloadFileV1": "application/octet-stream",
    "exportLogsV1": "text/csv",
    "explainDeploymentLogV1alpha1": "text/plain",
    "showDeploymentLogV1": "text/plain",
    "showDeploymentLogV1alpha1": "text/plain",
    "showLicenseV2": "text/csv",
    "showMetricsV2": "text/plain",
}
"""Media types of answers that are not JSON."""
_COMMANDS: Final = {"checkUpdateV1", "sendInventoryV1"}
"""Answered with 202, and ``null``."""
_SAME: Final = "Not modified: the version is still the one in `If-None-Match`."
_ALSO: Final[dict[str, dict[int, str]]] = {
    "connectToDeviceV1": {101: "Switches to a websocket (docs/remote-access.md)."},
    "deviceConnectV1": {101: "Switches to a websocket (docs/remote-access.md)."},
    "deviceDownloadConfigurationV1": {206: "The requested range.", 416: "The file ends before that range."},
    "playSessionV1": {101: "Switches to a websocket that plays the session."},
    "uploadFileV1": {201: "The file is on the device."},
}
"""Statuses that are neither declared nor in return types."""
_NEVER: Final = {
    "configureDeltasV1": {204},
    "connectToDeviceV1": {200},
    "deviceConnectV1": {200},
    "explainDeploymentLogV1alpha1": {200},
    "getDeviceStateV1": {200},
    "playSessionV1": {200},
    "setDeviceStateV1": {200},
    "showDeltaJobV2": {200},
    "showDeltaStatusV1": {200},
    "uploadFileV1": {200},
}
"""Statuses of return types that are never used, because these handlers always refuse."""


class Operation:
    """The OpenAPI description of an operation."""

    def __init__(self, spec: EndpointSpec, handler: Callable[..., Any]) -> None:
        self.spec = spec
        self._handler = inspect.unwrap(handler)
        self._module = sys.modules[self._handler.__module__]
        _, self.package, version, *_ = self._module.__name__.split(".")
        self.is_for_devices = version.startswith("devices_")
        self.version = version.rpartition("_")[2] if "_" in version else ""
        self.docstring = prose.of(self._handler)

    @property
    def id(self) -> str:
        """The operation's id: the handler's name and the version, for devices with ``device`` before it."""
        words: list[str] = self._handler.__name__.split("_")
        first, *rest = ["device", *words] if self.is_for_devices else words
        return first + "".join(map(str.capitalize, [*rest, self.version]))

    @property
    def tag(self) -> str:
        """The tag that groups it."""
        package = _SUBJECTS.get(self.id, self.package)
        return TITLES.get(package, package.title()) + (FOR_DEVICES if self.is_for_devices else "")

    def told(self, schemas: Schemas) -> Schema:
        """The operation object."""
        found: Schema = {
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.docstring.summary,
            "description": " ".join(filter(None, [self.docstring.description, *self._conditions()])),
            "security": self._security(),
            "parameters": [*self._path_parameters(), *self._parameters()],
            "requestBody": self._body(schemas),
            "responses": {str(status): each for status, each in sorted(self._responses(schemas).items())},
        }
        if self.spec.permission not in {None, Permission.BASIC}:
            found["x-permission"] = str(self.spec.permission)
        if self.spec.feature is not None:
            found["x-feature"] = str(self.spec.feature)
        return {name: value for name, value in found.items() if value or name == "security"}

    def _conditions(self) -> Iterator[str]:
        spec = self.spec
        if spec.permission not in {None, Permission.BASIC}:
            everywhere = " for all devices and releases" if spec.everywhere else ""
            own = "; no permission for your own user" if spec.own else ""
            yield f"Requires the permission `{spec.permission}`{everywhere}{own}."
        if spec.feature is not None:
            yield f"Requires the feature `{spec.feature}` in the tenant's plan."
        if spec.sign_in is SignIn.SESSION:
            yield "Requires a session: personal access tokens are refused."
        elif spec.sign_in is not SignIn.ANY:
            factor = " with the second factor" if spec.sign_in is SignIn.FACTOR else ""
            yield (
                f"Requires a session whose user signed in{factor} a short while ago, or else `current_password` or "
                "`token2fa` in the body."
            )

    def _security(self) -> list[dict[str, list[str]]]:
        if self.id == "loginV1":
            return [{"password": []}]
        kinds = {Auth.NONE: [], Auth.DEVICE: ["device"], Auth.USER: ["user", "session"]}
        return [{each: []} for each in kinds[self.spec.auth]]

    def _path_parameters(self) -> list[Schema]:
        return [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            | ({"description": text} if (text := _about(name, self.spec.path)) else {})
            for name in _VARIABLE.findall(self.spec.path)
        ]

    def _parameters(self) -> list[Schema]:
        told = parameters.OPERATIONS.get(self.id, {})
        if self.is_conditional:
            told = told | {_CONDITION: parameters.SHARED[_CONDITION]}
        return [
            {"$ref": f"#/components/parameters/{name}"}
            if parameters.SHARED.get(name) is each
            else {"name": name, **each}
            for name, each in told.items()
        ]

    def _body(self, schemas: Schemas) -> Schema | None:
        proves = self.spec.sign_in in {SignIn.RECENT, SignIn.FACTOR}
        given = bodies.READ_BY_VIEWS.get(self.id)
        if given is None and self.spec.body not in {None, bytes}:
            given = {bodies.JSON: self.spec.body}
        if given is None:
            proof = {"content": {bodies.JSON: {"schema": _PROOF}}}
            return proof if proves else None
        content = {}
        for media, kind in given.items():
            schema = _with_shapes(kind, schemas)
            content[media] = {"schema": {"allOf": [schema, _PROOF]} if proves else schema}
        return {"content": content} | ({} if self.id in bodies.OPTIONAL else {"required": True})

    def _responses(self, schemas: Schemas) -> dict[int, Schema]:
        found: dict[int, Schema] = {}
        for status, media, schema in self._answers(schemas):
            told = found.setdefault(status, {"description": _phrase(status)})
            if media is not None:
                content = told.setdefault("content", {})
                content[media] = {"schema": _either(content[media]["schema"], schema) if media in content else schema}
            self._add_headers(status, told)
        if self.is_conditional:
            found[304] = {"description": _SAME, "headers": {"ETag": _header("ETag")}}
        for status, text in _ALSO.get(self.id, {}).items():
            found[status] = (
                {"description": text, "content": found[200]["content"]} if status == 206 else {"description": text}
            )
        for status in _NEVER.get(self.id, ()):
            del found[status]
        for status in self._refusals() - set(found):
            found[status] = self._refusal(status)
        return found

    def _answers(self, schemas: Schemas) -> Iterator[tuple[int, str | None, Schema]]:
        """Status, media type (None: no body) and schema of each answer in the handler's return type."""
        for kind in _alternatives(self.return_type):
            reply = get_origin(kind) or kind
            defaults = {each.name: each.default for each in msgspec.structs.fields(reply)}
            status = 202 if self.id in _COMMANDS else defaults["status"]
            body = _body_of(kind)
            if self.id == "showDescription":
                yield status, bodies.JSON, {"type": "object"}
            elif self.id in _COMMANDS:
                yield status, bodies.JSON, {"type": "null"}
            elif body is type(None):
                yield status, None, {}
            else:
                plain = body is str and defaults["content_type"] == bodies.JSON
                media = _MEDIA.get(self.id, bodies.JSON) if plain else defaults["content_type"]
                yield status, media, schemas.of(body, answered=True)

    def _add_headers(self, status: int, told: Schema) -> None:
        names = []
        if status in {201, 202, 302} and "Location" in _source(self._handler):
            names.append("Location")
        if status == 200 and "page" in parameters.OPERATIONS.get(self.id, {}):
            names += ["Link", "X-Total-Count"]
        if status == 200 and (self.is_conditional or '"ETag"' in _with_helpers(self._handler)):
            names.append("ETag")
        if names:
            told["headers"] = {name: _header(name) for name in names}

    def _refusals(self) -> set[int]:
        """Statuses of refusals: those of its declaration, and those in the docstring."""
        spec = self.spec
        reads = spec.body is not None or spec.streams_body
        found = {500, 503, *self.docstring.refusals}
        found |= {400} if reads or _VARIABLE.search(spec.path) or self.id in parameters.OPERATIONS else set()
        found |= {401, 429} if spec.auth is not Auth.NONE else set()
        found |= {403} if spec.permission is not None or spec.feature is not None else set()
        found |= {404} if _VARIABLE.search(spec.path) else set()
        found |= {413} if reads else set()
        found |= {415} if reads and spec.body is not bytes else set()
        found |= {422} if spec.sign_in in {SignIn.RECENT, SignIn.FACTOR} else set()
        return found

    def _refusal(self, status: int) -> Schema:
        shared = refusal_name(status)
        if self.spec.path.startswith("/devices/") and not self.spec.explains(status):
            return {"$ref": f"#/components/responses/{shared}ForDevices"}
        if status not in self.docstring.refusals:
            return {"$ref": f"#/components/responses/{shared}"}
        return {
            "description": self.docstring.refusals[status],
            "content": {bodies.JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }

    @cached_property
    def is_conditional(self) -> bool:
        """Whether it answers ``If-None-Match``."""
        return re.search(r"\betag\.(conditional|is_known)\(", _with_helpers(self._handler)) is not None

    @property
    def return_type(self) -> Any:
        """The handler's annotation."""
        return eval(self._handler.__annotations__["return"], self._handler.__globals__)  # noqa: S307  # our own code


def _with_helpers(handler: Callable[..., Any]) -> str:
    """The source code of a handler and of the functions of its feature that it calls."""
    source = inspect.getsource(handler)
    called = (handler.__globals__.get(name) for name in re.findall(r"\b([a-z_]\w*)\(", source))
    helpers = (each for each in called if inspect.isfunction(each))
    return source + "".join(inspect.getsource(each) for each in helpers if _feature(each) == _feature(handler))


def _feature(function: Callable[..., Any]) -> str:
    """The package of the feature to which a function belongs."""
    return ".".join(function.__module__.split(".")[:2])


def _header(name: str) -> Schema:
    return {"$ref": f"#/components/headers/{name}"}


def _with_shapes(kind: Any, schemas: Schemas) -> Schema:
    """The schema of a shape, or a hand-written schema that contains shapes."""
    if not isinstance(kind, dict):
        return schemas.of(kind, answered=False)
    return {name: _with_shapes(each, schemas) if isinstance(each, dict | type) else each for name, each in kind.items()}


def _either(one: Schema, other: Schema) -> Schema:
    return {"anyOf": [*one.get("anyOf", [one]), other]}


_PROOF: Final[Schema] = {"$ref": "#/components/schemas/Proof"}


def refusal_name(status: int) -> str:
    """The name of the component that describes a refusal."""
    return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")


def _phrase(status: int) -> str:
    return {
        200: "Success.",
        201: "Created.",
        202: "Accepted. The work may still be going on.",
        204: "Success. The response has no body.",
        302: "Redirects the browser to `Location`.",
        404: "It was not found.",
        409: "It conflicts with what exists already.",
    }.get(status, HTTPStatus(status).phrase)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return (
        get_args(kind)
        if isinstance(kind, types.UnionType) or (get_origin(kind) is not None and not _is_reply(kind))
        else (kind,)
    )


def _is_reply(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Reply)


def _body_of(kind: Any) -> Any:
    """The type of a reply's body."""
    if get_args(kind):
        return get_args(kind)[0]
    [base] = kind.__orig_bases__
    return get_args(base)[0]


def _source(handler: Callable[..., Any]) -> str:
    text = inspect.getsource(handler)
    return (
        "Location"
        if re.search(r"\bcreated\(|accepted\(.|_begin\(|_redirect\(|_sign_up\(|save_or_preview\(", text)
        else ""
    )


_ABOUT: Final = {
    "aid": "The auth set.",
    "device_id": "The device.",
    "deviceId": "The device.",
    "deployment_id": "The deployment.",
    "device_type": "The device's type.",
    "integrationId": "The integration.",
}
_BEFORE: Final = re.compile(r"([\w-]+)/\{(\w+)\}")


def _about(name: str, path: str) -> str:
    """Descriptions of path variables, by name or by the preceding part: ``users/{id}``."""
    if name in _ABOUT:
        return _ABOUT[name]
    before = {variable: segment for segment, variable in _BEFORE.findall(path)}[name]
    of = re.sub("ies$", "y", before.replace("_", " ").replace("-", " ")).removesuffix("s")
    of = of.replace("directupload", "direct upload")
    return f"The {of}'s {'id' if name == 'id' else 'name'}."
