"""What a process uses of the machine, as Linux counts it; zeros on other systems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """A process's memory, in MB (2^20 bytes)."""

    now: float = 0.0
    highest: float = 0.0

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Measure a process; zeros if it has ended."""
        found = {"VmRSS": 0.0, "VmHWM": 0.0}
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return cls()
        for line in lines:
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) / 1024
        return cls(found["VmRSS"], found["VmHWM"])


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
