"""Events, and which integrations receive them."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from chalicelib.integrations.shapes import EventBody


class Scope(StrEnum):
    """The scopes of events that an integration can subscribe to."""

    DEPLOYMENTS = "deployments"
    """Not part of Mender's API."""
    DEVICEAUTH = "deviceauth"
    INVENTORY = "inventory"


MENDERS: Final = frozenset({Scope.DEVICEAUTH, Scope.INVENTORY})
"""The scopes of Mender's API."""
DEFAULT_SCOPES: Final = (Scope.DEVICEAUTH,)
"""The scopes of an integration that names none, as in Mender."""


class Kind(StrEnum):
    """The types of events. Keep the list alphabetical. Those of devices are Mender's."""

    DEPLOYMENT_ABORTED = "deployment-aborted"
    DEPLOYMENT_APPROVAL_REQUESTED = "deployment-approval-requested"
    DEPLOYMENT_APPROVED = "deployment-approved"
    DEPLOYMENT_CREATED = "deployment-created"
    DEPLOYMENT_DEVICE_FINISHED = "deployment-device-finished"
    DEPLOYMENT_FINISHED = "deployment-finished"
    DEPLOYMENT_PAUSED = "deployment-paused"
    DEPLOYMENT_PHASE_OPENED = "deployment-phase-opened"
    DEPLOYMENT_REJECTED = "deployment-rejected"
    DEPLOYMENT_RESUMED = "deployment-resumed"
    DEPLOYMENT_STOPPED = "deployment-stopped"
    DEVICE_DECOMMISSIONED = "device-decommissioned"
    DEVICE_INVENTORY_CHANGED = "device-inventory-changed"
    DEVICE_PROVISIONED = "device-provisioned"
    DEVICE_STATUS_CHANGED = "device-status-changed"

    @property
    def scope(self) -> Scope:
        """The scope of the type."""
        if self is Kind.DEVICE_INVENTORY_CHANGED:
            return Scope.INVENTORY
        return Scope.DEPLOYMENTS if self.startswith("deployment-") else Scope.DEVICEAUTH


class Event(msgspec.Struct, frozen=True):
    """An event. Events with the same ``subject``, a device or a deployment, are delivered in order."""

    kind: Kind
    subject: str
    data: dict[str, Any] = {}


def listeners(subscribers: Mapping[str, frozenset[str]], kind: Kind) -> list[str]:
    """The integrations that subscribe to this type of event."""
    return sorted(integration for integration, scopes in subscribers.items() if kind.scope in scopes)


def body(event_id: str, kind: str, data: dict[str, Any], time: str) -> bytes:
    """The body of the POST."""
    return msgspec.json.encode(EventBody(event_id, kind, data, time))


def headers(body: bytes, secret: str | None, request_id: str = "") -> dict[str, str]:
    """The headers of the POST. ``secret`` is hexadecimal; ``request_id`` is that of the call that caused the event."""
    common = {"Content-Type": "application/json"}
    if request_id:
        common["X-MEN-RequestID"] = request_id
    if not secret:
        return common
    signature = hmac.digest(bytes.fromhex(secret), body, "sha256").hex()
    return common | {"X-Men-Algorithm": "MEN-HMAC-SHA256-Payload", "X-Men-Signature": signature}
