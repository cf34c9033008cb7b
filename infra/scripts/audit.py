"""``make audit``: checks everything that ships for known vulnerabilities.

Uses the Python advisory database through pip-audit. If that cannot be reached, the check does not fail, and
prints a line that it was skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from infra.paths import ROOT


def problems(report: dict[str, Any]) -> list[str]:
    """A line for each vulnerability in a report of pip-audit."""
    return [
        f"{each['name']} {each['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'nothing yet'}"
        for each in report["dependencies"]
        for found in each.get("vulns", ())
    ]


def outcome(stdout: str, stderr: str) -> tuple[int, str]:
    """The exit status and text for the output of pip-audit, which is JSON or empty."""
    try:
        report = json.loads(stdout)
    except json.JSONDecodeError:
        why = stderr.strip().splitlines()[-1:] or ["no answer"]
        return 0, f"audit SKIPPED, the vulnerability database cannot be reached: {why[0][:200]}"
    if found := problems(report):
        return 1, "\n".join(found)
    unknown = sorted(each["name"] for each in report["dependencies"] if "skip_reason" in each)
    known = len(report["dependencies"]) - len(unknown)
    if not known:
        return 0, "audit SKIPPED, the vulnerability database knows none of the distributions"
    return 0, f"{known} distributions without known vulnerabilities" + (
        f"; not checked: {', '.join(unknown)}" if unknown else ""
    )


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
