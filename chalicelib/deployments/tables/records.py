"""Deployments, counter items and rows as lists read them, with some attributes of the models in ``tables.items``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from chalicelib.deployments.rules.deployment import SOFTWARE
from chalicelib.storage.records import Reader


class DeploymentRecord(msgspec.Struct, frozen=True):
    """A ``DeploymentItem``."""

    pk: str
    sk: str
    due_sk: str | None = None
    name: str = ""
    artifact_name: str = ""
    sequence: int = 0
    created: datetime | None = None
    finished: datetime | None = None
    aborted: bool = False
    kind: str = SOFTWARE
    targets: int = 0
    dynamic: bool = False
    initial: int | None = None
    packed: bytes | None = None
    in_bucket: bool = False
    targets_object: str | None = None
    on_heads: bool = False
    shards: int = 0
    parts: int = 0
    part_sizes: Any = None
    force: bool = False
    retries: int = 0
    phases: Any = None
    opened: int = 0
    control_map: Any = None
    rollout: Any = None
    progress: Any = None
    revision: int | None = None
    preparing: Any = None
    approval: Any = None
    sums: Any = None
    corrections: int | None = None
    artifacts: Any = None
    filter: Any = None
    groups: Any = None
    parent: str | None = None
    retried_by: list[str] | None = None
    lock: str = ""

    @property
    def size(self) -> int:
        """The attribute ``targets``, as the model names it."""
        return self.targets


class CounterRecord(msgspec.Struct, frozen=True):
    """A ``CounterItem``, or the ``CountsItem`` of the tenant, which a list reads with them."""

    pk: str
    sk: str
    rows: int = 0
    total_size: int = 0
    phases: list[int] | None = None
    succeeded: list[int] | None = None
    failed: list[int] | None = None
    left: list[int] | None = None
    begun: int = 0
    n_aborted: int = 0
    n_already_installed: int = 0
    n_decommissioned: int = 0
    n_downloading: int = 0
    n_failure: int = 0
    n_installing: int = 0
    n_noartifact: int = 0
    n_pause_before_committing: int = 0
    n_pause_before_installing: int = 0
    n_pause_before_rebooting: int = 0
    n_pending: int = 0
    n_rebooting: int = 0
    n_success: int = 0
    total: int = 0
    open: int = 0


class RowRecord(msgspec.Struct, frozen=True):
    """A ``RowItem``."""

    pk: str
    sk: str
    due_sk: str | None = None
    status: str = ""
    sequence: int = 0
    created: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    deleted: datetime | None = None
    substate: str | None = None
    log: bool = False
    error: str | None = None
    artifact: str | None = None
    attempts: int = 1
    phase: int | None = None
    device_type: str | None = None
    downgrade: str | None = None


deployments = Reader(DeploymentRecord)
counters = Reader(CounterRecord)
rows = Reader(RowRecord)
