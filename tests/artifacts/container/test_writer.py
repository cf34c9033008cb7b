"""Artifacts that the server writes: correct, readable by Mender's tool, and the same bytes every time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.artifacts.container.writer import ModuleArtifact, SourceFile
from tests.artifacts.container.build import parse_bytes
from tests.artifacts.container.test_mender_artifact import TOOL, as_shown, shown, tool

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.,", min_size=1, max_size=200).filter(
    lambda name: name not in {".", ".."}
)


def source(name: str, content: bytes) -> SourceFile:
    pieces = [content[start : start + 700] for start in range(0, len(content), 700)]
    return SourceFile(name, len(content), hashlib.sha256(content).hexdigest(), lambda: iter(pieces))


EXAMPLE = ModuleArtifact(
    name="app-1",
    device_types=["pi4", "pi5"],
    type="single-file",
    provides={"app.version": "1"},
    depends={"libc": "musl", "base": ["1", "2"]},
    clears_provides=["app.*"],
    metadata={"to": "/opt", "deep": {"ü": [1, None]}},
    files=[source("one", b"one\n"), source("empty", b""), source("n" * 150, bytes(range(256)) * 100)],
)
BARE = ModuleArtifact(name="configuration-1", device_types=["pi4"], type="mender-configure", metadata={"k": "v"})


@given(
    name=TEXTS,
    types=st.lists(TEXTS, min_size=1, max_size=3),
    provides=st.dictionaries(TEXTS.map("x".__add__), TEXTS, max_size=3),
    metadata=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=5),
    files=st.dictionaries(NAMES, st.binary(max_size=3000), max_size=3),
)
def test_the_reader_returns_the_data_that_was_written(name, types, provides, metadata, files):
    written = ModuleArtifact(
        name=name,
        device_types=types,
        type="module",
        provides=provides,
        metadata=metadata,
        files=[source(*file) for file in files.items()],
    )

    data = b"".join(written.pieces())
    found = parse_bytes(data)

    assert len(data) == written.size() == found.size
    assert (found.name, found.device_types, found.format_version) == (name, tuple(types), 3)
    assert found.provides == {"artifact_name": name} | provides
    (payload,) = found.payloads
    assert (payload.type, payload.metadata) == ("module", metadata)
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    assert {file.name: file.checksum for file in payload.files} == sums


def test_dependencies_and_cleared_provides_are_written():
    found = parse_bytes(b"".join(EXAMPLE.pieces()))

    assert found.depends == {"device_type": ("pi4", "pi5"), "libc": "musl", "base": ("1", "2")}
    assert found.clears_provides == ("app.*",)


def test_output_is_deterministic_and_text_except_for_the_files():
    assert b"".join(EXAMPLE.pieces()) == b"".join(EXAMPLE.pieces())
    assert b"".join(BARE.pieces()).isascii()


@pytest.mark.parametrize("actual", [b"longer than said", b"no", b"twp"])
def test_a_file_that_differs_from_the_announcement_is_refused(actual):
    announced = source("f", b"two")
    written = ModuleArtifact(
        name="a",
        device_types=["pi"],
        type="module",
        files=[SourceFile("f", announced.size, announced.checksum, lambda: [actual])],
    )

    with pytest.raises(ValueError, match="f is not the file"):
        list(written.pieces())


@pytest.mark.clients
@pytest.mark.skipif(TOOL is None, reason="needs the program mender-artifact (Debian package mender-artifact)")
@pytest.mark.parametrize("written", [EXAMPLE, BARE], ids=["example", "bare"])
def test_mender_artifact_reads_it(written: ModuleArtifact, tmp_path: Path):
    path = tmp_path / "a.mender"
    path.write_bytes(b"".join(written.pieces()))

    assert "validated successfully" in tool("validate", path)
    assert shown(path) == as_shown(parse_bytes(path.read_bytes()))
