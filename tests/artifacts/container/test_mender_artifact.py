"""Mender's own tool and this project read each other's artifacts with the same result."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.artifacts.container.build import example, parse_bytes
from tests.simulator.artifacts import COMPRESS, PayloadSpec, build_artifact, draft, sha256

if TYPE_CHECKING:
    from pathlib import Path

    from chalicelib.artifacts.container import Artifact, PayloadFile

TOOL = shutil.which("mender-artifact")
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(TOOL is None, reason="needs the program mender-artifact (Debian package mender-artifact)"),
]


def tool(*arguments: str | Path) -> str:
    """The output of mender-artifact with ``arguments``; it must succeed."""
    run = subprocess.run([str(TOOL), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def knows_zstd() -> bool:
    """Since version 3.10."""
    return "zstd" in tool("write", "module-image", "--help")


def shown(path: Path) -> dict[str, Any]:
    """The data in the output of ``mender-artifact read``, which is similar to YAML."""
    text = tool("read", path)
    updates = re.split(r"^    \d+:$", text[text.index("Updates:") :], flags=re.MULTILINE)[1:]

    def one(label: str, within: str = text) -> str:
        match = re.search(rf"^ +{label}: *(.*)$", within, re.MULTILINE)
        return match[1] if match else ""

    def pairs(label: str, within: str) -> dict[str, str]:
        match = re.search(rf"^    {label}:\n((?:\t.*\n)*)", within, re.MULTILINE)
        lines = match[1].splitlines() if match else []
        return dict(line.strip().split(": ", 1) for line in lines)

    def metadata(within: str) -> Any:
        match = re.search(r"^    Metadata:\n((?:\t.*\n)+)", within, re.MULTILINE)
        return json.loads(match[1]) if match else None

    def files(within: str) -> list[tuple[str, ...]]:
        pattern = r"name: +(\S+)\n +size: +(\d+)\n +modified: +(.*) UTC\n +checksum: +(\w+)"
        return re.findall(pattern, within)

    return {
        "name": one("Name"),
        "version": one("Version"),
        "signed": "no signature" not in one("Signature"),
        "devices": one("Compatible devices").strip("'[]").split(),
        "group": one("Provides group"),
        "names": one(r"Depends on one of artifact\(s\)").strip("[]"),
        "groups": one(r"Depends on one of group\(s\)").strip("[]"),
        "provides": {key: value for update in updates for key, value in pairs("Provides", update).items()},
        "depends": {key: value for update in updates for key, value in pairs("Depends", update).items()},
        "clears": [pattern for update in updates for pattern in json.loads(one("Clears Provides", update) or "[]")],
        # Several payloads are shown in any order.
        "payloads": sorted(
            [(one("Type", update), metadata(update), files(update)) for update in updates],
            key=lambda payload: payload[0],
        ),
    }


def file_as_shown(file: PayloadFile) -> tuple[str, ...]:
    """A file in the format of :func:`shown`."""
    modified = f"{file.modified:%Y-%m-%d %H:%M:%S +0000}" if file.modified else ""
    return file.name, str(file.size), modified, file.checksum


def as_shown(artifact: Artifact) -> dict[str, Any]:
    """An artifact in the format of :func:`shown`."""

    def words(value: str | tuple[str, ...] | None) -> str:
        return value if isinstance(value, str) else f"[{' '.join(value or ())}]"

    own = {"device_type", "artifact_name", "artifact_group"}
    return {
        "name": artifact.name,
        "version": str(artifact.format_version),
        "signed": artifact.signed,
        "devices": list(artifact.device_types),
        "group": artifact.group or "",
        "names": ", ".join(artifact.depends.get("artifact_name", ())),
        "groups": ", ".join(artifact.depends.get("artifact_group", ())),
        "provides": {key: value for key, value in artifact.provides.items() if key not in own},
        "depends": {key: words(value) for key, value in artifact.depends.items() if key not in own},
        "clears": list(artifact.clears_provides),
        "payloads": sorted(
            [
                (payload.type or "Empty type", payload.metadata, [file_as_shown(file) for file in payload.files])
                for payload in artifact.payloads
            ],
            key=lambda payload: payload[0],
        ),
    }


@pytest.fixture
def path(tmp_path):
    """The path of an artifact."""
    return tmp_path / "a.mender"


@pytest.fixture
def inputs(tmp_path):
    """Files for an artifact."""
    contents = {
        "one": b"one\n",
        "two": bytes(3000),
        "n" * 150: b"long",
        "added": b"added",
        "meta.json": b'{"a":{"b":[1,"x",null]},"s":"t","n":1.5}',
        "more.json": b'{"s":"u","new":true}',
        "ArtifactInstall_Enter_10_x": b"#!/bin/sh\n",
        "image.ext4": b"not quite a file system" * 1000,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Private keys in the formats that the tool reads."""
    folder = tmp_path_factory.mktemp("keys")
    rsa, ec = folder / "rsa", folder / "ec"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", rsa, "2048"], check=True, capture_output=True)
    subprocess.run(
        ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", ec],
        check=True,
        capture_output=True,
    )
    return {"rsa": rsa, "ec": ec}


MODULE = ["write", "module-image", "-n", "app-1", "-t", "pi4", "-t", "pi5", "-T", "single-file"]
WRITTEN: dict[str, list[str]] = {
    "plain": [*MODULE, "-f", "one"],
    "two-files": [*MODULE, "-f", "one", "-f", "two", "-m", "meta.json"],
    "long-name": [*MODULE, "-f", "n" * 150],
    "no-files": MODULE,
    "scripts": [*MODULE, "-f", "one", "-s", "ArtifactInstall_Enter_10_x"],
    "dependencies": [
        *[*MODULE, "-f", "one", "-g", "stable", "-N", "app-0", "-N", "app-00", "-G", "g1", "-G", "g2"],
        *["-p", "libc:musl", "-d", "kernel:6", "--clears-provides", "old.*"],
    ],
    "bare": [*MODULE, "-f", "one", "--no-default-software-version", "--no-default-clears-provides"],
    "augmented": [
        *[*MODULE, "-f", "one", "-m", "meta.json", "-p", "libc:musl", "-d", "kernel:6"],
        *["--augment-type", "single-file", "--augment-file", "added", "--augment-meta-data", "more.json"],
        *["--augment-provides", "libc:glibc", "--augment-provides", "x:y", "--augment-depends", "z:1"],
    ],
    "augmented-type": [*MODULE, "-f", "one", "--augment-type", "other", "--augment-file", "added"],
    "rootfs": ["write", "rootfs-image", "-n", "os-1", "-t", "pi4", "-f", "image.ext4"],
    "rootfs-2": ["write", "rootfs-image", "-v", "2", "-n", "os-1", "-t", "pi4", "-f", "image.ext4"],
    "bootstrap": ["write", "bootstrap-artifact", "-n", "boot-1", "-t", "pi4"],
}


@pytest.mark.parametrize("compression", ["none", "gzip", "lzma", "zstd_better"])
@pytest.mark.parametrize("name", WRITTEN)
def test_the_parser_reads_artifacts_of_the_tool(name, compression, inputs, path, monkeypatch):
    if compression.startswith("zstd") and not knows_zstd():
        pytest.skip("this mender-artifact is older than 3.10 and knows no zstd")
    monkeypatch.chdir(inputs)
    tool(*WRITTEN[name], "--compression", compression, "-o", path)
    artifact = parse_bytes(path.read_bytes())
    assert as_shown(artifact) == shown(path)
    assert artifact.size == path.stat().st_size


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_the_parser_reads_signed_artifacts_of_the_tool(key, inputs, path, keys, monkeypatch):
    monkeypatch.chdir(inputs)
    tool(*WRITTEN["two-files"], "-k", keys[key], "-o", path)
    assert parse_bytes(path.read_bytes()).signed


def test_the_checksum_of_a_root_file_system_is_found(inputs, path, monkeypatch):
    monkeypatch.chdir(inputs)
    tool(*WRITTEN["rootfs"], "-o", path)
    artifact = parse_bytes(path.read_bytes())
    checksum = sha256((inputs / "image.ext4").read_bytes())
    assert artifact.payloads[0].files[0].checksum == checksum
    assert artifact.provides["rootfs-image.checksum"] == checksum
    assert artifact.clears_provides == ("artifact_group", "rootfs_image_checksum", "rootfs-image.*")


@pytest.mark.parametrize("compression", [kind for kind in COMPRESS if kind != "zstd"])
@pytest.mark.parametrize("version", [2, 3])
def test_the_tool_reads_artifacts_of_the_builder(version, compression, path):
    data = example(version, compression).build()
    path.write_bytes(data)
    tool("validate", path)
    assert shown(path) == as_shown(parse_bytes(data))


def test_the_tool_verifies_signatures_of_the_builder(path, keys):
    def sign(manifest: bytes) -> bytes:
        command = ["openssl", "dgst", "-sha256", "-sign", keys["rsa"]]
        return base64.b64encode(subprocess.run(command, input=manifest, check=True, capture_output=True).stdout)

    public = path.with_suffix(".pub")
    command = ["openssl", "rsa", "-in", keys["rsa"], "-pubout", "-out", public]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(build_artifact("a", ["pi"], signed=sign))
    assert "validated successfully" in tool("validate", "-k", public, path)
    assert parse_bytes(path.read_bytes()).signed


@pytest.mark.parametrize(
    "data",
    [
        build_artifact("a", ["pi"]),
        build_artifact("a", ["pi"], type=None),
        build_artifact("a", ["pi"], {"n" * 200: b"1"}, compression="lzma"),
        build_artifact("a", ["pi", "px"], b"1" * 5000, type="rootfs-image", group="g", clears=["a", "b"]),
        build_artifact("a", ["pi"], more=[PayloadSpec("deb", {"x.deb": b"2"}, {"k": "v"}, metadata={"m": 1})]),
        draft("a", ["pi"], [PayloadSpec()], depends={"artifact_name": ["b", "c"]}).build(),
    ],
)
def test_the_tool_reads_other_payloads_of_the_builder(data, path):
    path.write_bytes(data)
    tool("validate", path)
    assert shown(path) == as_shown(parse_bytes(data))
