"""``make bench``: measures cost and speed of the server on this machine; writes a table and JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.bench import parts
from tests.bench.goosebit import goosebit
from tests.bench.numbers import ROOT, Results, botocore_seconds, calibrate, show
from tests.bench.ratios import judge, other_programs, ratios
from tests.bench.relay import relay
from tests.bench.starting import imports
from tests.bench.terminal import terminal
from tests.simulator.client import ConnectionLostError
from tests.simulator.management import RefusedError
from tests.simulator.serve import ServerFailedError, ServerProcess

# Transfers come first: their memory cannot be measured after something that needed more.
PARTS = {
    each.__name__: each
    for each in (
        parts.transfer,
        ratios,
        goosebit,
        parts.polls,
        parts.costs,
        parts.update,
        parts.scale,
        parts.search,
        terminal,
        relay,
        imports,
    )
}


def main() -> int:
    """Measure; the exit status is 1 if a check failed."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure cost and speed.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, in under a minute")
    parser.add_argument("--only", action="append", choices=PARTS, help="run only this part; may be repeated")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json", help="file for the JSON")
    parser.add_argument("--goosebit", type=Path, metavar="PYTHON", help="compare polls with goosebit of this Python")
    given = parser.parse_args()
    size = parts.QUICK if given.quick else parts.FULL
    wanted = given.only or list(PARTS)
    console, results = Console(highlight=False), Results()
    begun = time.monotonic()
    busy = other_programs()
    calibrate(results)
    try:
        with ServerProcess(tls=False, module="tests.bench.server") as process:
            process.start()
            bench = parts.Bench(process, size, results, given.goosebit)
            for name in [each for each in PARTS if each in wanted]:
                console.print(f"[dim]{time.monotonic() - begun:5.0f} s  {name}[/]")
                asyncio.run(PARTS[name](bench))
    except (ServerFailedError, RefusedError, ConnectionLostError) as error:
        results.failures.append(str(error))
    judge(results, busy)
    if "imports" not in wanted:
        results.botocore = botocore_seconds(3)
    show(console, results)
    _write(given.out, results, quick=given.quick)
    console.print(f"{time.monotonic() - begun:.0f} s; the numbers are in {given.out}", soft_wrap=True)
    for failure in results.failures:
        console.print(f"FAILED {failure}", style="bold red", markup=False, soft_wrap=True)
    return 1 if results.failures else 0


def _write(out: Path, results: Results, *, quick: bool) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "calibrators": {"rs256_verify_seconds": results.verify, "import_botocore_session_seconds": results.botocore},
        "failures": results.failures,
        "numbers": {
            part: [asdict(number) | {"in_verifies": results.ratio(number)} for number in numbers]
            for part, numbers in results.numbers.items()
        },
        "ratios": [asdict(each) | {"median": each.pair.median} for each in results.ratios],
        "remarks": results.remarks,
        "costs": {part: [asdict(cost) for cost in costs] for part, costs in results.costs.items()},
    }
    out.write_text(json.dumps(document, indent=2) + "\n")


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


if __name__ == "__main__":
    sys.exit(main())
