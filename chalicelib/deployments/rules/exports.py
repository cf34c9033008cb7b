"""Reports and devices of deployments as files: tables for spreadsheets, and a JSON document in each line.

Cells that might run as formulas begin with an apostrophe (``text.cell``).
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Final

import msgspec

from chalicelib.deployments.shapes import ExportedDevice, Report
from chalicelib.text import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DEVICES: Final = ExportedDevice.__struct_fields__
"""The columns of a table of devices."""
_REPORT: Final = (
    *("section", "key", "time", "begun", "succeeded", "failed", "other"),
    *("p50_seconds", "p90_seconds", "p99_seconds", "text"),
)
"""The columns of a report. ``section`` says what a line is about; cells that it does not have are empty."""


def table(lines: Iterable[Iterable[object]]) -> str:
    """Lines of a CSV file (RFC 4180)."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_cell(value) for value in line] for line in lines)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return cell(value) if isinstance(value, str) else value


def device_as_cells(device: ExportedDevice) -> str:
    """A device as a line of a table with the columns ``DEVICES``."""
    return table([msgspec.structs.astuple(device)])


def device_as_json(device: ExportedDevice) -> str:
    """A device as a JSON document in a line."""
    return msgspec.json.encode(device).decode() + "\n"


def fitting(lines: Sequence[str], size: int) -> list[str]:
    """The first lines that fit into ``size`` bytes of a function's JSON answer, but at least one."""
    left = size
    for number, line in enumerate(lines):
        left -= len(json.dumps(line))
        if left < 0:
            return list(lines[: max(1, number)])
    return list(lines)


def report_table(report: Report) -> str:
    """A report as a table, of which each line is a point in its course, or a phase, artifact, device type or reason."""
    numbers = report.statistics
    after = report.finished_after
    lines: list[tuple[object, ...]] = [
        _REPORT,
        (
            "deployment",
            report.id,
            report.start,
            report.devices,
            *("",) * 3,
            after.p50,
            after.p90,
            after.p99,
            report.name,
        ),
        *(("status", status, "", number) for status, number in numbers.items()),
        *(("progress", "", each.time, each.begun, each.succeeded, each.failed, each.other) for each in report.progress),
    ]
    for section, parts in (
        ("phase", report.phases),
        ("artifact", report.artifacts),
        ("device type", report.device_types),
    ):
        for each in parts:
            seconds = (each.finished_after.p50, each.finished_after.p90, each.finished_after.p99)
            lines.append((section, each.key, "", each.begun, each.succeeded, each.failed, each.other, *seconds))
    lines += [("reason", each.id, "", "", "", each.count, "", "", "", "", each.reason) for each in report.failures]
    return table((*line, *("",) * (len(_REPORT) - len(line))) for line in lines)
