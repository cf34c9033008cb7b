"""``make package``: what CloudFormation deploys, with compiled code.

``chalice package`` leaves byte code out, so that every cold start would compile every module again: three
times the import time. Here each zip gets a ``.pyc`` beside each module, for the Python that runs this script,
which is also the runtime that Chalice writes into the template. They are marked "unchecked": Python loads
them without looking at the source's time or hash. The zips come out the same, byte for byte, from the same
sources.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import os
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATEWAY_RESPONSES = ROOT / "infra" / "templates" / "gateway-responses.json"
"""Merged into the template: how API Gateway's own errors look. Deployments put the same (``infra/deploy/stage.py``)."""
EPOCH = (1980, 1, 1, 0, 0, 0)
UNCHECKED = 0b01  # PEP 552: a hash-based pyc whose hash nobody compares
ZIPS = ("deployment.zip", "layer-deployment.zip")
REGION = "us-east-1"  # Chalice wants one to be set; what it builds names none


class BuildFailedError(Exception):
    """Chalice could not build the package; its own words are the message."""


def compiled(source: bytes, name: str) -> bytes | None:
    """A module's byte code file, or None when this Python cannot compile it (templates look like modules)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's escapes
            code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    head = importlib.util.MAGIC_NUMBER + struct.pack("<L", UNCHECKED)
    return head + importlib.util.source_hash(source) + marshal.dumps(code)


def cache_name(name: str) -> str:
    """``a/b.py`` becomes ``a/__pycache__/b.cpython-313.pyc``, for any interpreter that runs this."""
    folder, _, module = name.rpartition("/")
    cached = f"__pycache__/{module.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    return f"{folder}/{cached}" if folder else cached


def with_bytecode(source: Path) -> None:
    """Write the zip again with byte code, sorted, and without times."""
    target = source.with_suffix(".tmp")
    with zipfile.ZipFile(source) as old:
        entries = {item.filename: (item.external_attr, old.read(item)) for item in old.infolist()}
    for name in [name for name in entries if name.endswith(".py")]:
        byte_code = compiled(entries[name][1], name)
        if byte_code is not None:
            entries[cache_name(name)] = (entries[name][0], byte_code)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as new:
        for name, (attributes, data) in sorted(entries.items()):
            item = zipfile.ZipInfo(name, EPOCH)
            item.external_attr = attributes
            item.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(item, data)
    target.replace(source)


def package(stage: str, out: Path, *, project: Path = ROOT) -> Path:
    """Build ``out`` (``sam.json`` and its zips) for a stage. The zips are compiled where Chalice makes them.

    Raises:
        BuildFailedError: Chalice refused the app or could not fetch what ships with it.
    """
    if out.exists():
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    chalice = [sys.executable, "-m", "infra.deploy.program", "--project-dir", str(project)]
    merged = ["--merge-template", str(GATEWAY_RESPONSES)]
    command = [*chalice, "package", "--stage", stage, *merged, str(out)]
    environment = {"AWS_DEFAULT_REGION": REGION, **os.environ}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise BuildFailedError((done.stdout + done.stderr).strip())
    return out


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
