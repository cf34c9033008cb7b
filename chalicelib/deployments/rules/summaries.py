"""Summaries of deployments: what lists filter by and never changes, packed into blocks of many.

A search by a name that reads blocks instead of deployments reads a twentieth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from chalicelib.deployments.rules.deployment import Deployment, Plan

SIZE: Final = 50
"""Deployments of a block: it has less than 4 KB, which a read unit pays for. It must not change: processes that make
blocks at the same time have to make the same ones."""
_SETTLED: Final = timedelta(hours=1)
"""Longer than any call takes. A number that was taken this long ago is visible, if the deployment was created."""


class Summary(msgspec.Struct, frozen=True, array_like=True):
    """A deployment; the fields are those of its ``Plan``."""

    id: str
    kind: str
    created: datetime
    name: str
    artifact_name: str


class Block:
    """The summaries of deployments that follow each other, oldest first."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        self.summaries = summaries
        self._text = "\n".join(text(each) for each in summaries)

    def may_contain(self, words: Collection[str]) -> bool:
        """Whether one of the words, which contain no white space, occurs. Without words, everything does."""
        return not words or any(word in self._text for word in words)


def text(summary: Plan | Summary) -> str:
    """The text in which a search looks for words in lower case."""
    return f"{summary.name} {summary.artifact_name}".lower()


def distance(summary: Plan | Summary, searched: str) -> tuple[int, int]:
    """How far a deployment is from the text of a search: lower is nearer.

    The name is the text, begins with it, or contains it; else the fewer of its words are missing, the nearer.
    """
    wanted, name, within = searched.strip().lower(), summary.name.lower(), text(summary)
    missing = sum(word not in within for word in wanted.split())
    if name == wanted:
        return 0, missing
    if name.startswith(wanted):
        return 1, missing
    return (2 if wanted in name else 3), missing


def summarize(deployment: Deployment) -> Summary:
    """The summary of a deployment."""
    plan = deployment.plan
    return Summary(plan.id, plan.kind, plan.created, plan.name, plan.artifact_name)


def complete_blocks(later: Sequence[Deployment], now: datetime) -> list[Sequence[Deployment]]:
    """The blocks that can be made of the deployments after the last block, in their order.

    No deployment may appear later between those of a block. A deployment gets its number just before it is stored. So
    all numbers up to that of one that was created some time ago are visible. A large one that is being prepared, and
    one that waits for approval, gets a new number when that ends, which may be long after its creation.
    """
    numbered = [at for at, each in enumerate(later) if not each.plan.parts and each.approval is None]
    old = [at for at in numbered if now - later[at].plan.created >= _SETTLED]
    end = old[-1] + 1 if old else 0
    moving = next((at for at, each in enumerate(later) if each.is_hidden), end)
    whole = min(end, moving) // SIZE
    return [later[number * SIZE : (number + 1) * SIZE] for number in range(whole)]
