"""The story of ``make demo STORY=bad-release`` goes as told, and notices if it does not."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.simulator import serve
from tests.simulator.bad_release import FEWEST, BadRelease
from tests.simulator.records import Behaviour, DisagreementError
from tests.simulator.runs import address_of, running_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer


async def _tell(server: LocalServer, tenant: Tenant, errors: Iterator[str | None] | None = None) -> str:
    """What the story prints."""
    console = Console(file=io.StringIO(), record=True, width=200)

    async def look(deployment: str) -> None:
        await asyncio.to_thread(serve.look, server, {"tenant": tenant.id, "deployment": deployment})

    async with running_fleet(address_of(server, tenant), FEWEST, Behaviour(resume=0.2)) as (fleet, operator):
        await BadRelease(console, fleet, operator, look, errors).tell()
    return console.export_text()


def test_the_story_goes_as_told(server: LocalServer, tenant: Tenant) -> None:
    told = asyncio.run(_tell(server, tenant))

    stopped = re.search(r"Stopped: (\d) of (\d) devices have failed \(max_failures_percent: 25\)", told)
    assert stopped
    # The first three that begin fail. The fourth begins too, unless these were faster.
    assert re.search(r"[34] devices had begun in phase 1, and 3 have failed by now\.\n   The other 1[23] are", told)
    assert re.search(r"2 +write /dev/\S+: no space left on device after … bytes +write .* after [12]\d+ bytes", told)
    assert re.search(r"1 +Health check failed: no answer from \S+ within … +Health check .* within 30\.5s", told)
    assert f"Its next poll brings nothing: it is paused: {stopped[1]} of {stopped[2]} devices have failed" in told
    assert "3 of 3 devices have" in told
    assert re.findall(r"Phase (\d) of 3 is open; (\d+) of 13", told) == [("1", "0"), ("2", "3"), ("3", "6")]
    assert "3 of 3 devices have succeeded, 3 are needed; phase 2 opens at" in told
    assert re.search(r"50 % of 13 devices were done after \d+ s, 90 % after \d+ s,\n   99 % after \d+ s", told)
    for path in ("?outcomes=true", "/log", "/explain", "/retry", "/report"):
        assert f'{path}"\n' in told, "the call is shown"


def test_a_release_that_does_not_fail_is_noticed(server: LocalServer, tenant: Tenant) -> None:
    with pytest.raises(DisagreementError, match="the failures stop the deployment"):
        asyncio.run(_tell(server, tenant, itertools.repeat(None)))
