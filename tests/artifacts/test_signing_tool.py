"""Signatures of Mender's own tool are trusted, and it verifies those of these tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.artifacts.signers import SIGNERS
from tests.artifacts.test_trust import NOT_SIGNED, added, error, made, set_policy
from tests.simulator.artifacts import build_artifact

if TYPE_CHECKING:
    from pathlib import Path

TOOL = shutil.which("mender-artifact")
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(TOOL is None, reason="needs the program mender-artifact (Debian package mender-artifact)"),
    pytest.mark.parametrize("name", ["RSA-2048", "ECDSA-P256"]),  # it has no Ed25519
]


def test_what_mender_artifact_signs_is_trusted(catalog, tmp_path: Path, name):
    added(catalog, SIGNERS[name].public)
    set_policy(catalog, "demand")
    key, unsigned, signed = tmp_path / "key.pem", tmp_path / "a.mender", tmp_path / "b.mender"
    key.write_text(SIGNERS[name].private)
    unsigned.write_bytes(build_artifact("app", ["pi"], b"data"))
    subprocess.run([str(TOOL), "sign", "-k", key, "-o", signed, unsigned], check=True, capture_output=True)

    assert NOT_SIGNED in error(catalog.send(unsigned.read_bytes()), 422)
    assert made(catalog, catalog.send(signed.read_bytes()))["signature"]["key_name"] == "release key"


def test_mender_artifact_verifies_the_signatures_of_these_tests(tmp_path: Path, name):
    key, path = tmp_path / "key.pub", tmp_path / "a.mender"
    key.write_text(SIGNERS[name].public)
    path.write_bytes(build_artifact("app", ["pi"], b"data", signed=SIGNERS[name]))
    run = subprocess.run([str(TOOL), "validate", "-k", key, path], check=False, capture_output=True, text=True)
    assert "validated successfully" in run.stdout, json.dumps([run.stdout, run.stderr])
