"""Cold starts: what a function that has just started takes to import the app, and to give a device its first answer."""

from __future__ import annotations

from dataclasses import asdict

from tests.bench.numbers import Number, import_times
from tests.bench.parts import Bench
from tests.support.cold_start import usual_calls

IMPORT_BUDGET = 1.6
"""In times of ``import botocore.session``: what importing ``app`` may take."""


async def imports(bench: Bench) -> None:
    """Imports, and first calls up to their answers, each in a new process; byte code is ready."""
    part, rounds, results = "Cold start, CPU of a new process", bench.size.import_rounds, bench.results
    times = import_times(["botocore.session", "app"], rounds)
    results.botocore = times["botocore.session"]
    seconds = {f"import {module}": took for module, took in times.items()}
    async with bench.tenant() as (client, operator, address, _):
        fleet = await bench.fleet(client, operator, address, 1)
        [device] = fleet.devices
        for name, call in usual_calls(device, str(device.token)).items():
            firsts = [bench.process.ask("first_call", **asdict(call)) for _ in range(rounds)]
            statuses = {first["status"] for first in firsts}
            if not statuses <= {200, 204}:
                results.failures.append(f"{part}: {name} gave {sorted(statuses)}")
            seconds[f"... and a first answer: {name}"] = min(first["seconds"] for first in firsts)
    for name, took in seconds.items():
        results.add(
            part,
            Number(name, took * 1000, "ms", took),
            Number("... in times of import botocore.session", took / results.botocore, ""),
        )
    ratio = times["app"] / results.botocore
    if ratio > IMPORT_BUDGET:
        results.failures.append(
            f"{part}: import app takes {ratio:.2f} times botocore.session (at most {IMPORT_BUDGET})"
        )
