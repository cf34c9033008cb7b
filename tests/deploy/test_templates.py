"""The templates: valid, and holding what production needs of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.local.engine.process import ROOT

TEMPLATES = sorted((ROOT / "infra" / "templates").glob("*.yaml"))
LINT = Path(sys.executable).with_name("cfn-lint")


def test_the_templates_are_valid() -> None:
    """By cfn-lint, which knows the properties of every resource."""
    done = subprocess.run([LINT, "--", *TEMPLATES], capture_output=True, text=True, check=False)

    assert TEMPLATES
    assert done.returncode == 0, done.stdout + done.stderr
