"""The cost model: its units are measured, its page is up to date, and its sums are correct."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from chalicelib.cost import rules as cost
from chalicelib.cost.rules import CALLS, GATEWAYS, PRICES, Fleet, bill, savings
from infra.local.template import read
from infra.paths import ROOT
from infra.scripts import cost_page
from tests.deployments.world import World
from tests.deviceconnect.peers import FakeDevice
from tests.simulator.records import Behaviour
from tests.simulator.runs import address_of, release, running_fleet
from tests.support.probe import Cost, counted
from tests.support.waiting import until

if TYPE_CHECKING:
    import httpx2

    from chalicelib.tenantadm.service import Tenant
    from infra.local.testing import LocalServer
    from tests.simulator.device import Device
    from tests.simulator.serve import Address


def test_the_page_is_up_to_date() -> None:
    assert cost_page.PAGE.read_text() == cost_page.page()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_units_of_the_cost_model_equal_the_measured_ones(call: cost.Call) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| {call.row}")]
    numbers = [float(re.match(r"[\d.]+", cell.strip())[0]) for cell in row.split("|")[2:5]]  # type: ignore[index]

    assert numbers == [call.trips, call.reads, call.writes]


def test_measured_units_equal_the_cost_of_calls(
    server: LocalServer, tenant: Tenant, api: httpx2.Client, http: httpx2.Client, warm
) -> None:
    spent = asyncio.run(_spent(address_of(server, tenant)))
    with counted() as spent["page"]:
        assert api.get("/api/management/v1/auditlogs/logs").status_code == 200
    device = World(api, http, tenant.tenant_token).device()
    _websocket(server, device)  # the process is warm after the first one
    spent["connection"] = _websocket(server, device)

    found = {name: (each.round_trips, each.read_units, each.write_units) for name, each in spent.items()}
    assert found == {name: (call.trips, call.reads, call.writes) for name, call in CALLS.items()}


def _websocket(server: LocalServer, device: Device) -> Cost:
    """The cost of a device that opens its websocket and closes it again."""
    assert device.token is not None
    with counted() as spent:
        with FakeDevice(server.url, device.token):
            until("the device is connected", lambda: spent.by_operation["TransactWriteItems"])
        until("the device is gone", lambda: spent.by_operation["DeleteItem"])
    return spent


async def _spent(address: Address) -> dict[str, Cost]:
    """The cost of one device's calls, of a dozen devices, in a warm process."""
    spent: dict[str, Cost] = {}
    async with running_fleet(address, 12, Behaviour()) as (fleet, operator):
        await release(fleet, operator, "v1")
        await operator.deploy("d", "v1", fleet.ids)
        first, device = fleet.devices[:2]
        await first.check()
        for name, call in {
            "update": device.check,
            "poll": device.poll,
            "token": device.authorize,
            "inventory": device.report_inventory,
            "unchanged": device.report_inventory,
        }.items():
            if name == "inventory":
                device.artifact_name = "another"
            with counted() as spent[name]:
                await call()
        assert fleet.tally.report() == []
    return spent


def metrics_of(alarm: dict[str, Any]) -> int:
    """For how many metrics an alarm is billed: those of its formula, else one."""
    return max(1, sum("MetricStat" in each for each in alarm["Properties"].get("Metrics", ())))


def test_counts_of_resources_match_the_templates() -> None:
    resources = read(ROOT / "infra" / "templates" / "alarms.yaml")["Resources"]
    loops = [each for name, each in resources.items() if name.startswith("Fn::ForEach")]
    alone = [each for each in resources.values() if isinstance(each, dict) and each["Type"] == "AWS::CloudWatch::Alarm"]

    billed = sum(map(metrics_of, alone))
    billed += sum(len(each) * sum(map(metrics_of, made.values())) for _, each, made in loops)
    assert billed == cost.ALARMS
    [queues] = [each for name, each in resources.items() if name == "Fn::ForEach::Queues"]
    assert len(queues[1]) == cost.QUEUES
    sized = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_functions"]
    assert sized["api_handler"]["lambda_memory_size"] == cost.MEMORY * 1024


def test_the_dashboards_estimate_has_the_same_prices() -> None:
    body = read(ROOT / "infra" / "templates" / "alarms.yaml")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]
    widget = json.loads(body["Fn::Sub"])["widgets"][-1]["properties"]
    sums = " ".join(line[0]["expression"] for line in widget["metrics"] if "expression" in str(line[0]))

    for name in ("rest", "invocations", "reads", "writes"):
        assert f"*{PRICES[name].dollars:g}/1000000" in sums
    assert f"*{PRICES['duration'].dollars:g}/1000000000" in sums  # of milliseconds


def test_the_page_of_the_templates_has_the_same_prices() -> None:
    page = (ROOT / "docs" / "aws.md").read_text()
    said = re.findall(r"^\| `([\w-]+)\.yaml` \|.*\| about \$(\d+) a month \|$", page, re.MULTILINE)

    assert {name: int(dollars) for name, dollars in said} == {
        "alarms": round(cost.ALARMS * PRICES["alarm"].dollars),
        "load-balancer": round(GATEWAYS["load balancer"](0)),
        "edge": round(PRICES["rules"].dollars),
        "firewall": round(PRICES["rules"].dollars),
        "relay": round(bill(Fleet(0), relays=2).parts["relays"]),
    }


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_a_larger_fleet_costs_more_in_total_and_less_per_device(gateway: str) -> None:
    totals = [bill(Fleet(devices), gateway).total for devices in cost_page.FLEETS]
    each = [total / devices for total, devices in zip(totals, cost_page.FLEETS, strict=True)]

    assert totals == sorted(totals)
    assert each == sorted(each, reverse=True)


def test_prices_fall_at_their_tiers() -> None:
    million = cost.MILLION

    assert cost.tiered(333 * million, "rest", million) == pytest.approx(333 * 3.50)
    assert cost.tiered(1334 * million, "rest", million) == pytest.approx(333 * 3.50 + 667 * 2.80 + 334 * 2.38)


def test_resources_besides_functions_are_included() -> None:
    fleet = Fleet(1000, artifact=50)

    assert bill(fleet).total - bill(Fleet(1000)).total == pytest.approx(1000 * 0.05 * 0.09)
    assert bill(fleet, edge=True, relays=2).parts.keys() - bill(fleet).parts.keys() == {"edge", "relays"}


def test_a_snapshot_costs_its_time_and_each_restore() -> None:
    fleet = Fleet(1000)
    one, ten = (bill(fleet, snapshots=kept).parts["snapshots of the function"] for kept in (1, 10))

    assert ten - one == pytest.approx(9 * 730 * 3600 * 0.0000015046)
    assert one == pytest.approx(3.954 + fleet.cold_starts * 0.0001397998, abs=0.001)
    assert "snapshots of the function" not in bill(fleet).parts


def test_bytes_connections_log_lines_and_cold_starts_are_on_the_bill() -> None:
    """At a million devices each of them is as large as what the tables count, or larger."""
    million = Fleet(1_000_000)
    lines = bill(replace(million, platform_logs=True)).parts["Lambda's own log lines"]
    minutes = bill(replace(million, connected=1_000_000)).parts["websockets of devices"]
    artifacts = bill(replace(million, artifact=200)).parts["artifacts sent to devices"]

    assert lines == pytest.approx(million.invocations * cost.PLATFORM_LINES * 1e-6 * 0.50)
    assert minutes == pytest.approx(1_000_000 * 730 * 60 * 0.25e-6)
    assert artifacts > bill(million).total
    assert bill(Fleet(3)).parts["functions, cold starts"] > 0
    connected = replace(million, connected=1_000_000)
    assert connected.requests == million.requests, "a websocket's calls do not pass the gateway"
    assert connected.invocations - million.invocations == pytest.approx(2 * 1_000_000 * 365)


def test_reports_beyond_one_a_day_are_taken_to_change_nothing() -> None:
    daily, hourly, weekly = (Fleet(100, report=seconds).calls for seconds in (86_400, 3600, 604_800))

    assert daily["unchanged"] == 0
    assert hourly["inventory"] == daily["inventory"]
    assert hourly["inventory"] + hourly["unchanged"] == pytest.approx(100 * 730)
    assert weekly["inventory"] == pytest.approx(daily["inventory"] / 7)


def test_savings_are_listed_with_their_amount() -> None:
    fleet = Fleet(100_000, poll=600, report=3600, artifact=20, connected=100_000)
    found = savings(fleet, "REST API")

    assert {each.part for each in found} == {"gateway", "all calls", "inventory", "artifacts", "websockets"}
    assert found == sorted(found, key=lambda each: -each.dollars)
    for changed, part in ((replace(fleet, poll=7200), "all calls"), (replace(fleet, artifact=10), "artifacts")):
        [saving] = [each for each in found if each.part == part]
        assert saving.dollars == pytest.approx(bill(fleet).total - bill(changed).total)
    assert savings(Fleet(100_000, poll=86_400), "HTTP API") == []


def test_a_quiet_fleet_has_a_larger_share_of_cold_starts_than_a_busy_one() -> None:
    share = [Fleet(devices).cold_starts / Fleet(devices).requests for devices in cost_page.FLEETS]

    assert share == sorted(share, reverse=True)
    assert 0 < share[-1] < 0.001
