"""Which licences are allowed."""

import json
from email.message import Message
from importlib import metadata
from typing import Any, cast

import pytest

from chalicelib.console import files
from infra.paths import ROOT
from infra.scripts import licences


def about(*lines: tuple[str, str]) -> metadata.PackageMetadata:
    message = Message()
    for name, value in lines:
        message[name] = value
    return cast("Any", message)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([("License-Expression", "Apache-2.0 OR BSD-3-Clause")], ["Apache-2.0", "BSD-3-Clause"]),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "see there")], ["MIT License"]),
        ([("Classifier", "Topic :: Software"), ("License", "MIT")], ["MIT"]),
        ([], ["unknown"]),
    ],
)
def test_a_licence_is_found_wherever_it_is_named(lines: list[tuple[str, str]], names: list[str]) -> None:
    assert licences.names_of(about(*lines)) == names


def test_copyleft_is_allowed_for_tools_only() -> None:
    assert licences.refused("tool", ["GPL-2.0-only"], ships=False) is None
    assert licences.refused("library", ["GPL-2.0-only"], ships=True) == "library (ships): GPL-2.0-only"
    assert licences.refused("tool", ["AGPL-3.0"], ships=False) == "tool: AGPL-3.0"


def test_the_shipped_packages_are_read_from_the_requirements() -> None:
    text = '# Words.\nbackports.zstd==1.8.0; python_version < "3.14"  # why\nPyJWT==2\n-r other.txt\n\n'

    assert licences.shipped(text) == {"backports-zstd", "pyjwt"}


def test_the_packages_of_the_console_are_read_from_its_lock_file() -> None:
    packages = {
        "": {"name": "console"},
        "node_modules/a/node_modules/@b/c": {"license": "(MIT OR WTFPL)"},
        "node_modules/tool": {"license": "MPL-2.0", "dev": True},
    }

    built, tool = licences.of_console(json.dumps({"packages": packages}))

    assert built == ("@b/c", ["MIT", "WTFPL"], True)
    assert licences.refused(built[0], built[1], ships=built[2]) == "@b/c (ships): WTFPL"
    assert licences.refused(tool[0], tool[1], ships=tool[2]) is None


def test_the_built_console_hands_on_the_licence_of_each_library_in_it() -> None:
    """Each is one of the packages that the lock file marks as built in."""
    if not (files.BUILT / "manifest.json").is_file():
        pytest.skip("the console is not built")
    packages = json.loads((files.BUILT / "manifest.json").read_text())["packages"]
    text = (files.BUILT / "licences.txt").read_text()
    lock = licences.of_console((ROOT / "ui" / "package-lock.json").read_text())

    assert {"preact", "uplot", "@xterm/xterm", "lucide"} <= {each["name"] for each in packages}
    assert {each["name"] for each in packages} <= {name for name, _, ships in lock if ships}
    assert [each for each in packages if f"{each['name']} {each['version']}, {each['licence']}" not in text] == []
    assert text.count("Permission") >= len(packages)


def test_all_installed_distributions_have_allowed_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().out
