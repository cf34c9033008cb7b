"""``make soak``: an endurance run of the server on one machine; compares at the end what all sides know."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.soak.report import show
from tests.soak.run import Options, Soak


def main() -> int:
    """Run; the exit status is 1 if anything disagrees."""
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl-C, so that the server is stopped
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = Soak(options, Path(options.folder or folder), console)
        result = asyncio.run(soak.run())
        wrong = show(console, soak, result)
    return 1 if wrong else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="make soak", description="Run the server under faults, and compare records.")
    parser.add_argument("--minutes", type=float, default=10, help="duration, without the comparison (%(default)s)")
    parser.add_argument("--devices", type=int, default=30, help="devices at once (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the plan (%(default)s)")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two steps of a device (%(default)s)")
    parser.add_argument("--kill-every", type=float, default=75, help="average seconds between two kills (%(default)s)")
    parser.add_argument("--faults", type=float, default=0.05, help="share of calls that meet a fault (%(default)s)")
    parser.add_argument(
        "--device-timeout", type=int, default=45, help="seconds after which silent devices fail, 0: never (%(default)s)"
    )
    parser.add_argument("--no-webhook", action="store_true", help="without a receiver of events")
    parser.add_argument("--no-faults", action="store_true", help="neither kills nor faults of the network")
    parser.add_argument("--folder", type=Path, help="an empty folder for the data and logs, which are kept")
    given = parser.parse_args()
    calm = given.no_faults
    return Options(
        minutes=given.minutes,
        devices=given.devices,
        seed=given.seed,
        pace=given.pace,
        kill_every=0 if calm else given.kill_every,
        faults=0 if calm else given.faults,
        device_timeout=given.device_timeout,
        webhook=not given.no_webhook,
        folder=given.folder.resolve() if given.folder else None,
    )


if __name__ == "__main__":
    sys.exit(main())
