"""``manage switch ...``: switches a part of the server off for all tenants, for example during an investigation."""

from __future__ import annotations

import click

from infra.manage.cli import Result, command, manage

NAMES = ("deployments", "remote-access", "uploads", "webhooks")
"""Those of ``chalicelib.fleet.switches``, which must not be imported before the stage is known."""
_NAME = click.argument("name", type=click.Choice(NAMES))


@manage.group()
def switch() -> None:
    """Switch a part of the server off for all tenants, and on again."""


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
    """Switch NAME off for all tenants. Running functions notice within seconds (LAMPLIGHTER_CONTROL_CACHE).

    Affected calls get a 503 with a Retry-After of five minutes. Devices continue to poll and update.
    """
    from chalicelib.fleet import switches

    switches.turn_off(switches.Switch(name), reason)
    return Result(f"{name} is off", {"switch": name, "on": False, "reason": reason})


@command(switch, "on")
@_NAME
def on(name: str) -> Result:
    """Switch NAME on again."""
    from chalicelib.fleet import switches

    switches.turn_on(switches.Switch(name))
    return Result(f"{name} is on", {"switch": name, "on": True, "reason": ""})
