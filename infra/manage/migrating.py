"""``manage migrate``: brings the stored data to the version of the code."""

from __future__ import annotations

import click

from infra.manage.cli import Exit, Result, command, manage


@command(manage, "migrate", any_data=True)
@click.option("--check", is_flag=True, help="Only show pending migrations; exit code 4 if there are any.")
def migrate(*, check: bool) -> Result:
    """Migrate the stored data to the version of this code, tenant by tenant, while the server runs.

    Deploy the code first. The migration can be stopped and started again. Afterwards, older code can no longer be used.
    """
    from infra import migrations

    store = migrations.store()
    due = store.check()
    pending = [each for each in migrations.MIGRATIONS if each.version > migrations.CURRENT - due]
    if check:
        lines = [f"{each.version}: {each.about}" for each in pending]
        document = {"stored": migrations.CURRENT - due, "code": migrations.CURRENT, "due": lines}
        text = "\n".join([f"stored: version {migrations.CURRENT - due}, code: version {migrations.CURRENT}", *lines])
        return Result(text, document, Exit.REFUSED if pending else 0)
    counts: dict[str, int] = {}
    for migration, tenant, changed in store.migrate():
        counts[tenant] = counts.get(tenant, 0) + changed
        click.echo(f"version {migration.version}: {tenant}, {changed} items", err=True)
    return Result(f"version {migrations.CURRENT}", {"version": migrations.CURRENT, "changed": counts})
