"""``make package``: what CloudFormation deploys, with compiled code.

``chalice package`` leaves byte code out, so that every cold start would compile every module again: three
times the import time. Here each zip gets a ``.pyc`` beside each module, for the Python that the functions run on
(``infra/deploy/functions.py``). They are marked "unchecked": Python loads them without looking at the source's time or
hash. The zips come out the same, byte for byte, from the same sources.

Chalice's template is changed where CloudFormation would refuse it, and where it would make something else than
``make deploy`` makes (``infra/scripts/stack.py``).
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
REGION = "us-east-1"  # Chalice wants one to be set; what it builds names none


class BuildFailedError(Exception):
    """Chalice could not build the package; its own words are the message."""


def package(stage: str, out: Path, *, project: Path = ROOT) -> Path:
    """Build ``out`` (``sam.json`` and its zips) for a stage. The zips are compiled where Chalice makes them.

    Waits while another process builds a package of the same project: Chalice makes the zips in one folder.

    Raises:
        BuildFailedError: Chalice refused the app or could not fetch what ships with it.
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
    """Hold the lock on a folder. It ends with the process, however that ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sizes(zipped: Path) -> tuple[int, int]:
    """Bytes of a zip, and of what it unpacks to (Lambda refuses 250 MB of the latter)."""
    with zipfile.ZipFile(zipped) as archive:
        return zipped.stat().st_size, sum(item.file_size for item in archive.infolist())


def main() -> int:
    """Build, and say how large it came out."""
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
