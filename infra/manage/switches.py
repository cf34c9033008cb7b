"""``manage switch ...``: stop a part of the server for everybody while something is being investigated."""

from __future__ import annotations

import click

from infra.manage.cli import Result, command, manage

NAMES = ("deployments", "remote-access", "uploads", "webhooks")
"""Those of ``chalicelib.fleet.switches``, which must not be imported before the stage is known."""
_NAME = click.argument("name", type=click.Choice(NAMES))


@manage.group()
def switch() -> None:
    """Stop a part of the server for every tenant, and start it again."""


@command(switch, "list")
def list_all() -> Result:
    """Show what is on and what is off."""
    from chalicelib.fleet import switches

    off = switches.off(fresh=True)
    document = [{"switch": each, "on": each not in off, "reason": off.get(each, "")} for each in NAMES]
    lines = [f"{each}  {'off: ' + off[each] if each in off else 'on'}" for each in NAMES]
    return Result("\n".join(lines), document)


@command(switch, "off")
@_NAME
@click.option("--reason", required=True, help="The reason that callers are given, such as 'maintenance until noon'.")
def off(name: str, reason: str) -> Result:
    """Stop NAME for every tenant. Running functions notice within seconds (LAMPLIGHTER_CONTROL_CACHE).

    What it stops is refused with 503 and a Retry-After of five minutes. Devices go on polling and updating.
    """
    from chalicelib.fleet import switches

    switches.turn_off(switches.Switch(name), reason)
    return Result(f"{name} is off", {"switch": name, "on": False, "reason": reason})


@command(switch, "on")
@_NAME
def on(name: str) -> Result:
    """Start NAME again."""
    from chalicelib.fleet import switches

    switches.turn_on(switches.Switch(name))
    return Result(f"{name} is on", {"switch": name, "on": True, "reason": ""})
