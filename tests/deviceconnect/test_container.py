"""The relay's container: its files are enough to start, and need no AWS libraries."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from infra.paths import ROOT

CONTAINERFILE = ROOT / "infra" / "relay" / "Containerfile"
NEVER = {"boto3", "botocore", "chalice", "pynamodb", "jwt", "cryptography", "aws_lambda_powertools", "starlette"}


def copied(into: Path) -> None:
    """Copy the files as the COPY lines do."""
    for line in CONTAINERFILE.read_text().splitlines():
        words = line.split()
        if not words or words[0] != "COPY":
            continue
        *sources, target = words[1:]
        for source in sources:
            there = into / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, there, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                there = there / Path(source).name if target.endswith(("/", ".")) else there
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, there)


def test_the_copied_files_start_without_aws_libraries(tmp_path: Path) -> None:
    copied(tmp_path)
    code = "import infra.relay.__main__, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert {name.split(".")[0] for name in json.loads(done.stdout)} & NEVER == set()


def test_its_requirements_are_the_tested_ones() -> None:
    def pins(file: Path) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==([\w.]+)", file.read_text(), re.MULTILINE))

    tested = pins(ROOT / "requirements.txt") | pins(ROOT / "requirements-dev.txt")

    assert {name: tested.get(name) for name in pins(ROOT / "infra/relay/requirements.txt")} == pins(
        ROOT / "infra/relay/requirements.txt"
    )


def test_a_missing_setting_is_one_clear_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.relay"], cwd=ROOT, capture_output=True, text=True, check=False, env={}
    )

    assert done.returncode == 1
    assert "RELAY_WEBSOCKETS" in done.stderr
    assert "Traceback" not in done.stderr
