"""``make ui``: builds the console from ``ui/`` into ``chalicelib/console/built``, unless it is built already.

``make types`` checks its types (``--types``), including those of API calls.

Node is installed from the Python package index into ``.venv-ui``, and libraries from ``ui/package-lock.json``, whose
hashes npm checks. Install scripts of packages are not run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCES: Final = ROOT / "ui"
BUILT: Final = ROOT / "chalicelib" / "console" / "built"
STAMP: Final = ".stamp"
"""A file in the build's folder with the hash of its sources."""
NODE: Final = ROOT / ".venv-ui"


class CannotBuildError(Exception):
    """The console was not built; the message says why."""


class NoToolsError(CannotBuildError):
    """Node or a library cannot be downloaded."""


def build(sources: Path = SOURCES, built: Path = BUILT) -> bool:
    """Build the console; False if the existing build is up to date.

    Raises:
        NoToolsError: Node or a library cannot be downloaded.
        CannotBuildError: there are no sources, or they have an error.
    """
    wanted = of_sources(sources)
    stamp = built / STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return False
    print("Building the console", flush=True)
    stamp.unlink(missing_ok=True)
    _prepare(sources)
    _run([str(NODE / "bin" / "node"), "build.mjs"], sources)
    stamp.write_text(wanted)
    return True


def check_types(sources: Path = SOURCES) -> None:
    """Check the sources' types, after generating those of calls from the API's description.

    Raises:
        NoToolsError: Node or a library cannot be downloaded.
        CannotBuildError: a type is wrong.
    """
    _prepare(sources)
    _run([str(NODE / "bin" / "npm"), "run", "--silent", "check"], sources)


def _prepare(sources: Path) -> None:
    try:
        _run([os.environ.get("MAKE", "make"), str((NODE / ".ready").relative_to(ROOT))], ROOT)
        _install(sources)
    except CannotBuildError as error:
        raise NoToolsError(str(error)) from error


def of_sources(sources: Path) -> str:
    """A hash of all files that a build depends on.

    Raises:
        CannotBuildError: there are no sources.
    """
    if not (sources / "build.mjs").is_file():
        raise CannotBuildError(f"{sources} has no build.mjs")
    return _hash([ROOT / "requirements-ui.txt", *_files(sources)], ROOT)


def _files(folder: Path) -> list[Path]:
    """All sources below a folder, without libraries and hidden files."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "node_modules":
            continue
        found += _files(path) if path.is_dir() else [path]
    return found


def _hash(paths: Iterable[Path], root: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(f"{os.path.relpath(path, root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return found.hexdigest()


def _install(sources: Path) -> None:
    """Download the libraries of the lock file, unless they are installed."""
    locked = _hash([ROOT / "requirements-ui.txt", sources / "package-lock.json"], ROOT)
    stamp = sources / "node_modules" / STAMP
    if not stamp.is_file() or stamp.read_text() != locked:
        _run([str(NODE / "bin" / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], sources)
        stamp.write_text(locked)


def _run(command: list[str], folder: Path) -> None:
    path = f"{NODE / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise CannotBuildError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise CannotBuildError(f"{' '.join(command)}\n{(done.stdout + done.stderr).strip()}")


def main(arguments: list[str] | None = None, *, sources: Path = SOURCES, built: Path = BUILT) -> int:
    """Build, and print the result."""
    parser = argparse.ArgumentParser(description="Build the console.")
    parser.add_argument("--or-go-on", action="store_true", help="if it cannot be built, print a notice and succeed")
    parser.add_argument(
        "--types", action="store_true", help="only check the types; skipped if Node cannot be installed"
    )
    given = parser.parse_args(arguments)
    if given.types:
        return _types(sources)
    try:
        if build(sources, built):
            print(f"The console is built: {os.path.relpath(built, ROOT)}")
    except CannotBuildError as error:
        if given.or_go_on:
            print("The console is not built, so /ui/ shows no page; everything else works. Run `make ui` to see why.")
            return 0
        print(error, file=sys.stderr)
        return 1
    return 0


def _types(sources: Path) -> int:
    try:
        check_types(sources)
    except NoToolsError as error:
        print(f"The console's types are NOT checked, because its tools cannot be installed: {error}")
    except CannotBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
