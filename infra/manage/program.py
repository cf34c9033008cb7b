"""The program: all commands, and the exit code of the outcome."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from infra.manage import (  # noqa: F401  # imported, they register their commands
    audit,
    backups,
    downloads,
    migrating,
    private_settings,
    queues,
    removal,
    server,
    switches,
    tenants,
    users,
    vault,
)
from infra.manage.cli import Exit, manage
from infra.manage.connect import NoServerError

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run, and exit with the code of the outcome."""
    try:
        sys.exit(manage(standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit("aborted; nothing was changed")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NoServerError as error:
        _leave(Exit.UNREACHABLE, str(error))
    except Exception as error:
        # Imported here: pynamodb reads settings, and the stage has to be known before.
        from infra.manage.errors import explain

        known = explain(error)
        if known is None:
            raise
        _leave(*known)


def _leave(code: Exit, text: str) -> NoReturn:
    click.echo(f"manage: {text}", err=True)
    sys.exit(code)
