"""A small, hand-made build of the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.console import files

if TYPE_CHECKING:
    from pathlib import Path

PAGE = '<!doctype html><html lang="en"><title>Lamplighter</title><script type="module" src="assets/main-1a2b.js">\n'
SCRIPT = "console.log('é');\n" * 200


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder with a page, a script and an icon, and next to it a file that must not be served."""
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / ".stamp").write_text("hidden")
    (folder / "assets" / "main-1a2b.js").write_text(SCRIPT)
    (folder / "assets" / "picture-1a2b.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret.json").write_text('{"secret": true}')
    monkeypatch.setattr(files, "BUILT", folder)
    return folder
