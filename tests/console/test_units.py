"""The console's own unit tests (``ui/src/**/*.test.ts``), in Node."""

from __future__ import annotations

import subprocess

import pytest

from infra.scripts.console import NODE, SOURCES


@pytest.mark.skipif(
    not ((NODE / ".ready").is_file() and (SOURCES / "node_modules").is_dir()),
    reason="Node or the console's libraries are not here: make ui",
)
def test_the_consoles_own_tests_pass():
    done = subprocess.run(
        [str(NODE / "bin" / "node"), "test.mjs"], cwd=SOURCES, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "# pass 0" not in done.stdout
