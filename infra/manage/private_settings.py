"""``manage secret ...``: secret settings, stored in Parameter Store."""

from __future__ import annotations

import sys

import click

from infra.manage.cli import Result, command, manage

_NAMES = click.Choice(["edge-secret", "mail-server"])


@manage.group("secret")
def secret() -> None:
    """Secret settings: edge-secret, which the edge sends, and mail-server, an SMTP server with its password.

    Functions use a change within five minutes (LAMPLIGHTER_KEY_CACHE). A plain setting of the functions takes
    precedence.
    """


@command(secret, "set")
@click.argument("name", type=_NAMES)
def store(name: str) -> Result:
    """Store the secret NAME. You are prompted for it; a script passes it on standard input.

    A mail server is a URL: smtp://user:password@host (requires STARTTLS) or smtps://user:password@host.
    """
    from chalicelib.aws import private_settings
    from chalicelib.aws.private_settings import Private

    asked = sys.stdin.isatty()
    value = click.prompt(name, hide_input=True) if asked else sys.stdin.read()
    private_settings.write(Private(name), value.strip())
    return Result(f"stored {name}", {"name": name})


@command(secret, "list")
def list_all() -> Result:
    """Show which secrets are stored, and since when, but not their values."""
    from chalicelib.aws import private_settings
    from chalicelib.aws.private_settings import Private

    found = {str(each): private_settings.written_at(each) for each in Private}
    lines = [f"{name}  {f'{when:%Y-%m-%d %H:%M} UTC' if when else '-'}" for name, when in found.items()]
    return Result("\n".join(lines), [{"name": name, "written": when} for name, when in found.items()])


@command(secret, "remove")
@click.argument("name", type=_NAMES)
def remove(name: str) -> Result:
    """Remove the secret NAME. Without edge-secret no edge is trusted; without mail-server Amazon SES sends mails."""
    from chalicelib.aws import private_settings
    from chalicelib.aws.private_settings import Private

    there = private_settings.remove(Private(name))
    return Result(f"removed {name}" if there else f"there is no {name}", {"name": name, "removed": there})
