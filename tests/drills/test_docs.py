"""The commands in the documentation exist, with their options."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from infra.manage import program  # noqa: F401  # its commands
from infra.manage.cli import manage

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMAND = re.compile(r"(?:`|^ {4,})manage ((?:[a-z][a-z0-9-]+ ?)+)([^`\n#]*)", re.MULTILINE)


def named(page: str) -> list[tuple[list[str], list[str]]]:
    """Words and options of the commands in a page."""
    text = (DOCS / page).read_text()
    return [(words.split(), re.findall(r"--[a-z][a-z-]+", rest)) for words, rest in COMMAND.findall(text)]


@pytest.mark.parametrize("page", ["operations.md", "security.md", "tenants.md", "users.md"])
def test_commands_of_the_pages_exist(page: str):
    found = named(page)
    if page == "operations.md":
        assert len(found) > 20

    for words, options in found:
        command: click.Command = manage
        context = click.Context(command)
        for word in words:
            if not isinstance(command, click.Group):
                break  # an argument
            below = command.get_command(context, word)
            assert below is not None, f"{page}: manage {' '.join(words)}"
            command = below
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert set(options) <= known, f"{page}: manage {' '.join(words)} {options}"
