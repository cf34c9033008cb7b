"""Requirements: every version is pinned, every file is verified by hash, and nothing else is installed."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from infra.paths import ROOT
from infra.scripts.lock import SETS, index
from infra.scripts.package import REGION, BuildFailedError, package

PIN = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)")
HASH = re.compile(r"sha256:[0-9a-f]{64}")


def canonical(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()


def requirements(name: str) -> dict[str, list[str]]:
    """Each requirement of a file, without its marker, and its hashes."""
    found = {}
    for line in (ROOT / name).read_text().replace("\\\n", "").splitlines():
        words, *hashes = line.partition("#")[0].split("--hash=")
        requirement = words.partition(";")[0].strip()
        if requirement and not requirement.startswith("-"):
            found[requirement] = [each.strip() for each in hashes]
    return found


def pins(name: str) -> dict[str, str]:
    """The version of each project that a file names."""
    matches = [PIN.fullmatch(requirement) for requirement in requirements(name)]
    return {canonical(match[1]): match[2] for match in matches if match}


# --- What the files say


@pytest.mark.parametrize("name", SETS)
def test_every_locked_requirement_is_one_version_with_the_hashes_of_its_files(name: str) -> None:
    locked = requirements(f"{name}.txt")

    assert len(locked) > (1 if name == "requirements-ui" else 3)
    assert [each for each in locked if not PIN.fullmatch(each)] == []
    assert [each for each, hashes in locked.items() if not hashes or not all(map(HASH.fullmatch, hashes))] == []


@pytest.mark.parametrize("name", SETS)
def test_locks_match_the_requirements(name: str) -> None:
    asked, locked = pins(f"{name}.in"), pins(f"{name}.txt")

    assert asked
    assert {each: version for each, version in asked.items() if locked.get(each) != version} == {}, "make lock"


@pytest.mark.parametrize("name", ["requirements", "infra/relay/requirements"])
def test_the_shipped_versions_are_the_tested_ones(name: str) -> None:
    tested = requirements("requirements-dev.txt")

    shipped = requirements(f"{name}.txt").items()
    assert {each: hashes for each, hashes in shipped if tested.get(each) != hashes} == {}, "make lock"


@pytest.mark.parametrize("name", SETS)
def test_no_file_names_a_package_index(name: str) -> None:
    for path in (ROOT / f"{name}.in", ROOT / f"{name}.txt"):
        assert "://" not in path.read_text()


def test_hashes_come_from_the_index_that_pip_is_set_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\nindex-url = https://index.example/simple\ncert = /etc/ours.pem\n")
    for name in ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))

    assert index() == {"UV_DEFAULT_INDEX": "https://index.example/simple", "SSL_CERT_FILE": "/etc/ours.pem"}
    monkeypatch.setenv("PIP_INDEX_URL", "https://nearer.example/simple")
    assert index()["UV_DEFAULT_INDEX"] == "https://nearer.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.example/simple")
    assert "UV_DEFAULT_INDEX" not in index()


# --- What is installed


def test_every_installed_distribution_is_pinned_at_its_version() -> None:
    pinned = pins("requirements-dev.txt")
    installed = {canonical(dist.name): dist.version for dist in metadata.distributions()}

    assert {name: version for name, version in installed.items() if pinned.get(name) != version} == {}


def test_shipped_requirements_include_all_their_dependencies() -> None:
    """All dependencies of shipped packages are pinned as well, so that no version varies."""
    shipped = pins("requirements.txt")
    needed = set()
    for project in shipped:
        for requirement in metadata.requires(project) or []:
            name, _, marker = requirement.partition(";")
            if "extra" not in marker and "PyPy" not in requirement.replace("!= 'PyPy'", ""):
                needed.add(canonical(re.split(r"[\s<>=!~\[(]", name, maxsplit=1)[0]))

    assert needed - set(shipped) - {"exceptiongroup", "importlib-metadata", "tomli"} == set()
    assert "chalice" not in shipped


# --- What is refused


APP = """
from chalice import Chalice
app = Chalice(app_name="tiny")

@app.route("/")
def answer():
    return {}
"""
ARM = platform.machine() in ("aarch64", "arm64")
ELSEWHERE = "manylinux2014_x86_64" if ARM else "manylinux2014_aarch64"
"""The processor that this machine does not have, which is the functions'."""
CONFIG = {
    "version": "2.0",
    "app_name": "tiny",
    "automatic_layer": True,
    "lambda_architecture": "x86_64" if ARM else "arm64",
    "stages": {"dev": {"environment_variables": {"LAMPLIGHTER_BUCKET": "lamplighter-dev-artifacts"}}},
}
WRONG = hashlib.sha256(b"another file").hexdigest()


def wheel(folder: Path, tag: str) -> str:
    """Write a library that can be installed; its hash."""
    about = "lantern-1.0.dist-info"
    path = folder / f"lantern-1.0-py3-none-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lantern.py", f"TAG = {tag!r}\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: lantern\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-{tag}\n")
        archive.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that pip takes everything from."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "MAKE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_make_installs_only_verified_files(tmp_path: Path, catalog: Path) -> None:
    right = wheel(catalog, "any")
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv/bin/python"

    def made(requirement: str) -> tuple[bool, str]:
        (tmp_path / "requirements-dev.txt").write_text(requirement + "\n")
        command = ["make", f"PYTHON={sys.executable}", ".venv/.ready"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        there = subprocess.run([python, "-c", "import lantern"], capture_output=True, check=False).returncode == 0
        assert there == (done.returncode == 0), done.stderr
        return there, done.stderr

    there, said = made(f"lantern==1.0 --hash=sha256:{WRONG}")
    assert not there
    assert "DO NOT MATCH THE HASHES" in said
    there, said = made("lantern==1.0")
    assert not there
    assert "Hashes are required" in said
    there, _ = made(f"lantern==1.0 --hash=sha256:{right}")
    assert there


def test_a_layer_contains_only_verified_files(tmp_path: Path, catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For another processor plain Chalice checks only the version; its results are not used."""
    here = wheel(catalog, re.sub(r"[-.]", "_", sysconfig.get_platform()))
    there = wheel(catalog, ELSEWHERE)
    project = tmp_path / "tiny"
    (project / ".chalice").mkdir(parents=True)
    (project / "app.py").write_text(APP)
    (project / ".chalice/config.json").write_text(json.dumps(CONFIG))
    locked = project / "requirements.txt"
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)

    locked.write_text(f"lantern==1.0 --hash=sha256:{here}\n")
    plain = [
        sys.executable,
        "-c",
        "import sys; from chalice.cli import main; sys.exit(main())",
        "package",
        "--stage",
        "dev",
    ]
    subprocess.run([*plain, tmp_path / "plain"], cwd=project, check=True, capture_output=True)
    assert layer(tmp_path / "plain") == f"TAG = {ELSEWHERE!r}\n"
    with pytest.raises(BuildFailedError, match="DO NOT MATCH THE HASHES"):
        package("dev", tmp_path / "out", project=project)

    locked.write_text("lantern==1.0\n")
    with pytest.raises(BuildFailedError, match="Hashes are required"):
        package("dev", tmp_path / "out", project=project)

    locked.write_text(f"lantern==1.0 --hash=sha256:{there}\n")
    package("dev", tmp_path / "out", project=project)
    assert layer(tmp_path / "out") == f"TAG = {ELSEWHERE!r}\n"


def layer(out: Path) -> str:
    """The library in a package's layer."""
    with zipfile.ZipFile(out / "layer-deployment.zip") as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/lantern.py")]
        return archive.read(name).decode()
