"""The wire format of audit entries (``docs/behaviour.md#audit-entries``; API reference, "AuditLog")."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Action(StrEnum):
    """The actions. Keep the list alphabetical. The values are the API's."""

    ABORT = "abort"
    APPROVE = "approve"
    AUTH_METHOD_CHANGE = "auth_method_change"
    CLOSE_PORTFORWARD = "close_portforward"
    CLOSE_TERMINAL = "close_terminal"
    CREATE = "create"
    DECOMMISSION = "decommission"
    DELETE = "delete"
    DEPLOY_CONFIGURATION = "deploy_configuration"
    DOWNLOAD_FILE = "download_file"
    OPEN_PORTFORWARD = "open_portforward"
    OPEN_TERMINAL = "open_terminal"
    PASSWORD_CHANGE = "password_change"  # noqa: S105  # the name of an action
    REJECT = "reject"
    SET_CONFIGURATION = "set_configuration"
    UPDATE = "update"
    UPLOAD = "upload"
    UPLOAD_FILE = "upload_file"


class ObjectType(StrEnum):
    """The types of objects. Keep the list alphabetical. The values are the API's."""

    ARTIFACT = "artifact"
    DEPLOYMENT = "deployment"
    DEVICE = "device"
    FILTER = "filter"
    INTEGRATION = "integration"
    RELEASE = "release"
    ROLE = "role"
    SETTINGS = "settings"
    TENANT = "tenant"
    TRUSTED_KEY = "trusted_key"
    USER = "user"
    USER_ACCESS_TOKEN = "user_access_token"  # noqa: S105  # the name of a kind of object


class Object(msgspec.Struct, frozen=True):
    """The object of an entry. The API shows ``about`` under the name of the type: ``{"name": ...}``."""

    type: ObjectType
    id: str
    about: dict[str, Any] = {}


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """The actor of an entry."""

    id: str
    type: str
    email: str = ""


class AuditLog(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry as the API shows it."""

    actor: Actor
    time: str
    action: str
    object: dict[str, Any]
    change: str = ""
    meta: dict[str, list[str]] = {}


class ChainEnd(msgspec.Struct, frozen=True):
    """The chain head: the number and hash of the last entry. The hash depends on all earlier entries."""

    chain: int
    number: int
    hash: str


class Health(msgspec.Struct, frozen=True):
    """Whether the log is unaltered. With a copy of ``ends`` you can later show that it was not rewritten as a whole."""

    entries: int
    checked: bool
    """Whether all entries were checked. ``manage audit verify`` checks a log that is too long for this."""
    findings: list[str]
    """The faults, one line each."""
    ends: list[ChainEnd]
