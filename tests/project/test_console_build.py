"""``make ui``: when the console is rebuilt, and the messages if that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.scripts import console
from infra.scripts.console import STAMP, CannotBuildError, NoToolsError, build, main

BUILD = """
import { readFileSync, mkdirSync, writeFileSync } from "node:fs";
mkdirSync("../built", { recursive: true });
writeFileSync("../built/index.html", readFileSync("page.txt"));
"""
PACKAGE = '{"name": "small", "dependencies": {"part": "file:part"}}'
LOCK = """{"name": "small", "lockfileVersion": 3, "packages": {
  "": {"name": "small", "dependencies": {"part": "file:part"}},
  "node_modules/part": {"resolved": "part", "link": true},
  "part": {"version": "1.0.0"}
}}"""

needs_node = pytest.mark.skipif(
    not (console.NODE / ".ready").is_file(), reason="Node is not in .venv-ui (make ui puts it there)"
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A console of one page, which a real Node builds."""
    folder = tmp_path / "ui"
    (folder / "part").mkdir(parents=True)
    files = {"build.mjs": BUILD, "page.txt": "one", "package.json": PACKAGE, "package-lock.json": LOCK}
    files["part/package.json"] = '{"name": "part", "version": "1.0.0"}'
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return tmp_path / "built"


@needs_node
def test_it_is_built_when_a_source_has_changed(sources: Path, built: Path):
    assert build(sources, built)
    assert (built / "index.html").read_text() == "one"
    assert not build(sources, built)

    (sources / "node_modules" / "library.js").write_text("fetched")
    (sources / ".types").mkdir()
    (sources / ".types" / "openapi.d.ts").write_text("made from the description")
    assert not build(sources, built), "neither libraries nor what checks leave behind are sources"

    (sources / "page.txt").write_text("two")
    assert build(sources, built)
    assert (built / "index.html").read_text() == "two"


@needs_node
def test_libraries_are_downloaded_again_only_if_the_lock_file_changed(sources: Path, built: Path):
    build(sources, built)
    (sources / "node_modules" / "kept").mkdir()
    (sources / "page.txt").write_text("two")
    build(sources, built)
    assert (sources / "node_modules" / "kept").is_dir()

    (sources / "package-lock.json").write_text(LOCK + "\n")
    build(sources, built)
    assert not (sources / "node_modules" / "kept").exists()


@needs_node
def test_an_error_in_the_sources_is_reported_and_retried(
    sources: Path, built: Path, capsys: pytest.CaptureFixture[str]
):
    build(sources, built)
    (sources / "build.mjs").write_text("throw new Error('no such part');")

    assert main([], sources=sources, built=built) == 1
    assert "no such part" in capsys.readouterr().err
    assert not (built / STAMP).exists()
    with pytest.raises(CannotBuildError, match="no such part"):
        build(sources, built)


def test_without_node_everything_else_works(
    sources: Path, built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MAKE", "make-that-is-not-there")

    assert main(["--or-go-on"], sources=sources, built=built) == 0
    assert "/ui/ shows no page; everything else works" in capsys.readouterr().out

    assert main([], sources=sources, built=built) == 1
    assert "make-that-is-not-there: No such file" in capsys.readouterr().err

    assert main(["--types"], sources=sources) == 0
    assert "types are NOT checked" in capsys.readouterr().out
    with pytest.raises(NoToolsError):
        build(sources, built)


def test_without_sources_there_is_nothing_to_build(tmp_path: Path):
    with pytest.raises(CannotBuildError, match=r"has no build\.mjs"):
        build(tmp_path / "ui", tmp_path / "built")
