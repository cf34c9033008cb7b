"""``make package``: builds what CloudFormation deploys, with byte code.

``chalice package`` leaves out byte code, so every cold start would compile every module: three
times the import time. Here each zip gets a ``.pyc`` for each module, for the Python of the functions
(``infra/deploy/functions.py``). They are marked "unchecked": Python loads them without looking at the source's time or
hash. The same sources always give the same zips, byte for byte.

Chalice's template is changed where CloudFormation would refuse it or the result would differ from
``make deploy`` (``infra/scripts/stack.py``).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infra.paths import ROOT
from infra.scripts.stack import as_deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIPS = ("deployment.zip", "layer-deployment.zip")
REGION = "us-east-1"  # Chalice requires a region; its output contains none


class BuildFailedError(Exception):
    """Chalice could not build the package; the message is its output."""


def package(stage: str, out: Path, *, project: Path = ROOT) -> Path:
    """Build ``out`` (``sam.json`` and its zips) for a stage.

    Waits while another process builds a package of the same project, since Chalice uses one folder for the zips.

    Raises:
        BuildFailedError: Chalice refused the app or could not download its libraries.
    """
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    chalice = [sys.executable, "-m", "infra.deploy.program", "--project-dir", str(project)]
    command = [*chalice, "package", "--stage", stage, str(out)]
    environment = {"AWS_DEFAULT_REGION": REGION, **os.environ}
    with alone(project / ".chalice"):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise BuildFailedError((done.stdout + done.stderr).strip())
    template = out / "sam.json"
    template.write_text(json.dumps(as_deployed(json.loads(template.read_text()), stage), indent=2) + "\n")
    return out


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder. It is released when the process ends, also after a crash."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sizes(zipped: Path) -> tuple[int, int]:
    """The size of a zip and of its contents, in bytes (Lambda's limit for the latter is 250 MB)."""
    with zipfile.ZipFile(zipped) as archive:
        return zipped.stat().st_size, sum(item.file_size for item in archive.infolist())


def main() -> int:
    """Build, and print the sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stage", default="prod")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    try:
        out = package(given.stage, (given.out or ROOT / "build" / given.stage).resolve())
    except BuildFailedError as error:
        print(error, file=sys.stderr)
        return 1
    for zipped in sorted(out.glob("*.zip")):
        small, large = sizes(zipped)
        print(f"{zipped.name:24} {small / 1e6:6.1f} MB, unpacked {large / 1e6:6.1f} MB")
    print(f"{'sam.json':24} {(out / 'sam.json').stat().st_size / 1e6:6.2f} MB of 1 MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
