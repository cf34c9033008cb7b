"""What may be used under which licence."""

from email.message import Message
from importlib import metadata
from typing import Any, cast

import pytest

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


def test_copyleft_may_help_but_not_ship() -> None:
    assert licences.refused("tool", ["GPL-2.0-only"], ships=False) is None
    assert licences.refused("library", ["GPL-2.0-only"], ships=True) == "library (ships): GPL-2.0-only"
    assert licences.refused("tool", ["AGPL-3.0"], ships=False) == "tool: AGPL-3.0"


def test_requirements_name_what_ships() -> None:
    text = '# Words.\nbackports.zstd==1.8.0; python_version < "3.14"  # why\nPyJWT==2\n-r other.txt\n\n'

    assert licences.shipped(text) == {"backports-zstd", "pyjwt"}


def test_everything_that_is_installed_may_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert licences.main() == 0, capsys.readouterr().out
