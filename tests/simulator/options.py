"""The options of ``make demo``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from tests.simulator import bad_release
from tests.simulator.records import Behaviour

PHASES = 3
STORIES = ("bad-release",)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line. ``server`` None starts one."""

    devices: int
    behaviour: Behaviour
    seed: int
    server: str | None
    data: Path
    keep: bool
    phases: tuple[int, ...] = ()
    story: str | None = None


def read_options() -> Options:
    """The options that the command was called with."""
    parser = argparse.ArgumentParser(prog="make demo", description="Watch simulated devices take an update.")
    parser.add_argument("--devices", type=_positive, metavar="N", help="how many (50; in a story 40)")
    parser.add_argument("--fail", type=_share, metavar="SHARE", help="updates that fail (5%%; in phases 20%%)")
    parser.add_argument("--resume", type=_share, default=0.1, metavar="SHARE", help="downloads cut and resumed (10%%)")
    parser.add_argument("--pace", type=float, default=1.0, metavar="S", help="seconds that a step takes (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="random seed: it decides which devices fail (%(default)s)")
    parser.add_argument(
        "--server",
        nargs="?",
        const="",
        metavar="URL",
        help="use the running server of `make run`, at this URL or the one in its data folder",
    )
    parser.add_argument("--data", type=Path, default=Path(".local"), help="data folder of that server (%(default)s)")
    parser.add_argument(
        "--phases",
        type=_shares,
        nargs="?",
        const=(10, 30),
        default=(),
        metavar="A,B",
        help="in three phases, these shares (10,30) and the rest, with retries; then abort a second one",
    )
    parser.add_argument("--story", choices=STORIES, help="a bad release that stops itself, and what you do then")
    parser.add_argument("--keep", action="store_true", help="keep the demo's server until Ctrl-C")
    given = parser.parse_args()
    devices = given.devices or (40 if given.story else 50)
    if given.story:
        if given.phases or given.fail is not None:
            parser.error("--story has phases and failures of its own: leave --phases and --fail out")
        if devices < bad_release.FEWEST:
            parser.error(f"--story needs at least {bad_release.FEWEST} devices")
        behaviour = Behaviour(resume=given.resume, pace=given.pace / 2, spread=given.pace * 2)
    else:
        fail = given.fail if given.fail is not None else 0.2 if given.phases else 0.05
        spread = given.pace * max(4.0, devices / 40)
        behaviour = Behaviour(fail=fail, resume=given.resume, pace=given.pace, spread=spread)
    return Options(devices, behaviour, given.seed, given.server, given.data, given.keep, given.phases, given.story)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _shares(text: str) -> tuple[int, ...]:
    shares = tuple(int(part.removesuffix("%")) for part in text.split(","))
    if len(shares) != PHASES - 1 or min(shares) < 1 or sum(shares) >= 100:
        raise argparse.ArgumentTypeError("two shares of less than 100% together, as in 10,30")
    return shares


def _share(text: str) -> float:
    share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("from 0% to 100%")
    return share
