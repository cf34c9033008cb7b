"""What calls cost in the app alone, as ratios to a floor, to Mender, and to themselves under other conditions.

The bars are what the server promises; a run on a machine that is not busy fails if one is missed.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench import parts
from tests.bench.numbers import Pair, Ratio
from tests.simulator.fleet import DEVICE_TYPE

if TYPE_CHECKING:
    from tests.bench.numbers import Results
    from tests.bench.parts import Bench

DEVICES: Final = 80
TARGETS: Final = 12
FLOOR: Final = "its floor"
MENDER: Final = "Mender's"

OF_A_DEVICE: Final = {
    "idle_known": ("idle poll, token known to the process", 2.5),
    "idle_new": ("idle poll, token new", 3.0),
    "inventory": ("inventory unchanged, 42 attributes", 3.0),
    "report": ("status report, to the fewest round trips (1)", 5.0),
    "report_own_trips": ("status report, to the round trips that it makes (2)", None),
}
"""Name of the measurement: what it is, and the bar."""

OF_AN_OPERATOR: Final = {
    "devauth": ("list of 20 devices, devauth", 67.4, 0.5),
    "inventory_list": ("list of 20 devices, inventory", 67.4, 0.5),
    "deployments": ("list of 20 deployments", 67.4, 0.5),
    "search": (f"search in {DEVICES} devices", 10.6, 1.0),
}
"""Name of the measurement: what it is, what Mender's services need for it, and the bar.

Mender's CPU is in verifications of RS256 signatures of 3,072 bits, so that it holds on other machines: on the one where
it was measured (August 2026, without the check of the user's token) a list of 20 devices took 5.93 ms, a search 0.93 ms
and a verification 88 us. Its list of deployments was not measured, and is compared with that of devices.
"""


async def ratios(bench: Bench) -> None:
    """Measure each call and its alternative in turns."""
    found: list[Ratio] = []
    rounds = bench.size.ratio_rounds
    poll = json.dumps({"device_provides": {"device_type": DEVICE_TYPE, "artifact_name": "original"}})
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, DEVICES)
        [busy, *others] = fleet.devices[:TARGETS]
        await parts.release(fleet, operator, "v1", 1_000)
        of_device = {**bench.process.run("idle", rounds=rounds, token=fleet.devices[-1].token, poll=poll)}
        targets = [device.id for device in (busy, *others)]
        deployment = await operator.deploy("d", "v1", targets)
        await busy.poll()
        of_device |= bench.process.run("reports", rounds=rounds, token=busy.token, deployment=deployment)
        for name, (title, bar) in OF_A_DEVICE.items():
            found.append(Ratio(title, FLOOR, Pair(**of_device[name]), bar))
        for number in range(19):
            await operator.deploy(f"list {number}", "v1", targets)
        of_operator = bench.process.run("operators", rounds=rounds, token=operator.token, terms=_TERMS)
        for name, (title, theirs, bar) in OF_AN_OPERATOR.items():
            found.append(Ratio(title, MENDER, Pair(**of_operator[name]).scaled(theirs), bar))
        bench.check("ratios", fleet)
    async with bench.tenant() as (client, operator, address, _), bench.tenant() as (few, few_operator, few_address, _):
        crowd = await bench.fleet(client, operator, address, TARGETS + 1)
        small = await bench.fleet(few, few_operator, few_address, TARGETS + 1)
        for each, who in ((crowd, operator), (small, few_operator)):
            await parts.release(each, who, "v1", 1_000)
            await who.deploy("d0", "v1", each.ids[:TARGETS])
        pair = bench.process.run(
            "many_open",
            rounds=rounds,
            user=operator.token,
            release="v1",
            targets=crowd.ids[:TARGETS],
            deployments=bench.size.open_deployments,
            many=crowd.devices[-1].token,
            one=small.devices[-1].token,
            poll=poll,
        )
        title = f"idle poll with {bench.size.open_deployments:,} open deployments for others"
        found.append(Ratio(title, "with one", Pair(**pair), 1.1))
    bench.results.ratios += found


def judge(results: Results, busy: float) -> None:
    """Let the run fail if a bar is missed, unless other programs used too much of the machine before or after it."""
    busy = max(busy, other_programs())
    if busy > _BUSY:
        results.remarks.append(
            f"Other programs used {busy:.0%} of this machine's cores, so no ratio was judged. Run it again later."
        )
        return
    results.failures += [
        f"{each.title}: {each.pair.median:.2f} times {each.other} (at most {each.bar})"
        for each in results.ratios
        if each.is_missed
    ]


_TERMS: Final[list[dict[str, Any]]] = [
    {"scope": "inventory", "attribute": "device_type", "type": "$eq", "value": DEVICE_TYPE}
]
_BUSY: Final = 0.15
"""Above this part of all cores, other programs disturb even ratios."""
_STAT: Final = Path("/proc/stat")


def other_programs() -> float:
    """The part of all cores that other programs use now, while this one waits; 0 where the system does not tell."""
    if not _STAT.exists():
        return 0.0
    before, begun = _worked(), time.monotonic()
    time.sleep(1)
    return (_worked() - before) / (time.monotonic() - begun) / (os.cpu_count() or 1)


def _worked() -> float:
    """Seconds of work of all cores together."""
    user, nice, system, _, _, irq, soft, *_ = map(int, _STAT.read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
