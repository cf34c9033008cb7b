"""The command line: options of all commands, and how errors are reported.

Results are printed on standard output, one id per line or, with ``--json``, as one JSON document; everything else is
printed on standard error. Exit codes: 0 success, 1 a bug, 2 wrong usage, 3 not found, 4 refused, 5 the server or AWS
cannot be reached or denies access, 6 an audit log was altered.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import click
import msgspec

from chalicelib import __version__
from infra.manage.connect import LOCAL, Place, connect


class Exit(IntEnum):
    """Exit codes, by what the caller can do about it."""

    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    DAMAGED = 6


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 2 wrong usage, 3 not found, 4 refused, 5 server or AWS out of reach, 6 log altered.",
)
@click.option(
    "--stage",
    envvar="LAMPLIGHTER_STAGE",
    default=LOCAL,
    show_default=True,
    help="The server to work on: 'local', or a stage on AWS, with your AWS credentials.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=".local",
    show_default=True,
    help="Folder in which the local server keeps its data.",
)
@click.version_option(__version__, prog_name="lamplighter")
@click.pass_context
def manage(context: click.Context, stage: str, data: Path) -> None:
    """Manage the tenants, users and keys of a Lamplighter server."""
    context.obj = Place(stage, data.resolve())


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command: ``text`` for people, ``document`` with ``--json``, and the exit code."""

    text: str
    document: Any
    exit_code: int = 0


def command(
    group: click.Group, name: str, *, any_data: bool = False
) -> Callable[[Callable[..., Result]], click.Command]:
    """Declare a command on the server; its function may import the app's services.

    ``any_data``: it also runs if the stored data have another version, or if there are none.
    """

    def decorate(run: Callable[..., Result]) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
        @click.pass_obj
        @functools.wraps(run)
        def connected(place: Place, /, *, as_json: bool, **options: Any) -> None:
            connect(place)
            if not any_data:
                _check_data()
            result = run(**options)
            if as_json:
                click.echo(msgspec.json.format(msgspec.json.encode(result.document), indent=2).decode())
            elif result.text:
                click.echo(result.text)
            click.get_current_context().exit(result.exit_code)

        return group.command(name)(connected)

    return decorate


def _check_data() -> None:
    from infra import migrations

    if count := migrations.due():
        click.echo(f"manage: pending migrations of the stored data: {count}; run `manage migrate`", err=True)
