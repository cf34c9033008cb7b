"""The wire format of approvals (``docs/rollouts.md#a-second-person``). It is this project's own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chalicelib import limits


class ApprovalDecision(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /deployments/{id}/approval``."""

    approve: bool
    """Whether devices get the deployment; otherwise it is aborted."""
    comment: Annotated[str, msgspec.Meta(max_length=limits.APPROVAL_COMMENT)] = ""


class ApprovalPerson(msgspec.Struct):
    """A user, with the e-mail address at that time."""

    id: str
    email: str


class Approval(msgspec.Struct, omit_defaults=True):
    """The approval that a deployment needs before any device gets it."""

    state: Literal["waiting", "approved", "rejected", "expired", "ended"]
    """``expired``: nobody decided in time; ``ended``: the deployment was aborted, or ended, before a decision."""
    requested_by: ApprovalPerson
    requested_at: str
    expires: str
    """When the deployment is aborted if nobody has decided."""
    decided_by: ApprovalPerson | None = None
    decided_at: str | None = None
    comment: str | None = None
