"""The recorded traffic matches the code, and has placeholders for all ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.heat import traffic
from infra.heat.scenarios import SCENARIOS, Fleet, with_control
from tests.heat.fleet import record

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from chalicelib.tenantadm.service import Tenant


def test_the_recording_matches_the_code(
    tenant: Tenant, api: httpx2.Client, http: httpx2.Client, warm: None, tmp_path: Path
) -> None:
    found = record(tenant, api, http)
    traffic.save(tmp_path / "current.json", found)

    kept = traffic.path(traffic.CURRENT)
    assert found == traffic.load(traffic.CURRENT), f"if the change is intended: cp {tmp_path / 'current.json'} {kept}"


def test_recorded_keys_contain_no_ids_and_numbers() -> None:
    for layout in (traffic.FIRST, traffic.CURRENT):
        for call, accesses in traffic.load(layout).calls.items():
            for access in accesses:
                assert not re.search(r"[0-9]", access.key + access.item), (layout, call, access)


def test_every_kind_of_call_of_the_scenarios_is_recorded() -> None:
    for layout in (traffic.FIRST, traffic.CURRENT):
        scenarios = [each for each in SCENARIOS if layout == traffic.CURRENT or not each.is_new]
        named = {call for each in scenarios for call in with_control(each.rates(Fleet(1)))}
        assert named <= traffic.load(layout).calls.keys()
