"""The documentation is consistent: links, commands, files and settings exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from chalicelib import __version__
from chalicelib.settings import Settings
from infra.manage import program  # noqa: F401  # its commands
from infra.manage.cli import manage
from infra.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = {"LAMPLIGHTER_DEPLOY"}
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def test_pages_exist() -> None:
    assert len(PAGES) > 20


@pages
def test_links_have_a_target(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if not re.match(r"[a-z]+:", link)]
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_other_pages_are_linked(page: Path) -> None:
    named = [] if page.name == "CHANGELOG.md" else re.findall(r"`((?:docs/[\w/-]+|[\w-]+)\.md)`", prose(page))

    assert [name for name in named if f"[`{name}`]" not in page.read_text()] == []


@pages
def test_mentioned_files_exist(page: Path) -> None:
    """Except generated files and patterns."""
    named = re.findall(r"`((?:chalicelib|docs|infra|tests)/[\w./*-]*)`", page.read_text())

    for name in named:
        assert any(ROOT.glob(name.rstrip("/"))), name


@pages
def test_mentioned_names_exist_in_their_file(page: Path) -> None:
    """As "`NAME` in `some/file.py`"."""
    for word, name in re.findall(r"`(\w+)`\s+in\s+`([\w/.]+\.(?:py|yaml))`", page.read_text()):
        assert re.search(rf"\b{word}\b", (ROOT / name).read_text()), f"{word} in {name}"


@pages
def test_make_commands_exist(page: Path) -> None:
    text = page.read_text()
    lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
    lines += [line for line in text.splitlines() if line.startswith("    ")]
    named = re.findall(r"`make ([a-z][a-z-]*)", text)
    named += [found[1] for line in lines if (found := re.match(r" *(?:\w+=\S* )*make ([a-z][a-z-]*)", line))]

    assert set(named) <= TARGETS


@pages
def test_settings_exist(page: Path) -> None:
    known = {f"LAMPLIGHTER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)} | ELSEWHERE

    assert set(re.findall(r"LAMPLIGHTER_[A-Z_]+[A-Z]", page.read_text())) <= known


@pages
def test_the_admins_commands_are_valid(page: Path) -> None:
    for words, is_whole in commands(page.read_text()):
        wrong = command_error(words, is_whole=is_whole)

        assert wrong is None, f"{words}: {wrong}"


@pytest.mark.parametrize("line", ["tenant bogus", "tenant list --bogus", "user create", "tenant show 1 2"])
def test_invalid_commands_are_detected(line: str) -> None:
    assert command_error(line.split(), is_whole=True)


def commands(text: str) -> Iterator[tuple[list[str], bool]]:
    """Words of each command; and whether all of it is there, as where it is to be typed."""
    for found in re.finditer(r"^ +manage (.+)$|manage ARGS='([^'.]+)'|infra\.manage (--.+)$", text, re.MULTILINE):
        yield shlex.split(next(filter(None, found.groups())), comments=True), True
    for line in re.findall(r"`manage\s([^`]+)`", text):
        yield shlex.split(line), False


def command_error(words: list[str], *, is_whole: bool) -> str | None:
    """The command line's error for a command, which is parsed and not run; None if it is valid."""
    try:
        parse(words)
    except (click.MissingParameter, click.BadOptionUsage) as missing:
        return missing.format_message() if is_whole else None
    except click.ClickException as error:
        return error.format_message()
    return None


def parse(words: list[str]) -> None:
    """Have a command line judged, without running it.

    Raises:
        click.ClickException: it is not understood.
    """
    command: click.Command = manage
    context = click.Context(command)
    _, rest, _ = command.make_parser(context).parse_args(list(words))
    while isinstance(command, click.Group) and rest:
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, parent=context)
        if isinstance(command, click.Group):
            _, rest, _ = command.make_parser(context).parse_args(rest)
        else:
            command.parse_args(context, rest)


def test_the_version_is_the_newest_of_the_changelog() -> None:
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )

    assert versions[0] == __version__


def test_the_architecture_shows_the_order_of_the_packages() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("exhaustive")]
    [shown] = re.findall(
        r"^events  routes  snapstart$.*?(?=^```)", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert [sorted(line.split()) for line in shown.splitlines()] == [
        sorted(re.findall(r"\w+", each)) for each in layers
    ]
