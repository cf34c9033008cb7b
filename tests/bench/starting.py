"""Cold starts: the time to import the app, and to give a device its first answer, in a new process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict

from tests.bench.numbers import BOTOCORE, Number, import_seconds, shipped
from tests.bench.parts import Bench
from tests.support.cold_start import usual_calls

IMPORT_BUDGET = 1.6
"""Maximum time of importing ``app``, in multiples of ``import botocore.session``."""


async def imports(bench: Bench) -> None:
    """Measure imports and first calls of the shipped code, each in new processes; the minimum counts."""
    part, results = "Cold start, CPU of a new process", bench.results
    seconds: dict[str, list[float]] = defaultdict(list)
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, 1)
        [device] = fleet.devices
        calls = usual_calls(device, str(device.token))
        with shipped() as place:
            for _ in range(bench.size.import_rounds):
                for module in (BOTOCORE, "app"):
                    seconds[f"import {module}"].append(import_seconds(module, place))
                for name, call in calls.items():
                    first = bench.process.run("first_call", place=str(place), **asdict(call))
                    seconds[f"... and a first answer: {name}"].append(first["seconds"])
                    if first["status"] not in {200, 204}:
                        results.failures.append(f"{part}: {name} gave {first['status']}")
    results.botocore = min(seconds[f"import {BOTOCORE}"])
    for name, found in seconds.items():
        results.add(
            part,
            Number(name, min(found) * 1000, "ms", min(found)),
            Number(f"... in times of import {BOTOCORE}", min(found) / results.botocore, ""),
        )
    ratio = min(seconds["import app"]) / results.botocore
    if ratio > IMPORT_BUDGET:
        results.failures.append(f"{part}: import app takes {ratio:.2f} times {BOTOCORE} (at most {IMPORT_BUDGET})")
