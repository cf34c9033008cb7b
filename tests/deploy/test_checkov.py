"""Advice of checkov on the templates is followed, or skipped with a reason in ``infra/checkov.yaml``."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any, Final

import pytest
import yaml

from infra.paths import ROOT
from tests.deploy.test_templates import TEMPLATES

CHECKOV: Final = ROOT / ".venv-templates" / "bin" / "checkov"
CONFIG: Final = ROOT / "infra" / "checkov.yaml"
OF_FUNCTIONS: Final = {
    "CKV_AWS_73",
    "CKV_AWS_76",
    "CKV_AWS_115",
    "CKV_AWS_116",
    "CKV_AWS_117",
    "CKV_AWS_120",
    "CKV_AWS_173",
}
"""Advice on the output of `make package`, which is in none of the templates."""


def left() -> list[str]:
    found: list[str] = yaml.safe_load(CONFIG.read_text())["skip-check"]
    return found


def test_all_skipped_advice_has_a_reason() -> None:
    lines = [line for line in CONFIG.read_text().splitlines() if line.lstrip().startswith("- ")]

    assert [line for line in lines if not re.fullmatch(r"  - CKV2?_AWS_\d+  # \S.{10,}", line)] == []
    assert len(set(left())) == len(lines)


@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed: make templates does that")
def test_the_templates_fail_exactly_the_skipped_checks() -> None:
    options = ["--framework", "cloudformation", "--compact", "--quiet", "--skip-download", "--output", "json"]
    done = subprocess.run([CHECKOV, *options, "--file", *TEMPLATES], capture_output=True, text=True, check=False)

    report: dict[str, Any] = json.loads(done.stdout)
    failed = {each["check_id"]: each["resource"] for each in report["results"]["failed_checks"]}
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50
    assert failed.keys() == set(left()) - OF_FUNCTIONS, failed
