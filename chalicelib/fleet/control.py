"""Tenant control items. Every call needs one, so each warm process caches them for a few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from chalicelib import clock, features, limits, settings
from chalicelib.cache import Cache
from chalicelib.errors import Forbidden
from chalicelib.fleet import open_deployments
from chalicelib.fleet.open_deployments import OpenRecord
from chalicelib.storage import keys
from chalicelib.storage.records import Reader
from chalicelib.tiers import PerTier

if TYPE_CHECKING:
    from chalicelib.features import Feature
    from chalicelib.storage.keys import TenantId

_SORT = "CONTROL"
ALWAYS = datetime.fromtimestamp(0, UTC)
"""``Control.changes_from`` of tenants that never stored rows of changed devices in several partitions."""
CHANGES_KNOWN: Final = 4
"""The version of the stored data from which all code that may run knows ``changes_from``."""
APPROVALS_KNOWN: Final = 5
"""The version of the stored data from which all code that may run knows deployments that wait for approval."""
GroupName = Annotated[str, Meta(min_length=1, max_length=limits.GROUP_NAME)]


class TenantSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of a tenant. Each is off, or as in Mender, until the tenant sets it.

    The limits of a member are in its type. Users set it by ``PUT /management/v2/tenantadm/settings``, which checks
    them.
    """

    approval_devices: Annotated[int, Meta(ge=0, le=limits.MAX_DEVICES)] = 0
    """A second person approves deployments to more devices than this; 0: their number does not matter."""
    approval_groups: Annotated[list[GroupName], Meta(max_length=limits.APPROVAL_GROUPS)] = []
    """A second person approves deployments to devices of these static groups."""
    approval_hours: Annotated[int, Meta(ge=1, le=limits.APPROVAL_HOURS_MAX)] = 72
    """Hours that a deployment waits for approval before it is aborted."""
    audit_days: Annotated[int, Meta(ge=0, le=limits.AUDIT_DAYS_MAX)] = 0
    """Days for which audit entries are kept; 0: ``settings.audit_days``. Existing entries keep their expiry, and none
    expires before the previous one."""
    device_timeout: Annotated[int, Meta(ge=0, le=limits.DEVICE_TIMEOUT_MAX)] = 0
    """Seconds without a report after which a device fails in its deployment; 0: never."""
    pending_devices: Annotated[int, Meta(ge=0, le=limits.PENDING_DEVICES_MAX)] = 0
    """Maximum number of pending devices; 0: ``settings.pending_devices``."""
    time_zone: Annotated[str, Meta(min_length=1, max_length=limits.ZONE_NAME)] = "UTC"
    """The time zone of windows of rollouts that name none (IANA)."""

    @property
    def demands_approval(self) -> bool:
        """Whether a second person approves some deployments."""
        return bool(self.approval_devices or self.approval_groups)


class TrustPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a tenant does about artifacts without a signature by a trusted key, and about downgrades of devices.

    As in Mender, nothing, until the tenant sets it (``artifacts.service.trust``).
    """

    signatures: Literal["off", "warn", "demand"] = "off"
    """``off``: signatures are not checked; ``warn``: other artifacts are marked; ``demand``: they are refused."""
    downgrades: Literal["allow", "flag", "refuse"] = "allow"
    """``flag``: the device's row says so; ``refuse``: the device does not get the artifact."""


ANYTHING: Final = TrustPolicy()
"""The policy of a tenant that has not set one."""


class Control(msgspec.Struct, frozen=True):
    """A tenant as calls see it."""

    active: bool
    plan: str
    addons: tuple[dict[str, Any], ...]
    trial: bool
    devices: PerTier
    """Maximum number of accepted devices by tier; -1 means no limit, 0 means none."""
    storage_limit: int
    open: Mapping[str, int]
    """Its unfinished deployments that do not wait in heads: id to sequence number, oldest first."""
    settings: TenantSettings
    states: Mapping[str, str] = {}
    """The states of rollouts of open deployments, in the form of ``deployments``, by id; those without one are new."""
    subscribers: Mapping[str, frozenset[str]] = {}
    """The integrations by id, with the scopes of the events that they receive."""
    acceptance: frozenset[str] = frozenset()
    """The kinds of enabled acceptance rules (``devauth.rules.acceptance.Kind``)."""
    acceptance_revision: int = 0
    """Counts changes of the acceptance rules; 0: there never was one."""
    parts: int = 1
    """The number of parts of the tenant's lists and counts: 1, or ``fleet.parts.LARGE``. It never decreases."""
    parts_from: datetime | None = None
    """When storing in parts begins. Readers expect parts before that."""
    changes_from: datetime | None = None
    """When storing the rows of changed devices in one partition begins; None: never. Parts come before it."""
    terms: int = 0
    """Counts changes of status, plan and limits."""
    trust: TrustPolicy = ANYTHING
    approvals: bool = False
    """Whether a deployment has ever waited for approval."""

    def includes(self, feature: Feature) -> bool:
        """Whether plan and add-ons include a feature."""
        return features.included(feature, self.plan, features.enabled_addons(self.addons))

    @property
    def parts_to_write(self) -> int:
        """The number of parts by which to store something.

        It remains 1 for a while after the tenant became large, until every process knows it and reads the parts too.
        """
        return 1 if self.parts_from is not None and clock.now() < self.parts_from else self.parts


class ControlRecord(OpenRecord, frozen=True):
    """A control item as it is stored; ``fleet.tables.ControlItem`` describes the attributes."""

    status: str = "active"
    plan: str = "enterprise"
    addons: Any = ()
    trial: bool = False
    max_devices: int = -1
    max_micro_devices: int = -1
    max_system_devices: int = -1
    storage_limit: int = 0
    settings: Any = msgspec.field(default_factory=dict)
    subscribers: Any = None
    subscribers_revision: int | None = None
    acceptance: Any = ()
    acceptance_revision: int | None = None
    parts: int | None = None
    parts_from: datetime | None = None
    changes_from: datetime | None = None
    terms: int | None = None
    trust: Any = None
    approvals: bool = False


_reader = Reader(ControlRecord)
_GONE = Control(
    active=False,
    plan="",
    addons=(),
    trial=False,
    devices=PerTier(),
    storage_limit=0,
    open={},
    settings=TenantSettings(),
)
_cache: Cache[TenantId, Control] = Cache(stale=lambda: settings.current().control_stale)


def get(tenant: TenantId, *, fresh: bool = False) -> Control:
    """The tenant's control item; an unknown tenant is inactive.

    The item is at most ``settings.control_cache`` seconds old, and up to ``settings.control_stale`` more while DynamoDB
    does not answer. ``fresh``: strongly consistent.

    Raises:
        Unavailable: DynamoDB does not answer, and there is no copy that is recent enough.
    """
    return _cache.get(tenant, lambda: _read(tenant), life=0 if fresh else None)


def key(tenant: TenantId) -> tuple[str, str]:
    """The key of a control item."""
    return keys.partition(tenant), _SORT


def find(tenant: TenantId) -> ControlRecord | None:
    """The item as it is now (strongly consistent)."""
    return _reader.find(keys.table("fleet"), *key(tenant))


def _read(tenant: TenantId) -> Control:
    item = find(tenant)
    if item is None:
        return _GONE
    opened = open_deployments.read(tenant, item)
    return Control(
        active=item.status == "active",
        plan=item.plan,
        addons=tuple(item.addons),
        trial=item.trial,
        devices=PerTier(item.max_devices, item.max_micro_devices, item.max_system_devices),
        storage_limit=item.storage_limit,
        open=opened.all,
        states=opened.states,
        settings=msgspec.convert(item.settings, TenantSettings),
        subscribers={integration: frozenset(scopes) for integration, scopes in (item.subscribers or {}).items()},
        acceptance=frozenset(item.acceptance),
        acceptance_revision=item.acceptance_revision or 0,
        parts=item.parts or 1,
        parts_from=item.parts_from,
        changes_from=item.changes_from,
        terms=item.terms or 0,
        trust=msgspec.convert(item.trust, TrustPolicy) if item.trust else ANYTHING,
        approvals=item.approvals,
    )


def require(tenant: TenantId, feature: Feature) -> None:
    """Raise an error if the tenant's plan and add-ons do not include a feature.

    Raises:
        Forbidden: they do not include it.
    """
    if not get(tenant).includes(feature):
        raise Forbidden(f"the plan and add-ons of this tenant do not include {feature.replace('_', ' ')}")


def forget(tenant: TenantId) -> None:
    """Drop the cached copy. Code that changed the item calls this after the commit."""
    _cache.forget(tenant)
