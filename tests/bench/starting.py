"""Cold starts: the time to import the app, and to give a device its first answer, in a new process."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import asdict
from typing import Final

from tests.bench.numbers import BOTOCORE, Number, Pair, Ratio, import_seconds, shipped
from tests.bench.parts import Bench
from tests.support.cold_start import usual_calls

BARS: Final = {"import app": 0.6, "first poll": 0.9}
"""Maximum times, in those of importing botocore's session, which every program that uses boto3 does."""


async def imports(bench: Bench) -> None:
    """Measure imports and first calls of the shipped code, each in new processes, in turns."""
    results = bench.results
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
                    seconds[f"first {name}"].append(first["seconds"])
                    if first["status"] not in {200, 204}:
                        results.failures.append(f"the first {name} gave {first['status']}")
    floor = seconds.pop(f"import {BOTOCORE}")
    results.botocore = min(floor)
    for name, found in seconds.items():
        pair = Pair(
            statistics.median(found),
            statistics.median(floor),
            sorted(one / two for one, two in zip(found, floor, strict=True)),
        )
        title = "cold start: import app" if name == "import app" else f"cold start, import included: {name}"
        results.ratios.append(Ratio(title, f"import {BOTOCORE}", pair, BARS.get(name)))
    results.add("Cold start", Number("import botocore.session, CPU of a new process", min(floor) * 1000, "ms"))
