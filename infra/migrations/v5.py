"""Version 5: deployments may have a rollout, and be paused.

Code of version 4 would let devices begin in a paused deployment. Nothing that is stored has to change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.migrations.items import Tables


def run(_tables: Tables, _tenant: str) -> int:
    """Change nothing; returns 0."""
    return 0
