"""``make audit``: does anything that ships have a known vulnerability?

Asks the Python advisory database through pip-audit. Where that cannot be reached nothing is known, and nothing fails:
a line says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from infra.paths import ROOT


def problems(report: dict[str, Any]) -> list[str]:
    """A line for each vulnerability of a report of pip-audit."""
    return [
        f"{each['name']} {each['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'nothing yet'}"
        for each in report["dependencies"]
        for found in each.get("vulns", ())
    ]


def outcome(stdout: str, stderr: str) -> tuple[int, str]:
    """Exit status and words for what pip-audit wrote: it reports in JSON, or not at all."""
    try:
        report = json.loads(stdout)
    except json.JSONDecodeError:
        why = stderr.strip().splitlines()[-1:] or ["no answer"]
        return 0, f"audit SKIPPED, the database of vulnerabilities was not reached: {why[0][:200]}"
    if found := problems(report):
        return 1, "\n".join(found)
    unknown = sorted(each["name"] for each in report["dependencies"] if "skip_reason" in each)
    known = len(report["dependencies"]) - len(unknown)
    if not known:
        return 0, "audit SKIPPED, the database that was reached knows none of what ships"
    return 0, f"{known} distributions, nothing known" + (f"; not looked up: {', '.join(unknown)}" if unknown else "")


def main() -> int:
    """Audit ``requirements.txt`` with the pip-audit that is the first argument."""
    options = ["--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    done = subprocess.run(
        [sys.argv[1], "-r", str(ROOT / "requirements.txt"), *options], capture_output=True, text=True, check=False
    )
    status, words = outcome(done.stdout, done.stderr)
    print(words)
    return status


if __name__ == "__main__":
    sys.exit(main())
