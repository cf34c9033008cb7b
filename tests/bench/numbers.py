"""Shared by all measurements: calibrators, numbers with their unit, the table."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from rich.console import Console
from rich.table import Table

from infra.deploy.bytecode import cache_name, compiled

ROOT = Path(__file__).resolve().parents[2]

BOTOCORE = "botocore.session"
IMPORT = "import time; begun = time.process_time(); import {}; print(time.process_time() - begun)"


@dataclass(frozen=True, slots=True)
class Number:
    """A result. ``seconds`` is set if it is a time, which is then compared with a calibrator."""

    name: str
    value: float
    unit: str
    seconds: float | None = None

    def shown(self) -> str:
        """The value, formatted for people."""
        digits = 0 if abs(self.value) >= 100 or self.value == int(self.value) else 1 if abs(self.value) >= 10 else 2
        return f"{self.value:,.{digits}f} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Cost:
    """A call's cost in DynamoDB; each number is a median."""

    call: str
    round_trips: float
    read_units: float
    write_units: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two alternatives that were measured in turns: medians of their CPU seconds, and the ratio in each round."""

    ours: float
    other: float
    ratios: list[float]
    """Sorted."""

    @property
    def median(self) -> float:
        """The median ratio."""
        return statistics.median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """The ratios between which half of the rounds are."""
        quarter = len(self.ratios) // 4
        return self.ratios[quarter], self.ratios[-1 - quarter]

    def scaled(self, times: float) -> Pair:
        """The pair with this many of the alternative instead of one."""
        return Pair(self.ours, self.other * times, [each / times for each in self.ratios])


@dataclass(frozen=True, slots=True)
class Ratio:
    """What a call costs, compared with something that was measured in turns with it."""

    title: str
    other: str
    """What it is compared with."""
    pair: Pair
    bar: float | None
    """The highest median that is good enough; None: there is no bar."""

    @property
    def is_missed(self) -> bool:
        """Whether the ratio is above its bar."""
        return self.bar is not None and self.pair.median > self.bar


@dataclass
class Results:
    """The results of a run."""

    numbers: dict[str, list[Number]] = field(default_factory=dict)
    """By the title of the part."""
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    """By the title of the part."""
    ratios: list[Ratio] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What else a reader should know about this run."""
    failures: list[str] = field(default_factory=list)
    """Failed checks; empty in a good run."""
    verify: list[float] = field(default_factory=list)
    """Calibrator: seconds to verify an RS256 signature, measured repeatedly."""
    botocore: float = 0.0
    """Calibrator: CPU seconds of ``import botocore.session`` in a fresh interpreter."""

    def add(self, part: str, *numbers: Number) -> None:
        """Add results."""
        self.numbers.setdefault(part, []).extend(numbers)

    def ratio(self, number: Number) -> float | None:
        """A time divided by that of verifying a signature, which is similar on all machines."""
        return number.seconds / statistics.median(self.verify) if number.seconds is not None else None


def calibrate(results: Results) -> None:
    """Measure the current speed of this machine."""
    key = rsa.generate_private_key(65537, 2048)
    public, message = key.public_key(), b"x" * 600
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    for _ in range(5):
        begun = time.process_time()
        for _ in range(500):
            public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        results.verify.append((time.process_time() - begun) / 500)


@contextmanager
def shipped() -> Iterator[Path]:
    """A folder with the files and byte code that ``make package`` ships, for this machine's architecture."""
    files = [(ROOT, path.relative_to(ROOT)) for path in (ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py"))]
    for name in ("chalice", *re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)):
        with suppress(metadata.PackageNotFoundError):  # not needed by this version of Python
            found = metadata.distribution(name)
            files += [(Path(str(found.locate_file(""))), Path(file)) for file in found.files or ()]
    with TemporaryDirectory() as folder:
        for base, name in files:
            if name.suffix in {".py", ".so"} and ".." not in name.parts:
                _ship(Path(folder), name, (base / name).read_bytes())
        yield Path(folder)


def _ship(folder: Path, name: Path, content: bytes) -> None:
    target, cached = folder / name, folder / cache_name(name.as_posix())
    cached.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    code = compiled(content, name.as_posix()) if name.suffix == ".py" else None
    if code is not None:
        cached.write_bytes(code)


def import_seconds(module: str, place: Path) -> float:
    """CPU seconds of importing a shipped module, as on Lambda."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMPLIGHTER_", "PYTHON"))}
    env |= {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME": "api_handler"}
    command = [sys.executable, "-S", "-c", IMPORT.format(module)]  # -S: without this environment's packages
    return float(subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=True).stdout)


def botocore_seconds(rounds: int) -> float:
    """The minimum time of importing botocore, since other load on the machine only adds to it."""
    with shipped() as place:
        return min(import_seconds(BOTOCORE, place) for _ in range(rounds))


def show(console: Console, results: Results) -> None:
    """The table."""
    table = Table("", "measured", "in verifies", box=None, padding=(0, 2, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for part, numbers in results.numbers.items():
        table.add_row(f"\n[bold]{part}[/]")
        for number in numbers:
            ratio = results.ratio(number)
            table.add_row(f"  {number.name}", number.shown(), "" if ratio is None else f"{ratio:,.1f}")
    console.print(table)
    if results.ratios:
        _show_ratios(console, results.ratios)
    for part, costs in results.costs.items():
        table = Table(f"[bold]{part}[/]", "round trips", "read units", "write units", box=None, padding=(0, 2, 0, 0))
        for column in table.columns[1:]:
            column.justify = "right"
        for each in costs:
            table.add_row(f"  {each.call}", *(f"{value:g}" for value in astuple(each)[1:]))
        console.print()
        console.print(table)
    for remark in results.remarks:
        console.print(f"\n[yellow]{remark}[/]", soft_wrap=True)
    verify = statistics.median(results.verify) * 1e6
    spread = f"{min(results.verify) * 1e6:.0f}..{max(results.verify) * 1e6:.0f}"
    console.print(
        f"\nCalibrators: one RS256 (2048 bits) verification took {verify:.0f} µs of CPU ({spread}); "
        f"importing botocore.session {results.botocore * 1000:.0f} ms.",
        soft_wrap=True,
    )


def _show_ratios(console: Console, ratios: list[Ratio]) -> None:
    titles = ("[bold]CPU[/]", "ms", "compared with", "ms", "ratio", "half of all", "bar")
    table = Table(*titles, box=None, padding=(0, 1, 0, 0))
    for column in (1, 3, 4, 5, 6):
        table.columns[column].justify = "right"
    for each in ratios:
        low, high = each.pair.spread
        ratio = f"[red]{each.pair.median:.2f}[/]" if each.is_missed else f"{each.pair.median:.2f}"
        bar = "" if each.bar is None else f"{each.bar:g}"
        ours, other = (f"{seconds * 1000:.3f}" for seconds in (each.pair.ours, each.pair.other))
        table.add_row(f"  {each.title}", ours, each.other, other, ratio, f"{low:.2f} to {high:.2f}", bar)
    console.print()
    console.print(table)
