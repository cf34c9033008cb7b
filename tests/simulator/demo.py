"""``make demo``: shows simulated devices installing an update from a real server.

Starts the whole server in a temporary folder, on a free port (or uses a running one), accepts devices, uploads an
artifact, deploys it, and shows the statistics. At the end these must be equal to the devices' reports.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulator import bad_release
from tests.simulator.artifacts import build_artifact
from tests.simulator.client import Client, ConnectionLostError
from tests.simulator.fleet import DEVICE_TYPE, Fleet
from tests.simulator.management import Operator, RefusedError
from tests.simulator.options import Options, read_options
from tests.simulator.records import DisagreementError, Payload
from tests.simulator.rollout import Phased
from tests.simulator.serve import Address, ServerFailedError, ServerProcess

LOOK = 0.25
"""Seconds between two reads of the server's statistics."""

LINE = 2.0
"""Seconds between two lines of output without a terminal."""

CONNECTIONS = 32

STYLES = {
    "pending": "dim",
    "downloading": "cyan",
    "installing": "yellow",
    "success": "green",
    "failure": "red",
    "aborted": "magenta",
}
"""Statuses in the order in which devices pass through them."""

LOOK_AROUND = """
The server is {url}

  user      {user}
  password  {password}

  TOKEN=$(curl -s {ca}-X POST -u '{user}:{secret}' {url}/api/management/v1/useradm/auth/login)
  curl -s {ca}-H "Authorization: Bearer $TOKEN" {url}/api/management/v1/deployments/deployments/{deployment}
  curl -s {ca}-H "Authorization: Bearer $TOKEN" {url}/api/management/v1/inventory/devices
"""

NEXT = """
What to try next:
  make demo ARGS='--devices 500 --fail 20%'   a larger fleet with more failures
  make demo PHASES=10,30                      a rollout in phases, with retries, and one that is aborted
  make demo STORY=bad-release                 a bad release that stops itself, and the way out
  make demo ARGS=--keep                       keep the demo's server running, to explore it
  make run                                    a permanent server, for your own devices
  make demo ARGS=--server                     simulated devices for that server"""


@dataclass(frozen=True, slots=True)
class Look:
    """The state of the rollout at one moment."""

    numbers: dict[str, int]
    seconds: float
    requests: int
    megabytes: float

    @property
    def done(self) -> int:
        """Devices with a final status."""
        return self.numbers.get("success", 0) + self.numbers.get("failure", 0)

    @property
    def pace(self) -> str:
        """Devices and requests per second, and megabytes served."""
        per_second = 1 / max(self.seconds, 0.001)
        return (
            f"{self.done * per_second:.1f} devices/s, {self.requests * per_second:.0f} requests/s, "
            f"{self.megabytes:.1f} MB served"
        )


class Screen:
    """Shows a rollout: live on a terminal, otherwise as a line every few seconds."""

    def __init__(self, console: Console, devices: int) -> None:
        self._console = console
        self._devices = devices
        self._live: Live | None = None
        self._last = -LINE
        self._bar = Progress(
            TextColumn("  updated"), BarColumn(None), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("updated", total=devices)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Show a rollout during the block."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8) as self._live:
            yield

    def show(self, look: Look, *, last: bool = False) -> None:
        """Show the present state."""
        if self._live:
            self._bar.update(self._task, completed=look.done)
            self._live.update(Group(self._table(look), self._bar, f"  [dim]{look.pace}[/]"))
        elif last or look.seconds - self._last >= LINE:
            self._last = look.seconds
            shown = ", ".join(f"{count} {status}" for status, count in _sorted(look.numbers))
            self._console.print(f"  {look.seconds:5.1f} s  {shown}; {look.pace}", soft_wrap=True)

    def _table(self, look: Look) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 2), show_header=False)
        table.add_column(width=12)
        table.add_column(justify="right", width=6)
        table.add_column()
        for status, count in _sorted(dict.fromkeys(STYLES, 0) | look.numbers):
            style = STYLES.get(status, "")
            bar = "█" * round(40 * count / self._devices)
            table.add_row(f"[{style}]{status}[/]" if style else status, str(count), f"[{style}]{bar}[/]" if bar else "")
        return table


def main() -> int:
    """Run the demo; the exit status: 0 if server and devices agree."""
    options = read_options()
    console = Console(highlight=False)
    try:
        if options.server is not None:
            address = _running(options)
            console.print(f"Using the server at [bold]{address.url}[/]; its console: {address.url}/ui/")
            return asyncio.run(_rollout(console, options, address))
        with ServerProcess() as process:
            began = time.monotonic()
            address = process.start()
            console.print(f"Started a server in {time.monotonic() - began:.1f} s. {address.invitation}")
            status = asyncio.run(_rollout(console, options, address, process))
            if options.keep:
                console.print("Ctrl-C stops the server and deletes its data.")
                _wait()
        console.print("The server has stopped, and its data is deleted.", style="dim")
    except (ServerFailedError, RefusedError, ConnectionLostError, DisagreementError, OSError) as error:
        console.print("The demo failed.", style="bold red")
        console.print(str(error), markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130
    return status


def _running(options: Options) -> Address:
    """The running server, from the description in its data folder."""
    file = options.data / "server.json"
    if not file.exists():
        raise ServerFailedError(f"{file} is not there: start a server with `make run`, or leave --server out")
    address = Address.read(json.loads(file.read_text()))
    return replace(address, url=options.server) if options.server else address


async def _rollout(console: Console, options: Options, address: Address, process: ServerProcess | None = None) -> int:
    async with (
        Client(address.url, ca=address.ca, connections=CONNECTIONS) as client,
        Client(address.url, ca=address.ca) as own,  # separate, so that reads do not wait for devices
    ):
        operator = Operator(own)
        await operator.login(address.user, address.password)
        began = time.monotonic()
        fleet = Fleet(
            client,
            options.devices,
            tenant_token=address.tenant_token,
            behaviour=options.behaviour,
            seed=options.seed,
        )
        await _accept_devices(fleet, operator)
        kinds = Counter(device.kind for device in fleet.devices)
        keys = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        console.print(f"Accepted {options.devices} devices ({keys} keys) in {time.monotonic() - began:.1f} s")
        if options.story:
            deployment = await _tell(console, options, address, fleet, operator, process)
        elif options.phases:
            deployment = await _in_phases(console, options, fleet, operator)
        else:
            name = await _upload(fleet, operator)
            deployment = await operator.deploy(f"Demo rollout of {name}", name, fleet.ids)
            console.print(f"Uploaded artifact [bold]{name}[/] and deployed it as {deployment}\n", soft_wrap=True)
            await _watch(console, fleet, operator, deployment, fleet.check())
            await _compare(console, fleet, operator, deployment)
    if options.server is not None or options.keep:
        _print_address(console, options, address, deployment)
    else:
        console.print(NEXT, soft_wrap=True, markup=False)
    return 0


async def _upload(fleet: Fleet, operator: Operator) -> str:
    """Upload a new artifact; returns its name."""
    name = f"demo-{secrets.token_hex(3)}"
    artifact = build_artifact(name, [DEVICE_TYPE], secrets.token_bytes(256 * 1024), compression="none")
    fleet.payloads[name] = Payload.of(artifact)
    await operator.upload(artifact, "Made by make demo")
    return name


async def _in_phases(console: Console, options: Options, fleet: Fleet, operator: Operator) -> str:
    """Run a rollout in phases, and another that is aborted in its second phase; returns the last one's id."""
    interval = options.behaviour.spread + 8 * options.behaviour.pace + 1
    phased = Phased(fleet, options.phases, interval)
    shares = ", ".join(f"{share} %" for share in options.phases)
    console.print(f"\nPhases of {shares} and the rest, {interval:.0f} s apart", soft_wrap=True)
    await _one_in_phases(console, phased, fleet, operator, aborted=False)
    console.print("\nThe same again, but aborted in the second phase", soft_wrap=True)
    return await _one_in_phases(console, phased, fleet, operator, aborted=True)


async def _one_in_phases(console: Console, phased: Phased, fleet: Fleet, operator: Operator, *, aborted: bool) -> str:
    name = await _upload(fleet, operator)
    deployment = await phased.create(operator, f"Demo rollout of {name}", name)
    console.print(f"Uploaded artifact [bold]{name}[/] and deployed it as {deployment}\n", soft_wrap=True)
    work = phased.run_into_an_abort(operator) if aborted else phased.run()
    await _watch(console, fleet, operator, deployment, work)
    await _compare(console, fleet, operator, deployment)
    if wrong := await phased.differences(operator):
        raise DisagreementError("\n".join(wrong))
    return deployment


async def _tell(
    console: Console,
    options: Options,
    address: Address,
    fleet: Fleet,
    operator: Operator,
    process: ServerProcess | None,
) -> str:
    """Tell the story; returns the id of its last deployment."""
    tenant = fleet.devices[0].claims["mender.tenant"]

    async def look(deployment: str) -> None:
        # The schedule of a permanent server looks by itself, once a minute.
        if process is not None:
            await asyncio.to_thread(process.run, "look", tenant=tenant, deployment=deployment)

    _print(console, bad_release.SHELL, options, address)
    if process is None:
        console.print("\nA running server looks at gates once a minute, so this takes five minutes.", style="dim")
    deployment = await bad_release.BadRelease(console, fleet, operator, look).tell()
    console.print(
        "\nEverything went as told, and the server's statistics are what the devices reported.", style="green"
    )
    return deployment


def _print_address(console: Console, options: Options, address: Address, deployment: str) -> None:
    _print(console, LOOK_AROUND, options, address, deployment=deployment)


def _print(console: Console, text: str, options: Options, address: Address, **more: str) -> None:
    """Print a text with the server's address and a user."""
    # The password of a permanent server is in its data folder and not printed.
    stays = options.server is not None
    text = text.format(
        url=address.url,
        user=address.user,
        password=f"as in {options.data / 'server.json'}" if stays else address.password,
        secret="PASSWORD" if stays else address.password,
        ca=f"--cacert {address.ca} " if address.ca else "",
        **more,
    )
    console.print(text, soft_wrap=True, markup=False)


async def _accept_devices(fleet: Fleet, operator: Operator) -> None:
    await fleet.first_request()
    await operator.accept(fleet.identities)
    await fleet.connect()
    _require_no_problem(fleet)


async def _watch(
    console: Console, fleet: Fleet, operator: Operator, deployment: str, work: Coroutine[Any, Any, None]
) -> None:
    """Run the fleet's update, and show the server's statistics meanwhile."""
    began, before = time.monotonic(), fleet.tally.requests.total()
    screen = Screen(console, len(fleet.devices))

    async def look(*, last: bool = False) -> None:
        numbers = await operator.statistics(deployment)
        seconds = time.monotonic() - began
        screen.show(Look(numbers, seconds, fleet.tally.requests.total() - before, fleet.tally.bytes / 1e6), last=last)

    with screen.on():
        updating = asyncio.create_task(work)
        while not updating.done():
            await look()
            await asyncio.wait({updating}, timeout=LOOK)
        await updating
        await look(last=True)


async def _compare(console: Console, fleet: Fleet, operator: Operator, deployment: str) -> None:
    """Show the results, and compare the server's with the devices'.

    Raises:
        DisagreementError: they differ.
    """
    theirs = await operator.statistics(deployment)
    ours = fleet.tally.statistics(deployment, len(fleet.devices))
    table = Table("status", "the server says", "the devices say")
    for column in table.columns[1:]:
        column.justify = "right"
    for status, _ in _sorted(ours | theirs):
        table.add_row(status, str(theirs.get(status, 0)), str(ours.get(status, 0)))
    console.print()
    console.print(table)
    _require_no_problem(fleet)
    if theirs != ours:
        raise DisagreementError("the server's statistics are not what the devices reported")
    state = (await operator.show(deployment))["status"]
    if state != "finished":
        raise DisagreementError(f"all devices have a final status, and the deployment is {state}")
    console.print("The server's statistics are exactly what the devices reported.", style="green")


def _require_no_problem(fleet: Fleet) -> None:
    if problems := fleet.tally.report():
        raise DisagreementError("devices had problems:\n  " + "\n  ".join(problems))


def _sorted(numbers: dict[str, int]) -> list[tuple[str, int]]:
    order = list(STYLES)
    return sorted(numbers.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order))


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
