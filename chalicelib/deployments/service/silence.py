"""When the silence of a device becomes too long, if the tenant wants that (``TenantSettings.device_timeout``).

Each write of an active row stores that time, by which the schedule finds what is due. Nothing is written or indexed for
tenants without this setting.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.deployments.rules.row import NOTHING, Edit
from chalicelib.fleet import control

if TYPE_CHECKING:
    from datetime import datetime

    from chalicelib.deployments.rules.statuses import Status
    from chalicelib.storage.keys import TenantId

TEXT = "timeout: no report for "


def noted(tenant: TenantId, status: Status, now: datetime) -> Edit:
    """The change that goes with each write of a row: until when its device must report."""
    if status.final:
        return Edit(never_due=True)
    timeout = control.get(tenant).settings.device_timeout
    return Edit(due=now + timedelta(seconds=timeout)) if timeout else NOTHING


def is_timeout(substate: str | None) -> bool:
    """Whether a timeout has set this substate."""
    return substate is not None and substate.startswith(TEXT)
